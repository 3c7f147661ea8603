"""Files for other tools: outcomes as CSV for spreadsheets, marks as JSON lines for training and evaluation."""

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, Literal

from sqlalchemy import Engine, func, select

from graph.call_tables import call_state, call_table, turn_fact
from graph.calls import CallStore
from graph.marks import MarkedTurn, marked_turns
from graph.records import TurnRecord

Use = Literal["training", "evaluation"]
COLUMNS = (
    "call", "campaign", "language", "strategy", "model", "started_at", "last_at", "ended", "outcome", "stage", "turns", "need",
    "objections", "objections_settled", "offers", "agreed", "agreed_when", "agreed_contact", "agreed_amount", "next_step",
)  # fmt: skip


def outcomes_csv(engine: Engine, campaign: str = "") -> str:
    """Return all calls with their outcomes as CSV, newest first, as they are kept: with contacts that customers left.

    Cells that a spreadsheet would take for a formula begin with an apostrophe.
    """
    out = StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in _outcomes(engine, campaign):
        writer.writerow({name: cell(value) for name, value in row.items()})
    return out.getvalue()


def cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet runs.

    Example:
        >>> cell("=1+1")
        "'=1+1"
    """
    text = str(value)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r", "\n") else text


def _outcomes(engine: Engine, campaign: str) -> Iterator[dict[str, object]]:
    turns = select(turn_fact.c.call, func.count().label("turns")).group_by(turn_fact.c.call).subquery()
    query = select(call_table, call_state.c.stage, call_state.c.last_at, turns.c.turns)
    query = query.outerjoin(call_state, call_state.c.call == call_table.c.id)
    query = query.outerjoin(turns, turns.c.call == call_table.c.id).order_by(call_table.c.started_at.desc())
    if campaign:
        query = query.where(call_table.c.campaign == campaign)
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    for row in rows:
        outcome = json.loads(row["outcome"])
        agreed = outcome["commitment"]
        yield {
            "call": row["id"],
            **{name: row[name] for name in ("campaign", "language", "strategy", "model", "started_at", "ended")},
            "last_at": row["last_at"] or "",
            "outcome": outcome["status"],
            "stage": row["stage"] or "",
            "turns": row["turns"] or 0,
            "need": "; ".join(f"{name}: {value}" for name, value in outcome["need"].items()),
            "objections": "; ".join(entry["intent"] for entry in outcome["objections"]),
            "objections_settled": sum(entry["resolved_at"] is not None for entry in outcome["objections"]),
            "offers": "; ".join(str(offer["fact"]) for offer in outcome["offers"]),
            "agreed": agreed.get("what", ""),
            "agreed_when": agreed.get("when", ""),
            "agreed_contact": agreed.get("contact", ""),
            "agreed_amount": agreed.get("amount", ""),
            "next_step": outcome["next_step"],
        }


def mark_rows(store: CallStore, use: Use, campaign: str = "") -> list[dict[str, Any]]:
    """Return the marks that count as rows, with what customers said as they said it.

    Args:
        store: Calls and marks.
        use: `training`: a bad mark with a better reply is a preference row in TRL's columns (`prompt`, `chosen`, `rejected`), a good
            one a row for SFT (`prompt`, `completion`); `kind` tells them apart. `evaluation`: bad marks as a bank of bad cases.
        campaign: Only this one's.

    Returns:
        A row each, oldest first. Training leaves out bad marks without a better reply, and turns that answer no line of the customer.
    """
    rows = (
        _training(store, entry) if use == "training" else _bad_case(store, entry)
        for entry in marked_turns(store.engine, campaign)
    )
    return [row for row in rows if row]


def json_lines(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as JSON, one a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _messages(turns: Iterable[TurnRecord], last: str) -> list[dict[str, str]]:
    """Return the conversation before a reply as a chat: neighbours of one side are one message."""
    said = [pair for turn in turns for pair in (("user", turn["customer"]), ("assistant", turn["reply"]))]
    messages: list[dict[str, str]] = []
    for role, content in [*said, ("user", last)]:
        if messages and content and messages[-1]["role"] == role:
            messages[-1]["content"] += "\n" + content
        elif content:
            messages.append({"role": role, "content": content})
    return messages


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _before(store: CallStore, entry: MarkedTurn) -> tuple[list[TurnRecord], TurnRecord]:
    turns = store.record(entry.call)["turns"]
    number = entry.mark["turn"]
    return [turn for turn in turns if turn["turn"] < number], next(turn for turn in turns if turn["turn"] == number)


def _training(store: CallStore, entry: MarkedTurn) -> dict[str, Any] | None:
    mark = entry.mark
    if not entry.customer or (mark["verdict"] == "bad" and not mark["better"]):
        return None
    earlier, turn = _before(store, entry)
    row = {
        "call": entry.call,
        "turn": mark["turn"],
        "campaign": entry.campaign,
        "language": turn["why"].get("language", ""),
    }
    prompt = _messages(earlier, entry.customer)
    if mark["verdict"] == "good":
        return {"kind": "sft", **row, "prompt": prompt, "completion": _said(entry.reply)}
    return {
        "kind": "preference",
        **row,
        "prompt": prompt,
        "chosen": _said(mark["better"]),
        "rejected": _said(entry.reply),
    }


def _bad_case(store: CallStore, entry: MarkedTurn) -> dict[str, Any] | None:
    mark = entry.mark
    if mark["verdict"] != "bad":
        return None
    earlier, turn = _before(store, entry)
    return {
        "call": entry.call,
        "turn": mark["turn"],
        "campaign": entry.campaign,
        "language": turn["why"].get("language", ""),
        "stage": turn["stage"],
        "intent": turn["intent"],
        "messages": _messages(earlier, ""),
        "customer": entry.customer,
        "reply": entry.reply,
        "reason": mark["reason"],
        "better": mark["better"],
        "author": mark["author"],
    }
