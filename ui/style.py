"""The few rules of looks that Streamlit's theme has no name for; a constant, never made from data."""

import streamlit as st

_STYLE = """<style>
.stMainBlockContainer { padding-top: 2.5rem; padding-bottom: 3rem; max-width: 72rem; }
@media (max-width: 640px) { .stMainBlockContainer { padding-top: 4rem; } }
</style>"""


def style() -> None:
    """Apply them to the page that is drawn."""
    st.html(_STYLE)
