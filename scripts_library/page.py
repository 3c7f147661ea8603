"""The script desk: sales managers find, write, try, publish and take back what the agent says."""

import streamlit as st

from scripts_library.page_browse import browse_tab
from scripts_library.page_campaign import campaign_tab
from scripts_library.page_coverage import coverage_tab
from scripts_library.page_edit import edit_script, new_script
from scripts_library.page_files import files_tab
from scripts_library.page_state import TABS, campaign_data, go, show_notice
from scripts_library.page_try import try_tab
from scripts_library.page_works import works_tab
from ui.access import require
from ui.shared import library
from ui.text import plain
from ui.why import named
from ui.words import t


def desk() -> None:
    """Draw the place that the address names."""
    require("editor")
    asked = st.query_params
    if script := asked.get("script"):
        edit_script(script)
        return
    campaign = _campaign()
    if "new" in asked:
        new_script(campaign)
        return
    st.title(t("common.page_desk"))
    show_notice()
    _choose(campaign)
    views = {
        "scripts": browse_tab,
        "coverage": coverage_tab,
        "try": try_tab,
        "works": works_tab,
        "campaign": campaign_tab,
        "files": files_tab,
    }
    views[_tab()](campaign)


def _campaign() -> str:
    """Return the campaign of the address, else the first."""
    names = library().campaigns()
    asked = st.query_params.get("campaign", "")
    return asked if asked in names else names[0]


def _choose(campaign: str) -> None:
    names = library().campaigns()
    titles = {name: plain(named(campaign_data(name).campaign.title)) for name in names}
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    chosen = left.selectbox(
        t("desk.campaign"),
        names,
        index=names.index(campaign),
        format_func=lambda name: titles[name],
        key="desk_campaign",
    )
    if chosen != campaign:
        st.query_params["campaign"] = chosen
        st.rerun()
    if right.button(t("desk.new"), key="desk_new", type="primary", icon=":material/add:", width="stretch"):
        go(new="1")


def _tab() -> str:
    """Show the tabs; only the chosen one is drawn, so that a page costs what it shows."""
    asked = st.query_params.get("tab", TABS[0])
    current = asked if asked in TABS else TABS[0]
    chosen = st.segmented_control(
        t("desk.view"),
        TABS,
        default=current,
        format_func=lambda tab: t(f"desk.tab_{tab}"),
        key=f"desk_tab_{current}",
        label_visibility="collapsed",
        required=True,
    )
    if chosen is not None and chosen != current:
        st.query_params["tab"] = chosen
        st.rerun()
    return current


desk()
