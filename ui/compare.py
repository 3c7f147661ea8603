"""The same customer line answered in two ways, side by side; nothing of it is kept in the call."""

from typing import Any, cast, get_args

import streamlit as st

from graph.errors import SalesmanError
from graph.records import Answering, ConversationRecord, TurnRecord
from nodes.release import join
from ui.chat_start import model_name
from ui.shared import calls, models
from ui.text import plain, show
from ui.turns import trouble_of
from ui.why import explain
from ui.words import t

WAYS: tuple[Answering, ...] = get_args(Answering)
COMPARED = "_compared"
SIDES = ("left", "right")


def compare(record: ConversationRecord) -> None:
    """Ask for a line and two ways to answer, and show both answers in the present state of the call.

    Args:
        record: The call as it stands.
    """
    st.caption(t("chat.compare_help"))
    last = next((turn["customer"] for turn in reversed(record["turns"]) if turn["customer"]), "")
    typed = st.text_input(t("chat.compare_line"), placeholder=last, key="compare_line", max_chars=2000).strip()
    line = typed or last
    columns = dict(zip(SIDES, st.columns(2), strict=True))
    chosen = {side: _choose(side, columns[side], number) for number, side in enumerate(SIDES)}
    if st.button(t("chat.compare_run"), key="compare_run", type="primary", icon=":material/compare_arrows:"):
        if line:
            st.session_state[COMPARED] = (record["call"], _answer(record, line, chosen))
        else:
            st.warning(t("chat.compare_empty"))
    of, answers = st.session_state.get(COMPARED, ("", {}))
    if of == record["call"]:
        for side, column in zip(SIDES, st.columns(2), strict=True):
            with column:
                _show(answers[side], record["campaign"])


def _choose(side: str, place: Any, number: int) -> tuple[Answering, str]:
    """Let one side's way and model be chosen; the sides begin with different ways."""
    place.markdown(f"**{t(f'chat.compare_{side}')}**")
    way = place.selectbox(
        t("chat.compare_way"), WAYS, index=number, format_func=lambda one: t(f"chat.way_{one}"), key=f"way_{side}"
    )
    model = place.selectbox(t("chat.model"), models(), key=f"model_{side}", format_func=model_name)
    return cast(Answering, way), model or ""


def _answer(
    record: ConversationRecord, line: str, chosen: dict[str, tuple[Answering, str]]
) -> dict[str, TurnRecord | str]:
    """Return each side's turn, or the line that says why there is none; the sides speak one after the other."""
    answers: dict[str, TurnRecord | str] = {}
    spoken = record["turns"][-1]["why"].get("language", "") if record["turns"] else record["language"]
    places = dict(zip(SIDES, [column.empty() for column in st.columns(2)], strict=True))
    for side, (way, model) in chosen.items():
        said: list[str] = []
        place = places[side]
        place.text("…")

        def heard(sentence: str, said: list[str] = said, place: Any = place) -> None:
            said.append(sentence)
            place.text(join(said, spoken))

        try:
            answers[side] = calls(model).preview(
                record["campaign"], line, call=record["call"], answering=way, on_sentence=heard
            )
        except SalesmanError as error:
            answers[side] = t(f"chat.notice_{'model' if trouble_of(error) == 'model' else 'failed'}")
        place.empty()
    return answers


def _show(answer: TurnRecord | str, campaign: str) -> None:
    if isinstance(answer, str):
        st.warning(answer)
        return
    with st.chat_message("user"):
        show(answer["customer"])
    with st.chat_message("assistant"):
        show(answer["reply"])
        way = t(f"chat.way_{answer['why'].get('answering', 'scripts')}")
        speaker = answer["why"]["model"] if answer["source"] in ("model", "repair") else t("chat.source_script")
        st.caption(plain(f"{way} · {speaker}"))
    with st.expander(t("chat.why")):
        explain(answer, campaign)
