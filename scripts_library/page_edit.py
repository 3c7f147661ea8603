"""One script in the desk: edit, compare, publish, archive, take back; and a new one."""

from typing import Any

import streamlit as st

from graph.errors import SalesmanError, StaleEdit
from graph.works import recent_lines
from scripts_library.page_fields import FIELDS, faults, fields, load_fields, typed
from scripts_library.page_guard import stopped_lines
from scripts_library.page_history import difference, history
from scripts_library.page_state import (
    campaign_data,
    free_id,
    go,
    intents_of,
    notice,
    place_of,
    show_notice,
    stages,
    status_of,
)
from scripts_library.page_translate import translate_button
from scripts_library.page_try import try_draft
from scripts_library.schema import STAGES, Script
from scripts_library.store import changed_fields
from ui.access import require
from ui.faults import fault
from ui.shared import calls, library
from ui.text import plain, show
from ui.words import t


def edit_script(script_id: str) -> None:
    """Show a script's form, what customers hear of it, and its history."""
    try:
        latest = library().get(script_id)
    except SalesmanError as error:
        st.error(plain(fault(error)))
        if st.button(t("desk.back"), key="back"):
            go()
        return
    data = campaign_data(latest.campaign)
    live = next(
        (head.published_version for head in library().heads(latest.campaign) if head.script.id == script_id), None
    )
    if st.button(t("desk.back"), key="back", icon=":material/arrow_back:", type="tertiary"):
        go(campaign=latest.campaign)
    st.title(plain(latest.title))
    st.caption(f"{place_of(latest, data)} · {status_of(latest, live)} · {plain(script_id)}")
    show_notice()
    slot = f"edit_{script_id}"
    base = st.session_state.setdefault(f"_{slot}_base", latest)
    if base.version != latest.version and not _stale(slot, base, latest):
        return
    load_fields(slot, base)
    fields(slot, data, base.language, st.session_state)
    wrong = faults(slot, base, data)
    for line in wrong:
        st.error(line, icon=":material/error:")
    for line in stopped_lines(data, base.language, typed(slot)["say"]):
        st.warning(line, icon=":material/shield:")
    _actions(slot, base, live, changed=bool(_changes(slot, base)), sound=not wrong)
    try_draft(latest, unsaved=bool(_changes(slot, base)))
    history(latest, live)


def _changes(slot: str, base: Script) -> dict[str, Any]:
    """Return the fields that the form says otherwise than the version it began with."""
    said = typed(slot)
    return {name: value for name, value in said.items() if value != base.model_dump()[name]}


def _actions(slot: str, base: Script, live: int | None, *, changed: bool, sound: bool) -> None:
    with st.container(horizontal=True):
        if st.button(t("desk.save"), key="save", type="primary") and sound:
            if changed:
                _save(slot, base, live)
            st.info(t("desk.nothing_to_save"))
        ready = base.status == "draft" and not changed and sound
        if st.button(t("desk.publish"), key="publish", disabled=not ready, help=t("desk.publish_help")):
            st.session_state[f"_{slot}_publishing"] = True
        if base.status != "archived" and st.button(
            t("desk.archive"), key="archive", help=t("desk.archive_help"), disabled=changed
        ):
            require("editor")
            _do(slot, lambda author: library().archive(base.id, base.version, author), t("desk.archived"))
        if st.button(t("desk.duplicate"), key="duplicate"):
            forget("new")
            go(campaign=base.campaign, new="1", copy=base.id)
        translate_button(base)
    if changed:
        st.caption(t("desk.unsaved"))
    if st.session_state.get(f"_{slot}_publishing") and ready:
        _publish(slot, base, live)


def _publish(slot: str, base: Script, live: int | None) -> None:
    """Show what customers will hear otherwise, then publish."""
    with st.container(border=True):
        st.subheader(t("desk.publish_title"))
        if live is None:
            st.caption(t("desk.publish_first"))
            show("\n".join(base.say))
        else:
            difference(library().get(base.id, live), base)
        with st.container(horizontal=True):
            if st.button(t("desk.publish_now"), key="publish_now", type="primary"):
                require("editor")
                _do(slot, lambda author: library().publish(base.id, base.version, author), t("desk.published"))
            if st.button(t("desk.not_now"), key="publish_not"):
                st.session_state[f"_{slot}_publishing"] = False
                st.rerun()


def _save(slot: str, base: Script, live: int | None) -> None:
    require("editor")
    changes = _changes(slot, base)
    _do(
        slot,
        lambda author: library().revise(base.id, base.version, author, **changes),
        t("desk.saved_heard" if live else "desk.saved"),
        keep=True,
    )


def _do(slot: str, action: Any, done: str, *, keep: bool = False) -> None:
    """Write something, and begin anew from what was written; a newer edit of somebody else's is shown, never overwritten."""
    author = require("editor").name
    try:
        action(author)
    except StaleEdit:
        if not keep:
            forget(slot)
            notice(t("desk.changed_meanwhile"), fine=False)
        st.rerun()
    except SalesmanError as error:
        st.error(plain(fault(error)))
        return
    forget(slot)
    notice(done)
    st.rerun()


