"""The application's entry: navigation and the chat page; the other pages live in the packages they show."""

from pathlib import Path

import streamlit as st

from ui.access import may, require, sign_out_button
from ui.chat_call import call_page, turn_to_watch, watch
from ui.chat_start import chosen_call, header_of, leave_call, notice, start_page
from ui.style import style
from ui.text import plain
from ui.words import choose_language, language, t

ICON = Path(__file__).parent / "ui" / "icon.png"


def chat() -> None:
    """Hold a call as the customer: choose one, greet, talk."""
    require("viewer")
    call = chosen_call()
    header = header_of(call) if call else None
    if header is not None:
        call_page(call, header)
        return
    greeting = turn_to_watch(call)
    if greeting:
        st.title(t("chat.starting"))
        watch(greeting, language())
    if call:
        if "_notice" not in st.session_state:
            notice("unknown_call", call=plain(call))
        leave_call()
    start_page()


st.set_page_config(page_title="AI Salesman", page_icon=str(ICON), layout="wide")
style()
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
