"""From a bad mark to a rule, or to a line for the judges: written, tried on recorded calls, kept as a draft or published."""

from dataclasses import replace
from typing import Any

import streamlit as st
from pydantic import ValidationError

from graph.errors import BadInput, StaleEdit
from graph.incidents import name_of, pattern_of, recorded_count, recorded_replies
from graph.page_parts import campaign_data, go, notice
from graph.records import Mark, TurnRecord
from scripts_library.campaign_edits import CampaignRevision, ClaimFound, try_claim
from scripts_library.loading import schema_problems
from scripts_library.page_campaign_form import fault as in_words
from scripts_library.page_campaign_history import overtaken
from scripts_library.schema import Campaign, ForbiddenClaim, Language, RubricLine
from ui.access import require
from ui.faults import fault
from ui.shared import calls, library
from ui.text import plain, show
from ui.words import t

SHOWN = 20
"""Matches that are shown."""
_TRIED = "_rule_tried"
"""What a session remembers: the rule that was tried last on how many answers, and what came of it."""
SEVERITIES = ("low", "medium", "high")


def draft_page(call: str, number: int | None) -> None:
    """Let a supervisor make a rule of a turn that was marked bad."""
    author = require("supervisor").name
    st.button(
        t("calls.rule_back"),
        key="rule_back",
        on_click=_back,
        args=(call, number),
        icon=":material/arrow_back:",
        type="tertiary",
    )
    try:
        record = calls().record(call)
    except BadInput:
        st.warning(t("calls.unknown_call", call=plain(call)))
        return
    st.title(t("calls.rule_title"))
    st.caption(t("calls.rule_intro"))
    data = campaign_data(record["campaign"])
    turn = next((entry for entry in record["turns"] if entry["turn"] == number), None)
    mark = next((mark for mark in record.get("marks", []) if mark["turn"] == number and mark["verdict"] == "bad"), None)
    if turn is None or mark is None or data is None:
        st.info(t("calls.rule_no_mark"))
        return
    _incident(turn, mark)
    kinds = {"claim": _claim, "rubric": _rubric}
    kind = st.radio(
        t("calls.rule_kind"), list(kinds), format_func=lambda name: t(f"calls.rule_kind_{name}"), key="rule_kind"
    )
    made = kinds[kind](data.campaign, turn, mark)
    with st.container(horizontal=True):
        tried = kind == "claim" and st.button(t("calls.rule_try"), key="rule_try", icon=":material/science:")
        saved = st.button(t("calls.rule_save"), key="rule_save")
        published = st.button(t("calls.rule_publish"), key="rule_publish", type="primary")
    if not (tried or saved or published):
        return
    if isinstance(made, str):
        st.error(made)
    elif tried and isinstance(made, ForbiddenClaim):
        show_matches(record["campaign"], made)
    else:
        _keep(record["campaign"], made, author, "published" if published else "draft")


def show_matches(campaign: str, claim: ForbiddenClaim) -> None:
    """Show which of the newest recorded answers a rule would have stopped; looks again when there are new ones."""
    recorded = sum(recorded_count(calls().engine, campaign, language) for language in claim.patterns)
    asked = (campaign, claim, recorded)
    if st.session_state.get(_TRIED, ())[:1] != (asked,):
        try:
            st.session_state[_TRIED] = (asked, *_matches(campaign, claim))
        except BadInput as error:
            st.error(plain(fault(error)))
            return
    _, found, of = st.session_state[_TRIED]
    st.info(t("calls.rule_tried", n=len(found), of=of))
    if recorded > of:
        st.caption(t("calls.rule_tried_newest", n=of, of=recorded))
    for match in found[:SHOWN]:
        st.caption(t("calls.rule_tried_line", call=plain(match.call), turn=match.turn, text=plain(match.text)))
        show(match.reply)
    if len(found) > SHOWN:
        st.caption(t("calls.rule_tried_more", n=len(found) - SHOWN))


def _matches(campaign: str, claim: ForbiddenClaim) -> tuple[list[ClaimFound], int]:
    """Return the answers that a rule would have stopped, and of how many."""
    found: list[ClaimFound] = []
    of = 0
    for language in claim.patterns:
        said = recorded_replies(calls().engine, campaign, language)
        of += len(said)
        found += try_claim(claim, said, language)
    return found, of


