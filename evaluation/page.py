"""The page "Quality": runs with simulated customers, how well customers are understood, and answers that were marked bad."""

import streamlit as st

from evaluation.page_bad_answers import bad_answers
from evaluation.page_rating import rating
from evaluation.page_report import choose_run, run_report
from evaluation.page_understanding import understanding
from ui.access import may, require
from ui.words import t

require("viewer")
st.title(t("common.page_evaluation"))
st.caption(t("quality.intro"))
about_runs, about_lines, about_answers = st.tabs(
    [t("quality.tab_runs"), t("quality.tab_understanding"), t("quality.tab_bad_answers")]
)
with about_runs:
    run = choose_run()
    ways = {"report": t("quality.way_report"), "rating": t("quality.way_rating")}
    way = "report"
    if run and may("supervisor"):
        way = st.segmented_control(
            t("quality.way"), list(ways), format_func=ways.__getitem__, default="report", key="run_way", required=True
        )
    if run and way == "rating":
        rating(run)
    elif run:
        run_report(run)
with about_lines:
    understanding()
with about_answers:
    bad_answers()
