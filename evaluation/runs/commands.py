"""`salesman evaluate run`: hold the calls of an evaluation."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evaluation.telling import Paced
from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import note, say

if TYPE_CHECKING:
    from evaluation.runs.runner import Progress

GATE = Path(__file__).parents[1] / "report" / "gate.yaml"
"""The gate's rules as they ship; the report's commands read them from here too."""


def run(
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command goes on with a run that was stopped.")],
    variants: Annotated[
        Path | None, typer.Option(help="YAML list of variants; by default the agent as it is served.")
    ] = None,
    scenarios: Annotated[
        str,
        typer.Option(
            help="`train`, `dev` or `test` of the bundled ones, `telebot`, or a file: own YAML, or SalesLLM's JSONL."
        ),
    ] = "test",
    customers: Annotated[
        str,
        typer.Option(
            help="Kinds of customers, e.g. `rule,persona`: rule, retrieved, persona, recorded, trained:MODEL or trained:MODEL+ADAPTER.gguf."
        ),
    ] = "rule",
    trials: Annotated[int, typer.Option(min=1, max=100, help="Calls of each scenario with each customer.")] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many scenarios: a fair sample of a split.")
    ] = None,
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Only scenarios of this campaign.")] = "",
    language: Annotated[str, typer.Option("--language", "-l", help="Only scenarios in `en` or `zh`.")] = "",
    products: Annotated[Literal[1, 6, 15], typer.Option(help="Products that the seller has, for SalesLLM's rows.")] = 1,
    follow_ups: Annotated[Literal[0, 1, 2], typer.Option(help="Sessions after a refusal, at most.")] = 0,
    max_turns: Annotated[
        int | None, typer.Option(min=1, help="Customer lines in a session at most, where a scenario allows more.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the customers, and of what is drawn for scenarios.")] = 0,
    at_once: Annotated[
        int | None, typer.Option(min=1, max=256, help="Calls held at once; by default SALESMAN_LLM_PARALLEL.")
    ] = None,
    deadline: Annotated[
        float,
        typer.Option(
            min=1,
            max=120,
            help="Seconds a turn may take: a full server shall not turn the agent's answers into approved lines.",
        ),
    ] = 60.0,
    gate: Annotated[
        Path, typer.Option(help="The gate's rules, fixed before the run.", show_default="the shipped ones")
    ] = GATE,
) -> None:
    """Hold calls between the served graph and simulated customers, and keep them for `salesman evaluate report`.

    A run that was stopped or killed goes on with the same command: no call is held twice. Calls that failed are held anew.
    """
    from evaluation.runs.choosing import choose
    from evaluation.runs.runner import Order
    from evaluation.runs.runner import run as hold_all
    from evaluation.runs.variants import AS_SERVED, load_variants
    from evaluation.scenarios.schema import SPLITS

    settings = get_settings()
    order = Order(
        variants=load_variants(variants, settings) if variants else (AS_SERVED,),
        scenarios=choose(
            scenarios,
            settings,
            campaign=campaign,
            language=language,
            products=products,
            follow_ups=follow_ups,
            max_turns=max_turns,
            seed=seed,
        ),
        split=scenarios if scenarios in SPLITS else "",
        customers=list(dict.fromkeys(kind.strip() for kind in customers.split(",") if kind.strip())),
        trials=trials,
        limit=limit,
        seed=seed,
        gate=_hash(gate),
        at_once=at_once or settings.llm_parallel,
        deadline=deadline,
    )
    if not order.customers:
        raise BadInput("--customers is empty; name at least one kind, e.g. rule.")
    if "rule" in order.customers and any(one.customer_prompt for one in order.scenarios.scenarios):
        note("The rule buyer does not read SalesLLM's customer prompts; --customers persona plays them.")
    done = hold_all(order, out, settings, _teller())
    failed = [result for result in done.results if result["error"]]
    say(f"{len(done.results)} of {done.planned} calls in {out}, {len(failed)} of them failed.")
    for reason in done.about["left_out"]:
        say(f"left out: {reason}")
    if done.about["broken"]:
        say(f"broken scenarios left out: {len(done.about['broken'])}")
    for result in failed[:10]:
        if error := result["error"]:
            say(f"  {error['boundary']}: {result['unit']}: {error['message']}")
    say(
        f"Next: salesman evaluate report {out}" + (", or the same command again for the failed ones." if failed else "")
    )


def _hash(gate: Path) -> str:
    if not gate.is_file():
        raise BadInput(f"The gate's rules {gate} do not exist; give a YAML file, or leave --gate away.")
    return hashlib.sha256(gate.read_bytes()).hexdigest()


def _teller() -> Callable[["Progress"], None]:
    """Return what prints the progress, every few seconds and at the end."""
    paced = Paced()

    def tell(progress: "Progress") -> None:
        took = time.monotonic() - progress.started
        failed = ", ".join(f"{count} at the {name}" for name, count in sorted(progress.failed.items()))
        paced.say(
            f"{progress.before + progress.done}/{progress.units} calls, {progress.turns / max(took, 0.001):.1f} turns/s, "
            f"about {_minutes(progress.seconds_left)} left" + (f"; failed: {failed}" if failed else ""),
            last=progress.before + progress.done == progress.units,
        )

    return tell


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
