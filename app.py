"""The application's entry: navigation and the chat page; the other pages live in the packages they show."""

import streamlit as st

from ui.access import may, require, sign_out_button
from ui.words import choose_language, t


def chat() -> None:
    """Hold a call as the customer."""
    require("viewer")
    st.title(t("common.page_chat"))


st.set_page_config(page_title="AI Salesman", page_icon=":material/forum:", layout="wide")
with st.sidebar:
    choose_language()
pages = [
    st.Page(chat, title=t("common.page_chat"), icon=":material/forum:", url_path="chat", default=True),
    st.Page(
        "scripts_library/page.py",
        title=t("common.page_desk"),
        icon=":material/edit_note:",
        url_path="desk",
        visibility="visible" if may("editor") else "hidden",
    ),
    st.Page("graph/page.py", title=t("common.page_calls"), icon=":material/call:", url_path="calls"),
    st.Page("evaluation/page.py", title=t("common.page_evaluation"), icon=":material/fact_check:", url_path="quality"),
]
page = st.navigation(pages)
with st.sidebar:
    sign_out_button()
page.run()