def change(campaign: str, base: CampaignRevision, author: str, **changes: Any) -> bool:
    """Save a campaign's rules as a new version, and say what stands in the way; true when it was saved."""
    try:
        library().revise_campaign(campaign, base.version, author, **changes)
    except StaleEdit:
        overtaken(base, library().campaign_revision(campaign))
    except BadInput as error:
        st.error(plain(fault(error)))
    else:
        return True
    return False


def _back(call: str, number: int | None) -> None:
    go(call=call, **({} if number is None else {"turn": str(number)}))


def _incident(turn: TurnRecord, mark: Mark) -> None:
    with st.container(border=True):
        for label, text in (
            ("who_customer", turn["customer"]),
            ("who_agent", turn["reply"]),
            ("mark_reason", mark["reason"]),
        ):
            if text:
                st.caption(t(f"calls.{label}"))
                show(text)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _name(turn: TurnRecord) -> str:
    made = name_of(turn["call"], turn["turn"])
    return st.text_input(t("calls.rule_id"), made, key="rule_id", help=t("calls.rule_id_help")).strip()


def _source(turn: TurnRecord) -> str:
    return f"call {turn['call']} turn {turn['turn']}"


def _claim(campaign: Campaign, turn: TurnRecord, mark: Mark) -> ForbiddenClaim | str:
    """Let a rule be written; return it, or what is wrong with it."""
    left, right = st.columns([3, 1])
    with left:
        name = _name(turn)
    severity = right.selectbox(
        t("calls.rule_severity"),
        SEVERITIES,
        index=2,
        format_func=lambda one: t(f"calls.rule_{one}"),
        key="rule_severity",
    )
    words: dict[Language, list[str]] = {}
    for language, place in zip(campaign.languages, st.columns(len(campaign.languages)), strict=True):
        label = t("calls.rule_words", language=t(f"common.language_{language}"))
        typed = place.text_area(label, key=f"rule_words_{language}", help=t("calls.rule_words_help"))
        if lines := _lines(typed):
            words[language] = lines
    regular = st.checkbox(t("calls.rule_regex"), key="rule_regex")
    reason = st.text_input(t("calls.rule_reason"), mark["reason"], key="rule_reason")
    must, must_not = st.columns(2)
    caught = must.text_area(
        t("calls.rule_must"), " ".join(turn["reply"].split()), key="rule_must", help=t("calls.rule_lines_help")
    )
    let = must_not.text_area(
        t("calls.rule_must_not"), " ".join(mark["better"].split()), key="rule_must_not", help=t("calls.rule_lines_help")
    )
    if not words:
        return t("calls.rule_no_words")
    try:
        return ForbiddenClaim(
            id=name,
            reason=reason,
            patterns={
                lang: lines if regular else [pattern_of(line) for line in lines] for lang, lines in words.items()
            },
            severity=severity,
            status="draft",
            must_match=_lines(caught),
            must_not_match=_lines(let),
            source=_source(turn),
        )
    except ValidationError as error:
        return wrong(error)


def _rubric(campaign: Campaign, turn: TurnRecord, mark: Mark) -> RubricLine | str:
    """Let a line for the judges be written; return it, or what is wrong with it."""
    name = _name(turn)
    texts: dict[Language, str] = {}
    for language in campaign.languages:
        label = t("calls.rule_rubric", language=t(f"common.language_{language}"))
        typed = st.text_input(label, key=f"rule_rubric_{language}", help=t("calls.rule_rubric_help")).strip()
        if typed:
            texts[language] = typed
    if not texts:
        return t("calls.rule_no_text")
    try:
        return RubricLine(id=name, text=texts, source=_source(turn), status="draft")
    except ValidationError as error:
        return wrong(error)


def wrong(error: ValidationError) -> str:
    """Return what does not fit the schema, in words, safe to show as Markdown."""
    return " · ".join(in_words(replace(problem, loc=("", *problem.loc))) for problem in schema_problems(error))


def _keep(campaign: str, made: ForbiddenClaim | RubricLine, author: str, status: str) -> None:
    held = library().campaign_revision(campaign)
    field = "forbidden" if isinstance(made, ForbiddenClaim) else "rubric"
    fresh = made.model_copy(update={"status": status})
    if made.id in library().campaign_ids(campaign, field):
        st.error(t("calls.rule_taken", name=plain(made.id)))
        return
    if change(campaign, held, author, **{field: [*getattr(held, field), fresh]}):
        notice("rule_published" if status == "published" else "rule_saved")
        go(view="rules")
        st.rerun()
