"""The page "Quality": how well customers are understood, and what became of answers that were marked bad."""

import streamlit as st

from evaluation.page_bad_answers import bad_answers
from evaluation.page_understanding import understanding
from ui.access import require
from ui.words import t

require("viewer")
st.title(t("common.page_evaluation"))
st.caption(t("quality.intro"))
about_lines, about_answers = st.tabs([t("quality.tab_understanding"), t("quality.tab_bad_answers")])
with about_lines:
    understanding()
with about_answers:
    bad_answers()
