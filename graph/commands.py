"""`salesman chat | demo | show | export`: calls on the command line."""

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
import yaml

from graph.errors import BadInput, CallEnded
from graph.records import TurnRecord
from graph.settings import get_settings
from graph.terminal import describe, describe_outcome, dump, note, say
from scripts_library.loading import bundled

CampaignOption = Annotated[str, typer.Option("--campaign", "-c", help="Campaign of the library.")]
LanguageOption = Annotated[
    str, typer.Option("--language", "-l", help="`en` or `zh` for the whole call; else the reply follows the customer.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: one line a customer line.")]


def _lines(prompt: str) -> Iterator[str]:
    """Read the customer's lines, with a prompt when a person types them."""
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            say(prompt, end="")
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def _profile(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise BadInput(f"--profile {wrong[0]!r}: write it as name=value, e.g. --profile shop_type=restaurant.")
    return dict(pair.split("=", 1) for pair in pairs)


class _Screen:
    """Shows a call as it goes."""

    def __init__(self, *, as_json: bool, why: bool) -> None:
        self.as_json, self.why = as_json, why
        self._said = ""

    def sentence(self, text: str) -> None:
        if not self.as_json:
            gap = "" if self._said.endswith(tuple("。！？”…")) else " "
            say(f"{gap}{text}" if self._said else f"Agent: {text}", end="")
            self._said = text

    def record(self, turn: TurnRecord) -> None:
        if self.as_json:
            if turn["turn"] > 0:
                dump(turn)
            return
        say("" if self._said else f"Agent: {turn['reply']}")
        self._said = ""
        if self.why:
            for line in describe(turn):
                say(f"    {line}")
        say()


def hold(
    campaign: str, lines: Iterable[str], *, call: str, language: str, profile: dict[str, str], contact: str,
    as_json: bool, why: bool, echo: bool = False,
) -> str:  # fmt: skip
    """Hold a call over lines of the customer, and return its id.

    A call that is continued first finishes what a killed process left; if the first line then repeats that turn's line, it is
    taken as its retry and gets the same answer.
    """
    from graph.session import Calls

    calls = Calls()
    screen = _Screen(as_json=as_json, why=why)
    left: TurnRecord | None = None
    if call and calls.store.exists(call):
        held = calls.store.header(call)["campaign"]
        if campaign and held != campaign:
            raise BadInput(f"Call {call} belongs to campaign {held}, not {campaign}; leave --campaign away.")
        calls.warm_up(held)
        left = calls.recover(call, on_record=screen.record)
    else:
        if not campaign:
            raise BadInput(f"--campaign is missing; there are: {', '.join(calls.resources.library.campaigns())}.")
        opening = calls.start(
            campaign,
            call=call or None,
            language=language or None,
            profile=profile,
            contact=contact,
            on_sentence=screen.sentence,
        )
        screen.record(opening)
        call = opening["call"]
    for line in lines:
        if left and line == left["customer"]:
            screen.record(left)
            left = None
            continue
        left = None
        if echo:
            say(f"Customer: {line}")
        try:
            turn = calls.turn(call, line, on_sentence=screen.sentence, on_record=screen.record)
        except CallEnded as error:
            note(f"salesman: {error} The remaining lines were not read.")
            break
        if turn["outcome"] == "opted_out" or (turn["ended"] and (echo or sys.stdin.isatty())):
            break
    return call


def chat(
    campaign: CampaignOption = "",
    language: LanguageOption = "",
    call: Annotated[str, typer.Option("--call", help="Id of a call to continue, or of the new one.")] = "",
    profile: Annotated[list[str] | None, typer.Option("--profile", help="What is known, as name=value.")] = None,
    contact: Annotated[str, typer.Option(help="The customer's phone number or id, to respect an opt-out.")] = "",
    why: Annotated[bool, typer.Option("--why", help="Show after each turn why it went so.")] = False,
    human: Annotated[
        bool, typer.Option("--human", help="Answer a waiting call as a person; then give it back.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Hold a call: type as the customer, or pipe the customer's lines in."""
    if human:
        _answer_as_human(call)
        return
    held = hold(
        campaign,
        _lines("Customer: "),
        call=call,
        language=language,
        profile=_profile(profile or []),
        contact=contact,
        as_json=as_json,
        why=why,
    )
    if not as_json:
        note(f"\nCall {held} is kept: `salesman chat --call {held}` goes on, `salesman show {held}` shows it.")


def _answer_as_human(call: str) -> None:
    from graph.session import Calls

    if not call:
        raise BadInput("--human needs --call ID of a call that waits for a person.")
    calls = Calls()
    for line in _lines("You, as the agent: "):
        calls.human(call, line)
        say("sent")
    calls.human(call, "", give_back=True)
    note(f"Call {call} is given back to the agent.")


def demo(campaign: CampaignOption = "save_the_children", language: LanguageOption = "") -> None:
    """Watch one whole call between the agent and a recorded or written customer."""
    folders = bundled()
    if campaign not in folders:
        raise BadInput(f"Campaign '{campaign}' has no demo; expected one of {', '.join(sorted(folders))}.")
    script = yaml.safe_load((folders[campaign] / "demo_customer.yaml").read_text(encoding="utf-8"))
    spoken = language or next(name for name in ("en", "zh") if name in script)
    if spoken not in script:
        raise BadInput(f"The demo of {campaign} has no customer who speaks '{spoken}'.")
    call = hold(
        campaign, script[spoken], call="", language=spoken, profile={}, contact="", as_json=False, why=True, echo=True
    )
    from graph.session import Calls

    for line in describe_outcome(Calls().record(call)):
        say(line)
    say(f"record      {get_settings().home / 'salesman.db'}: `salesman show {call}`, `salesman export {call}`")


def show(
    call: Annotated[str, typer.Argument(help="Id of a call; without one, the newest calls are listed.")] = "",
    turn: Annotated[int | None, typer.Option("--turn", help="Everything about one turn.")] = None,
) -> None:
    """Show a call turn by turn, with why each went as it did."""
    from graph.calls import CallStore
    from scripts_library.database import engine_for

    store = CallStore(engine_for(get_settings()))
    if not call:
        for row in store.calls():
            say(f"{row['id']}  {row['started_at']}  {row['campaign']}  {row['turns']} turns  {row['status']}")
        return
    record = store.record(call)
    turns = [entry for entry in record["turns"] if turn is None or entry["turn"] == turn]
    if not turns:
        raise BadInput(f"Call {call} has no turn {turn}; it has turns 0 to {len(record['turns']) - 1}.")
    for entry in turns:
        say(f"— turn {entry['turn']} —")
        if entry["customer"]:
            say(f"Customer: {entry['customer']}")
        say(f"Agent: {entry['reply']}")
        for line in describe(entry):
            say(f"    {line}")
        if turn is not None:
            for name, value in entry["why"].items():
                say(f"    {name}: {value}")
    for line in describe_outcome(record) if turn is None else []:
        say(line)


def export(
    call: Annotated[str, typer.Argument(help="Id of a call.")],
    as_json: Annotated[bool, typer.Option("--json", help="On one line, for programs.")] = False,
) -> None:
    """Print the whole record of a call as JSON."""
    from graph.calls import CallStore
    from scripts_library.database import engine_for

    dump(CallStore(engine_for(get_settings())).record(call), indent=None if as_json else 2)