def forget(slot: str) -> None:
    """Drop what a form holds: the next drawing reads the library anew."""
    for key in [key for key in st.session_state if str(key).startswith((f"_{slot}_", f"{slot}_"))]:
        del st.session_state[key]


def _stale(slot: str, base: Script, latest: Script) -> bool:
    """Show somebody else's newer version beside what was typed; return whether to go on with the form."""
    mine = _changes(slot, base) if f"_{slot}_typed" in st.session_state else {}
    theirs = changed_fields(base, latest)
    if not mine:
        forget(slot)
        st.rerun()
    st.warning(t("desk.stale", author=plain(latest.author or "?"), version=latest.version))
    for name in FIELDS:
        if name in mine or name in theirs:
            st.markdown(f"**{t(f'desk.field_{name}')}**")
            left, right = st.columns(2)
            with left:
                st.caption(t("desk.yours"))
                show(_said(mine.get(name, base.model_dump()[name])))
            with right:
                st.caption(t("desk.theirs", version=latest.version))
                show(_said(latest.model_dump()[name]))
    with st.container(horizontal=True):
        if st.button(t("desk.take_theirs"), key="take_theirs"):
            forget(slot)
            st.rerun()
        if st.button(t("desk.put_mine_on_top"), key="put_mine_on_top", type="primary"):
            require("editor")
            st.session_state[f"_{slot}_base"] = latest
            _do(slot, lambda author: library().revise(latest.id, latest.version, author, **mine), t("desk.saved"))
    return False


def _said(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value if value is not None else "")


def new_script(campaign: str) -> None:
    """Write a new script: empty, copied, or begun with what a customer said."""
    asked, data = st.query_params, campaign_data(campaign)
    if st.button(t("desk.back"), key="back", icon=":material/arrow_back:", type="tertiary"):
        go()
    st.title(t("desk.new_title"))
    begun_with = {name: value for name, value in asked.to_dict().items() if name != "new"}
    if st.session_state.get("_new_begun_with", begun_with) != begun_with:
        forget("new")
    st.session_state["_new_begun_with"] = begun_with
    languages = list(data.campaign.languages)
    try:
        copy = library().get(asked["copy"]) if asked.get("copy") else None
    except SalesmanError as error:
        st.error(plain(fault(error)))
        return
    wanted = copy.language if copy else asked.get("language", languages[0])
    language = st.segmented_control(
        t("desk.field_language"),
        languages,
        default=wanted if wanted in languages else languages[0],
        format_func=lambda name: t(f"common.language_{name}"),
        key="new_language",
        required=True,
    )
    begun = {
        "stage": asked.get("stage") if asked.get("stage") in STAGES else "objection",
        "intent": asked.get("intent") if asked.get("intent") in intents_of(data) else "any",
        "situation": [asked["line"]] if asked.get("line") else [],
    }
    load_fields("new", copy or begun)
    _pick_line(campaign, str(language))
    fields("new", data, str(language), st.session_state)
    said = typed("new")
    taken = [head.script.id for head in library().heads()]
    fresh = {"id": free_id(campaign, str(language), said["stage"], said["intent"], taken), "campaign": campaign}
    fresh |= {"language": language, "source": _source(asked), **said}
    wrong = faults("new", fresh, data)
    for line in stopped_lines(data, language, said["say"]):
        st.warning(line, icon=":material/shield:")
    pressed = st.button(t("desk.save_draft"), key="save_new", type="primary")
    if pressed or said["title"] or said["say"]:
        for line in wrong:
            st.error(line, icon=":material/error:")
    if pressed and not wrong:
        author = require("editor").name
        try:
            saved = library().add(Script.model_validate(fresh), author)
        except SalesmanError as error:
            st.error(plain(fault(error)))
            return
        forget("new")
        notice(t("desk.saved_new"))
        go(script=saved.id)
    if wrong and not (pressed or said["title"] or said["say"]):
        st.caption(t("desk.fill_in", stage=stages()[said["stage"]]))


def _source(asked: Any) -> str:
    if asked.get("copy"):
        return f"copied from {asked['copy']}"[:300]
    return f"a customer said: {asked['line']}"[:300] if asked.get("line") else ""


def _pick_line(campaign: str, language: str) -> None:
    """Offer recorded customers' lines to begin with."""
    lines = [heard.line for heard in recent_lines(calls().engine, campaign, language=language, limit=200)]

    def take() -> None:
        picked = st.session_state["new_line"]
        held = st.session_state.get("new_situation", "")
        if picked and picked not in held.splitlines():
            st.session_state["new_situation"] = f"{held}\n{picked}".strip()

    if lines:
        st.selectbox(
            t("desk.pick_line"), lines, index=None, key="new_line", on_change=take, placeholder=t("desk.pick_line_hint")
        )
