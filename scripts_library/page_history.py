"""A script's versions: who, when, what; any two differ field by field; two clicks go back."""

import itertools

import streamlit as st

from graph.errors import SalesmanError
from scripts_library.page_state import notice
from scripts_library.schema import Script
from scripts_library.store import changed_fields
from ui.access import require
from ui.faults import fault
from ui.shared import library
from ui.text import plain, show
from ui.words import local_time, t

_SHOWN = ("title", "situation", "outline", "say")


def difference(old: Script, new: Script) -> None:
    """Show what two versions say otherwise, field by field."""
    names = [name for name in changed_fields(old, new) if name != "status"]
    if not names:
        st.caption(t("desk.no_difference"))
    for name in names:
        st.markdown(f"**{t(f'desk.field_{name}')}**")
        left, right = st.columns(2)
        for column, script, label in ((left, old, "desk.before"), (right, new, "desk.after")):
            with column:
                st.caption(t(label, version=script.version))
                show(said(script, name))


def said(script: Script, field: str) -> str:
    """Return a field as text, a list one item a line."""
    value = script.model_dump(mode="json")[field]
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "–"
    return str(value) if value not in (None, "") else "–"


def history(latest: Script, live: int | None) -> None:
    """Show the versions, newest first, each with what it changed and the way back to it."""
    st.subheader(t("desk.history"))
    revisions = library().history(latest.id)
    before = {new.script.version: old.script for old, new in itertools.pairwise(revisions)}
    for revision in reversed(revisions):
        script = revision.script
        label = t(
            "desk.revision",
            version=script.version,
            action=t(f"desk.did_{revision.action}"),
            author=plain(revision.author or "–"),
            at=local_time(revision.at),
        )
        mark = t("desk.heard_now") if script.version == live else ""
        with st.expander(
            f"{label} {mark}", key=f"version_{script.version}", expanded=_asked(script) in st.session_state
        ):
            if script.version in before:
                difference(before[script.version], script)
            else:
                st.caption(t("desk.first_version"))
                for name in _SHOWN:
                    st.markdown(f"**{t(f'desk.field_{name}')}**")
                    show(said(script, name))
            if script.version != latest.version:
                _back_to(script, latest, live)


def _asked(script: Script) -> str:
    """Return what marks that a version was asked back, and that the second click is awaited."""
    return f"_back_{script.id}_{script.version}"


def _back_to(script: Script, latest: Script, live: int | None) -> None:
    asked = _asked(script)
    if asked not in st.session_state:
        if st.button(t("desk.go_back", version=script.version), key=f"back_{script.version}"):
            st.session_state[asked] = True
            st.rerun()
        return
    draft = "desk.go_back_draft" if live is None else "desk.go_back_draft_heard"
    st.caption(t("desk.go_back_heard" if script.status == "published" else draft, version=script.version, live=live))
    if st.button(t("desk.go_back_now"), key=f"back_now_{script.version}", type="primary"):
        author = require("editor").name
        del st.session_state[asked]
        try:
            library().roll_back(latest.id, script.version, latest.version, author)
        except SalesmanError as error:
            st.error(plain(fault(error)))
            return
        notice(t("desk.went_back", version=script.version))
        st.rerun()
