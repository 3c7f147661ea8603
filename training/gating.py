"""Whether an adapter may be served: calls are held of what is served and of the adapter, and the gate decides on them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.report.gate import Condition, decide, variant_of
from evaluation.runs.commands import GATE
from graph.errors import BadInput
from graph.served import ABOUT, ADAPTER, Served, sha256_of
from graph.settings import Settings


def exported(run: Path) -> Path:
    """Return a run's adapter for the embedded server.

    Raises:
        BadInput: None was exported.
    """
    adapter = run / ADAPTER
    if not adapter.is_file():
        raise BadInput(f"{adapter} does not exist; make it with `salesman train export {run} --to gguf`.")
    return adapter


def hold_both(
    run: Path,
    folder: Path,
    settings: Settings,
    *,
    campaign: str = "",
    customers: str = "rule",
    trials: int = 1,
    limit: int | None = None,
) -> tuple[str, str]:
    """Hold the calls that the gate wants, of the agent as it is served and with a run's adapter; a stopped one goes on.

    Args:
        run: Folder of the training run, with its `run.json` and exported `adapter.gguf`.
        folder: Of the calls.
        settings: Name the served model.
        campaign: Only scenarios of this campaign; by default of every one, since the adapter would be served in all.
        customers: Kinds of customers, as of `salesman evaluate run`.
        trials: Calls of each scenario.
        limit: The first so many scenarios; None: all.

    Returns:
        Base and candidate as `promote` takes them.

    Raises:
        BadInput: No exported adapter, no training run, or a server of one's own serves.
    """
    import yaml

    from evaluation.runs.commands import run as hold

    adapter = exported(run).resolve()
    if not (run / ABOUT).is_file():
        raise BadInput(f"{run} is no training run: it holds no {ABOUT}.")
    if settings.llm_base_url:
        raise BadInput("Promotion is for the embedded server: unset SALESMAN_LLM_BASE_URL, or hold the calls yourself.")
    folder.mkdir(parents=True, exist_ok=True)
    variants = folder / "variants.yaml"
    recipe = json.loads((run / ABOUT).read_text(encoding="utf-8"))["recipe"]
    trained = {"name": "candidate", "adapter": str(adapter), "think": bool(recipe.get("think"))}
    variants.write_text(yaml.safe_dump([{"name": "served"}, trained], sort_keys=False), encoding="utf-8")
    hold(out=folder, variants=variants, campaign=campaign, customers=customers, trials=trials, limit=limit)
    return f"{folder}:served", f"{folder}:candidate"


def judged(
    sha256: str, base: str, candidate: str, model: str, standing: Served, known: Iterable[str], rules: Path = GATE
) -> list[Condition]:
    """Say whether an adapter may be served.

    Args:
        sha256: The adapter's.
        base: Calls of the agent as it is served.
        candidate: Calls of the agent with this adapter.
        model: Name of the served model.
        standing: How it is served now.
        known: Campaigns in which the adapter would be served.
        rules: The gate's.

    Returns:
        Whether the calls are of these two, which campaigns they are of, and where they are of these two the gate's conditions.

    Raises:
        BadInput: No such runs.
    """
    found = list(_of_these(base, candidate, sha256, model, standing))
    same = all(condition.passed for condition in found)
    found.append(_looked_at(candidate, known))
    return [*found, *decide(base, candidate, rules)] if same else found


@dataclass(frozen=True)
class HeldWith:
    """What calls were held with, or are: the model, its adapter's SHA-256 (empty: none), and whether it thinks."""

    model: str
    sha256: str
    think: bool

    def __str__(self) -> str:
        adapter = f" with the adapter {self.sha256[:16]}" if self.sha256 else ""
        return f"{self.model}{adapter}, {'thinking' if self.think else 'not thinking'}"


def _of_these(base: str, candidate: str, sha256: str, model: str, now: Served) -> Iterator[Condition]:
    """Yield whether the calls were held with what is served, and with the adapter that would be."""
    standing = HeldWith(model, sha256_of(Path(now.adapter)) if now.adapter else "", now.think)
    held = held_with(base)
    yield Condition("base is served", held == standing, f"calls with {held}; served is {standing}", {})

    held = held_with(candidate)
    wanted = HeldWith(model, sha256, held.think)
    yield Condition("candidate is this adapter", held == wanted, f"calls with {held}; this is {wanted}", {})


def _looked_at(candidate: str, known: Iterable[str]) -> Condition:
    """Tell which campaigns the calls are of; to look at one alone is a person's decision, and so it is told, not refused."""
    run = variant_of(candidate)
    seen = {run.scenarios[result["scenario"]].campaign for result in run.results}
    unseen = sorted(set(known) - seen)
    told = f"; not looked at, though served there too: {', '.join(unseen)}" if unseen else ""
    return Condition("campaigns", True, f"calls of {', '.join(sorted(seen))}{told}", {})


def held_with(named: str) -> HeldWith:
    """Return what calls were held with.

    Args:
        named: A run's folder, or `FOLDER:variant`.
    """
    run = variant_of(named)
    asked, name = run.about["asked"], run.results[0]["variant"]
    variant = next(variant for variant in asked["variants"] if variant["name"] == name)
    model = asked["models"][name].partition(" + ")[0]
    return HeldWith(model, asked.get("adapters", {}).get(name, ""), variant["think"])
