"""A page of the application."""

import streamlit as st

from ui.access import require

require("editor")
st.title("…")
