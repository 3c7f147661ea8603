"""`salesman train export|promote|ship`: from a trained run to what is served."""

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import say
from training.extra import training_ready

Run = Annotated[Path, typer.Argument(help="Folder of a training run.")]


def export(
    run: Run,
    to: Annotated[
        Literal["merged", "peft", "gguf"],
        typer.Option(
            help="merged: whole safetensors, and peft: the adapter, both for vLLM; gguf: the adapter for the embedded server."
        ),
    ] = "gguf",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder, or GGUF file.", show_default="merged, peft or adapter.gguf in the run's folder"),
    ] = None,
    base: Annotated[str, typer.Option(help="Model that was trained, where the adapter names none that is here.")] = "",
    dtype: Annotated[
        Literal["float16", "bfloat16", "float32"],
        typer.Option(help="Of the numbers written; GGUF has no bfloat16 here."),
    ] = "float16",
) -> None:
    """Write a run's result in a form that a server loads."""
    with training_ready():
        from training.export import export as write

        path, size = write(run, to, get_settings(), out=out, base=base, dtype=dtype)
    say(f"{path}, {size / 1e6:.1f} MB")


def promote(
    run: Annotated[Path | None, typer.Argument(help="Folder of a training run with its adapter.gguf.")] = None,
    base: Annotated[
        str, typer.Option(help="Calls of the agent as it is served: a run's folder, or FOLDER:VARIANT.")
    ] = "",
    candidate: Annotated[str, typer.Option(help="Calls of the agent with this adapter: the same.")] = "",
    runs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the calls that are held now, of both kinds, unless --base and --candidate name some; stopped, the same "
            "command goes on with it.",
            show_default="SALESMAN_HOME/runs/promote-RUN",
        ),
    ] = None,
    campaign: Annotated[
        str,
        typer.Option(
            "--campaign",
            "-c",
            help="With --runs: only scenarios of this one; by default of all, as it would be served in all.",
        ),
    ] = "",
    customers: Annotated[
        str,
        typer.Option(
            help="With --runs: kinds of customers; `rule,retrieved` where the reward `heard` was among the rewards."
        ),
    ] = "rule",
    trials: Annotated[int, typer.Option(min=1, max=100, help="With --runs: calls of each scenario.")] = 1,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="With --runs: the first so many scenarios; fewer calls see great differences only."),
    ] = None,
    why: Annotated[str, typer.Option(help="The reason, for the record; needed.")] = "",
    by: Annotated[str, typer.Option(help="Who does it; by default the user of this machine.")] = "",
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Serve what was served before the last promotion.")
    ] = False,
) -> None:
    """Make a run's adapter the served one if it passes the gate; refused, nothing changes and the exit code is 1.

    Every change is a line of `SALESMAN_HOME/promotions.jsonl`; servers that are started afterwards take it up.
    """
    from evaluation.report.commands import condition_lines
    from training.gating import hold_both
    from training.promote import promote as decide
    from training.promote import roll_back

    settings, who = get_settings(), by or _user()
    if not why.strip():
        raise BadInput("--why is empty; say the reason, it stands in the record.")
    if rollback:
        say(f"served from the next start on: {roll_back(settings, by=who, why=why).adapter or f'{settings.llm} alone'}")
        return
    if run is None or bool(base) != bool(candidate) or (runs and base):
        raise BadInput("Name a training run, and --base with --candidate, or --runs, or neither; or give --rollback.")
    if not base:
        runs = runs or settings.home / "runs" / f"promote-{run.resolve().name}"
        base, candidate = hold_both(
            run, runs, settings, campaign=campaign, customers=customers, trials=trials, limit=limit
        )
    found = decide(run, base, candidate, settings, by=who, why=why)
    for line in condition_lines(found):
        say(line)
    if not all(condition.passed for condition in found):
        say("refused; nothing changed")
        raise typer.Exit(1)
    say("promoted: served from the next start on")


def ship(
    run: Run,
    name: Annotated[str, typer.Option(help="The adapter's, and its folder's under training/adapters.")],
    base: Annotated[
        str,
        typer.Option(help="Calls of the agent as it ships, without this adapter: a run's folder, or FOLDER:VARIANT."),
    ],
    candidate: Annotated[str, typer.Option(help="Calls of the agent with this adapter: the same.")],
    data_licence: Annotated[str, typer.Option(help="Of the rows, and where they come from; for the model card.")],
    measured: Annotated[
        Path | None, typer.Option(help="What `salesman train measure --json` printed; for the model card.")
    ] = None,
) -> None:
    """Make a run's adapter part of the project: adapter.gguf, run.json with the gate's decision, MODEL_CARD.md.

    It is served by default if it passed the gate; if not, it ships as a result, and the exit code is 1.
    """
    from evaluation.report.commands import condition_lines
    from training.ship import ship as write

    folder, found = write(run, name, base, candidate, data_licence=data_licence, measured=measured)
    for line in condition_lines(found):
        say(line)
    passed = all(condition.passed for condition in found)
    say(f"{folder}: {'served by default' if passed else 'a result, not served: it did not pass the gate'}")
    if not passed:
        raise typer.Exit(1)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
