"""Translate a script into the campaign's other language, as a draft."""

from collections.abc import Callable

import streamlit as st

from graph.settings import Settings
from scripts_library.library import Library
from scripts_library.page_state import campaign_data, go, notice
from scripts_library.schema import Language, Script
from scripts_library.translate import translate
from serving.chat import load_chat_model
from ui.access import require
from ui.jobs import Progress, show_job, start_job
from ui.shared import library, settings
from ui.words import t


def translate_button(script: Script) -> None:
    """Offer the other languages of the campaign; the translation is opened when the model has written it."""
    for language in campaign_data(script.campaign).campaign.languages:
        label = t("desk.translate", language=t(f"common.language_{language}"))
        if language != script.language and st.button(label, key=f"translate_{language}", help=t("desk.translate_help")):
            author = require("editor").name
            start_job("translate", t("desk.translating"), _work(library(), settings(), script.id, language, author))
    made = show_job("translate")
    if made is not None:
        notice(t("desk.translated"))
        go(script=made.id)


def _work(door: Library, known: Settings, script: str, language: Language, author: str) -> Callable[[Progress], Script]:
    return lambda progress: translate(door, script, language, load_chat_model(known), author, progress)
