"""The calls page: all calls, one call, and the rules that came of bad answers; the address says which."""

import streamlit as st

from graph import page_call, page_list, page_rule
from ui.access import require


def main() -> None:
    """Show what the address asks for: `?call=ID` a call (`&turn=N` one of its turns, `&rule=1` a rule from it), else the list."""
    require("viewer")
    call = st.query_params.get("call", "")
    if call and "rule" in st.query_params:
        page_rule.draft_page(call, page_call.asked_turn())
    elif call:
        page_call.call_page(call)
    else:
        page_list.list_page()


main()
