"""What an adapter that ships tells of itself: a model card, filled from its record, its log and the gate's decision."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import yaml

from evaluation.report.numbers import interval, p_value
from graph.errors import BadInput
from serving.catalogue import find_model

TEMPLATE = Path(__file__).with_suffix(".md")
EDGE = 6
"""Steps of which the mean is told, at either end of a run."""
Log = Sequence[Mapping[str, Any]]
"""Of a run's `log.jsonl`: a line a logging step."""


def model_card(
    name: str, run: Path, about: Mapping[str, Any], size: int, log: Log, data_licence: str, measured: str = ""
) -> str:
    """Return a model card as Markdown.

    Args:
        name: The adapter's.
        run: Folder of the training run.
        about: The run's record, with `gate` as `training.ship` adds it.
        size: Of the adapter, in bytes.
        log: How the run went.
        data_licence: Of the rows, and where they come from.
        measured: Table of `measured_table`; empty: none.

    Raises:
        BadInput: The base model is not in the catalogue.
    """
    gate, base, recipe = about["gate"], about["base"], about["recipe"]
    licence = find_model(base["name"]).licence
    commit, stopped = about.get("commit", ""), about.get("stopped", "")
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=name,
        trainer=about["trainer"],
        model=base["name"],
        licence=licence,
        licence_id=licence.lower(),
        weights=base.get("sha256") or base.get("revision", "unknown"),
        size=f"{size / 1e6:.1f}",
        verdict=_verdict(gate),
        data="\n".join(f"| `{_near(one['file'])}` | {one['rows']:,} | `{one['sha256']}` |" for one in about["data"]),
        data_licence=data_licence,
        data_licence_quoted=shlex.quote(data_licence),
        recipe=yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).strip(),
        steps=about["steps"],
        hours=f"{about['seconds'] / 3600:.2f}",
        trainable=f"{about['trainable']:,}",
        versions=", ".join(f"{package} {version}" for package, version in about["versions"].items()),
        commit=commit or "unknown",
        begun="".join(
            f" `{key}` is of another run: `{_near(one['folder'])}`, SHA-256 `{one['sha256']}`."
            for key, one in about.get("weights", {}).items()
        ),
        stopped=f" A monitor stopped it: {stopped}." if stopped else "",
        run=shlex.quote(_near(run)),
        hold=_hold(gate),
        base=shlex.quote(_near(gate["base"])),
        candidate=shlex.quote(_near(gate["candidate"])),
        curves=_curves(log, recipe.get("rewards", {})),
        calls=gate["calls"],
        customers=", ".join(gate["customers"]),
        conditions="\n".join(
            _row(
                one["name"], "ok" if one["passed"] else "NO", *gate["levels"].get(one["name"], ["", ""]), one["finding"]
            )
            for one in gate["conditions"]
        ),
        measured=measured,
        thinking="thinking before it speaks" if gate["think"] else "not thinking before it speaks",
        campaigns=", ".join(gate["campaigns"]),
        dtype=recipe.get("dtype", "float32"),
    )


def measured_table(path: Path) -> str:
    """Return what `salesman train measure --json` found as a Markdown table, with the first model as the base.

    Args:
        path: What it printed.

    Raises:
        BadInput: It is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        base = found["variants"][0]["label"]
        means = {(row["label"], row["figure"]): row for row in found["figures"]}
        rows = [
            _row(
                one["figure"],
                one["label"],
                interval(means[base, one["figure"]], "points"),
                interval(means[one["label"], one["figure"]], "points"),
                interval(one, "points", "difference"),
                p_value(one["p"]),
                p_value(one["p_holm"]),
            )
            for one in found["differences"]
        ]
        heading = (
            f"Replies to {found['rows']} turns of {found['dialogues']} held-out dialogues, {found['samples']} to each "
            f"(`salesman train measure`); means with 95 % intervals, dialogues drawn:"
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadInput(
            f"{path} is not what `salesman train measure --json` prints ({type(error).__name__}: {error})."
        ) from error
    head = _row("figure", "model", f"`{base}`", "the model", "difference", "p", "p, Holm")
    return "\n".join([heading, "", head, "|---" * 7 + "|", *rows])


def _verdict(gate: Mapping[str, Any]) -> str:
    if gate["passed"]:
        return "It passed the gate on held-out calls, and is served by default."
    failed = ", ".join(one["name"] for one in gate["conditions"] if not one["passed"])
    return f"It did not pass the gate on held-out calls ({failed}): it ships as a result, and is not served by default."


def _hold(gate: Mapping[str, Any]) -> str:
    """Return the command by which the calls are held again."""
    campaign = f" -c {gate['campaigns'][0]}" if len(gate["campaigns"]) == 1 else ""
    folder = shlex.quote(_near(gate["candidate"]).rpartition(":")[0] or _near(gate["candidate"]))
    return (
        f"salesman evaluate run --variants variants.yaml{campaign} --customers {','.join(gate['customers'])} "
        f"--trials {gate['trials']} --limit {gate['scenarios']} --out {folder}   # variants: as served, and with this adapter"
    )


def _curves(log: Log, weights: Mapping[str, float]) -> str:
    """Return how rewards and loss went from the first logged steps to the last."""
    steps = [line for line in log if "loss" in line]
    names = [name for name in dict.fromkeys(key for line in steps for key in line) if _told(name)]
    rows = []
    for name in names:
        values = [line[name] for line in steps if line.get(name) is not None]
        ends = (f"{sum(some) / len(some):.3f}" for some in (values[:EDGE], values[-EDGE:]) if some)
        weight = weights.get(name.removeprefix("rewards/").removesuffix("/mean"))
        rows.append(_row(f"`{name}`", "" if weight is None else f"{weight:g}", *ends))
    head = _row("logged", "weight", f"mean of the first {EDGE} lines", f"of the last {EDGE}")
    return "\n".join([head, "|---" * 4 + "|", *rows])


def _told(name: str) -> bool:
    return name in ("reward", "loss") or (name.startswith("rewards/") and not name.endswith("/std"))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _near(named: str | Path) -> str:
    """Return a path as a reader elsewhere can use it: of an absolute one the last part alone."""
    path = Path(named)
    return path.name if path.is_absolute() else str(path)
