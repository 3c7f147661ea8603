"""Text of customers, managers and models is shown as text: never as Markdown, never as HTML."""

import re

import streamlit as st

_JOINER = "\u2060"
"""A zero-width sign that keeps what Markdown finds after unescaping (links, addresses, :shortcodes:) from being found."""
_SIGNS = re.compile(r"([\\&`*_{}\[\]()#+.!|<>~$\-])")
_FOUND_LATE = re.compile(
    r":(?=[\w/+\-])|(?<=www)(?=\\?\.)|(?=@)|(?<=\\-)(?=\\[>\-])|(?<=\\<)(?=\\-)|(?<=[<>~])(?==)", re.IGNORECASE
)


def plain(text: object) -> str:
    """Return text made harmless for every place that renders Markdown: labels, captions, messages, tabs.

    Args:
        text: Anything; its `str` is used. Line ends become spaces.

    Returns:
        Markdown that shows exactly these characters, and no link, image, emoji or formula.
    """
    one_line = " ".join(str(text).split())
    escaped = _SIGNS.sub(r"\\\1", one_line)
    return _FOUND_LATE.sub(lambda match: match.group() + _JOINER, escaped)


def show(text: object) -> None:
    """Write text as it is; it wraps, and nothing in it is rendered."""
    st.text(str(text), width="stretch")
