"""`salesman marks export | outcomes | outbox send | outbox list`: what calls leave for others."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from graph.errors import BadInput, SalesmanError
from graph.settings import get_settings
from graph.terminal import dump, note, say
from scripts_library.database import engine_for

marks_app = typer.Typer(help="Good and bad marks on turns.", no_args_is_help=True)
outbox_app = typer.Typer(help="Outcomes on their way to the webhook.", no_args_is_help=True)


def _write(path: Path, text: str, encoding: str = "utf-8") -> None:
    try:
        path.write_text(text, encoding=encoding, newline="")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from error


@marks_app.command("export")
def export_marks(
    path: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Written anew.")],
    use: Annotated[
        Literal["training", "evaluation"],
        typer.Option("--for", help="Preference and SFT rows for training, or the bad-case bank for evaluation."),
    ],
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Only this campaign.")] = "",
) -> None:
    """Write marked turns as JSON lines; they hold what customers said, personal data included."""
    from graph.calls import CallStore
    from graph.export import json_lines, mark_rows

    rows = mark_rows(CallStore(engine_for(get_settings())), use, campaign)
    _write(path, json_lines(rows))
    say(f"{path}: {len(rows)} rows")


def outcomes(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Written anew.")],
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Only this campaign.")] = "",
) -> None:
    """Write the outcomes of all calls as CSV for a spreadsheet."""
    from graph.calls import CallStore
    from graph.export import outcomes_csv

    text = outcomes_csv(CallStore(engine_for(get_settings())).engine, campaign)
    _write(path, text, "utf-8-sig")
    say(f"{path}: {text.count(chr(13)) - 1} calls")


@outbox_app.command("send")
def send_outbox() -> None:
    """Send now what the webhook has not taken yet, without waiting for pauses after failed attempts."""
    from graph.calls import CallStore
    from graph.outbox import Outbox, Receiver

    settings = get_settings()
    receiver = Receiver.of(settings)
    if receiver is None:
        raise BadInput("SALESMAN_WEBHOOK_URL is not set: there is nobody to send outcomes to.")
    CallStore(engine_for(settings))
    taken, failed = Outbox(settings, receiver).send_due(now=True)
    say(f"sent {taken}, not taken {failed}")
    if failed:
        raise SalesmanError("The webhook did not take all outcomes; they stay: `salesman outbox list` tells why.")


@outbox_app.command("list")
def list_outbox(
    everything: Annotated[bool, typer.Option("--all", help="Also what was taken.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a message.")] = False,
) -> None:
    """List outcomes that the webhook has not taken yet, oldest first, at most 100."""
    from dataclasses import asdict

    from graph.calls import CallStore
    from graph.outbox import messages

    found = messages(CallStore(engine_for(get_settings())).engine, unsent=not everything)
    for message in found:
        if as_json:
            dump(asdict(message))
        else:
            state = f"sent {message.sent_at}" if message.sent_at else f"{message.attempts} attempts  {message.error}"
            say(f"{message.id}  {message.at}  call {message.call}  {message.status}  {state}")
    if not found and not as_json:
        note("The outbox is empty.")
