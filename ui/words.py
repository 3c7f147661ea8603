"""The interface's words, in English and Chinese: data in `ui/words/*.yaml`, read by key."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast
from zoneinfo import ZoneInfo

import streamlit as st
import yaml

Language = Literal["en", "zh"]
LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}
FOLDER = Path(__file__).with_name("words")
_CHOSEN = "interface_language"


def language() -> Language:
    """Return the session's language: the one chosen, else the browser's."""
    chosen = st.session_state.get(_CHOSEN)
    if chosen is None:
        chosen = "zh" if (st.context.locale or "").lower().startswith("zh") else "en"
        st.session_state[_CHOSEN] = chosen
    return cast(Language, chosen)


def choose_language() -> None:
    """Show the choice of the interface's language; it survives a change of page and, in the address, a reload."""
    asked = st.query_params.get("lang")
    if asked in LANGUAGES and _CHOSEN not in st.session_state:
        st.session_state[_CHOSEN] = asked
    names = list(LANGUAGES)

    def keep() -> None:
        st.session_state[_CHOSEN] = st.session_state["language_choice"]

    st.segmented_control(
        "Language / 语言",
        names,
        default=language(),
        format_func=lambda name: LANGUAGES[name],
        key="language_choice",
        on_change=keep,
        required=True,
        label_visibility="collapsed",
    )


def t(key: str, **values: object) -> str:
    """Return a text of the interface in the session's language.

    Args:
        key: `<file>.<name>`, e.g. `desk.publish`: the entry `publish` of `ui/words/desk.yaml`.
        values: What fills its {placeholders}. Where the text is shown as Markdown, pass untrusted values through `ui.text.plain`.

    Raises:
        KeyError: There is no such text.
    """
    file, _, name = key.partition(".")
    text = words(file)[name][language()]
    return text.format(**values) if values else text


@lru_cache
def words(file: str) -> dict[str, dict[Language, str]]:
    """Return one file of words: name → language → text."""
    return cast(dict[str, dict[Language, str]], yaml.safe_load((FOLDER / f"{file}.yaml").read_text(encoding="utf-8")))


def local_time(moment: str) -> str:
    """Return a recorded time as the session's clock shows it."""
    zone = ZoneInfo(st.context.timezone) if st.context.timezone else UTC
    return datetime.fromisoformat(moment).astimezone(zone).strftime("%Y-%m-%d %H:%M")
