"""What works: what came of each script in recorded calls, and two scripts tested against each other."""

from typing import Any

import streamlit as st

from graph import experiments
from graph.errors import SalesmanError
from graph.intervals import ENOUGH, Difference, Share
from graph.works import what_works
from scripts_library.page_state import campaign_data, notice, place_of
from scripts_library.schema import Script
from ui.access import require
from ui.faults import fault
from ui.shared import calls, library
from ui.text import plain
from ui.words import t


def works_tab(campaign: str) -> None:
    """Show the figures, then the tests."""
    titles = {head.script.id: head.script.title for head in library().heads(campaign)}
    figures = what_works(calls().engine, campaign)
    st.subheader(t("desk.works_title"))
    st.caption(t("desk.works_help", n=ENOUGH))
    if not figures:
        st.info(t("desk.works_none"))
    else:
        rows = [
            {
                t("desk.column_script"): titles.get(one.script, one.script),
                t("desk.column_led"): one.led,
                t("desk.column_fetched"): one.fetched,
                t("desk.column_resolved"): _share(one.resolved),
                t("desk.column_won"): _share(one.won),
            }
            for one in figures
        ]
        wide = {t(f"desk.column_{name}"): st.column_config.Column(width="medium") for name in ("resolved", "won")}
        height = min(38 * len(rows) + 40, 500)
        st.dataframe(rows, hide_index=True, width="stretch", height=height, column_config=wide)
    st.subheader(t("desk.tests"))
    st.caption(t("desk.tests_help"))
    known = experiments.experiments(calls().engine, campaign)
    for test in known:
        _show(test, titles)
    _start(campaign)


def _share(share: Share) -> str:
    if share.value is None:
        return "–"
    low, high = share.interval
    few = f"  {t('desk.too_few')}" if share.too_few else ""
    return f"{share.value:.0%} ({low:.0%}–{high:.0%}), {share.hits}/{share.of}{few}"


def _show(test: experiments.Experiment, titles: dict[str, str]) -> None:
    report = experiments.report(calls().engine, test.id)
    with st.container(border=True):
        state = t("desk.test_stopped", at=test.stopped_at[:10]) if test.stopped_at else t("desk.test_running")
        st.caption(t("desk.test_since", at=test.started_at[:10], author=plain(test.started_by)) + f" · {state}")
        rows: list[dict[str, Any]] = []
        for name, arm in (("A", report.a), ("B", report.b)):
            rows.append(
                {
                    "": name,
                    t("desk.column_script"): titles.get(arm.script, arm.script),
                    t("desk.column_assigned"): arm.assigned,
                    t("desk.column_reached"): arm.reached,
                    t("desk.column_resolved"): _share(arm.resolved),
                    t("desk.column_won"): _share(arm.won),
                }
            )
        st.dataframe(rows, hide_index=True, width="stretch")
        st.write(_verdict(t("desk.column_won"), report.won))
        st.write(_verdict(t("desk.column_resolved"), report.resolved))
        if not test.stopped_at and st.button(t("desk.test_stop"), key=f"stop_{test.id}"):
            author = require("editor").name
            experiments.stop(calls().engine, test.id, author)
            notice(t("desk.test_was_stopped"))
            st.rerun()


def _verdict(what: str, difference: Difference) -> str:
    """Say in a sentence what the difference means."""
    if difference.value is None:
        return t("desk.verdict_nothing", what=what)
    low, high = difference.interval
    said = {"what": what, "value": f"{difference.value:+.0%}", "low": f"{low:+.0%}", "high": f"{high:+.0%}"}
    if difference.a.too_few or difference.b.too_few:
        return t("desk.verdict_too_few", **said)
    return t("desk.verdict_open" if low <= 0 <= high else "desk.verdict_a" if low > 0 else "desk.verdict_b", **said)


def _start(campaign: str) -> None:
    """Offer the places that have two published scripts at least."""
    data = campaign_data(campaign)
    live = [head.script for head in library().heads(campaign, live=True)]
    places: dict[tuple[str, str, str], list[Script]] = {}
    for script in live:
        places.setdefault((script.language, script.stage, script.intent), []).append(script)
    choices = {place: scripts for place, scripts in places.items() if len(scripts) > 1}
    if not choices:
        st.caption(t("desk.test_none"))
        return
    with st.expander(t("desk.test_new"), icon=":material/science:"):
        place = st.selectbox(
            t("desk.test_place"),
            list(choices),
            format_func=lambda place: place_of(choices[place][0], data),
            key="test_place",
        )
        titles = {script.id: plain(script.title) for script in choices[place]}
        left, right = st.columns(2)
        first = left.selectbox("A", list(titles), format_func=titles.__getitem__, key=f"test_a_{place}")
        second = right.selectbox("B", list(titles), index=1, format_func=titles.__getitem__, key=f"test_b_{place}")
        if st.button(t("desk.test_start"), key="test_start", disabled=first == second):
            author = require("editor").name
            try:
                experiments.start(calls().engine, library(), first, second, author)
            except SalesmanError as error:
                st.error(plain(fault(error)))
                return
            notice(t("desk.test_started"))
            st.rerun()
