"""`salesman evaluate customers`: how like real customers the simulated ones speak, and how fast."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import dump, note, say

if TYPE_CHECKING:
    from evaluation.customers.likeness import Likeness
    from scripts_library.persuasion import RecordedCall

MEASURES = ("inverted", "bleu", "rouge_1", "rouge_2", "rouge_l", "cosine")


def customers(
    kinds: Annotated[
        str, typer.Option(help="Kinds of customers, e.g. `rule,retrieved,persona`; `recorded` cannot be measured so.")
    ] = "rule,retrieved",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Measure on this many held-out calls; all by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the customers.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the figures by kind of customer.")] = False,
) -> None:
    """Measure simulated customers against real ones: the next line, on held-out calls of `persuasion_for_good`.

    The figures are kept in `SALESMAN_HOME/likeness.json` too, where reports find them. With several kinds, each is compared with the
    first line by line.
    """
    from evaluation.customers.likeness import CHANCE, held_out, keep_likeness
    from evaluation.report.numbers import p_value

    wanted = [name for kind in kinds.split(",") if (name := kind.strip())]
    if not wanted or "recorded" in wanted:
        raise BadInput(f"--kinds {kinds!r}: name kinds that answer what they hear, e.g. rule,retrieved,persona.")
    calls = held_out(limit)
    measured = {kind: _measured(kind, calls, seed) for kind in (CHANCE, *dict.fromkeys(wanted))}
    found = {kind: _figures(rows) for kind, rows in measured.items()}
    first, *others = dict.fromkeys(wanted)
    less = {kind: _differences(measured[first], measured[kind]) for kind in others}
    keep_likeness(get_settings().home, found, len(calls), get_settings().judge)
    if as_json:
        dump({"calls": len(calls), "split": "test", "customers": found, "less": {"base": first, **less}})
        return
    say(f"{len(calls)} held-out calls; means with 95 % intervals, calls drawn; median milliseconds a line")
    width = max(20, *(len(kind) + 1 for kind in found))
    say(f"{'customer':{width}}{''.join(f'{name:>21}' for name in MEASURES)}{'lines':>7}{'silent':>7}{'ms':>7}")
    for kind, row in found.items():
        cells = "".join(f"{_shown(row[name]):>21}" for name in MEASURES)
        say(f"{kind:{width}}{cells}{row['lines']:>7}{row['silent']:>7}{1000 * row['seconds_per_line']:>7.1f}")
    for kind, row in less.items():
        say(f"{kind} less {first}, on {row['lines']} lines that neither left unsaid:")
        for name in MEASURES:
            if figure := row[name]:
                say(f"  {name:10} {_shown(figure):>25}, p {p_value(figure['p'])}")


def _measured(kind: str, calls: "Sequence[RecordedCall]", seed: int) -> "list[Likeness]":
    from evaluation.customers.kinds import make_customer
    from evaluation.customers.likeness import CHANCE, ChanceCustomer, likeness
    from evaluation.customers.protocol import Customer
    from evaluation.customers.real_lines import CAMPAIGN
    from evaluation.scenarios.schema import Scenario
    from scripts_library.loading import bundled, load_campaign
    from serving.embed import load_embedder

    settings, data = get_settings(), load_campaign(bundled()[CAMPAIGN])

    def make(scenario: Scenario) -> Customer:
        return ChanceCustomer(scenario) if kind == CHANCE else make_customer(kind, scenario, data, seed, settings)

    def progress(done: int, of: int) -> None:
        if done % 10 == 0 or done == of:
            note(f"{kind}: {done} of {of} calls")

    return likeness(make, calls, load_embedder(settings), progress)


def _figures(rows: "Sequence[Likeness]") -> dict[str, Any]:
    """Return each measure's mean with its interval, over the lines that the customer did not leave unsaid."""
    from dataclasses import asdict
    from statistics import median

    from evaluation.report.statistics import mean

    said = [row for row in rows if row.said]
    means = {name: mean([getattr(row, name) for row in said], [row.call for row in said]) for name in MEASURES}
    return {
        "lines": len(said),
        "silent": len(rows) - len(said),
        "seconds_per_line": median(row.seconds for row in rows),
        **{name: asdict(figure) if figure else None for name, figure in means.items()},
    }


def _differences(first: "Sequence[Likeness]", other: "Sequence[Likeness]") -> dict[str, Any]:
    """Return each measure of the other customer less the first's, line by line, with interval and p; calls are drawn."""
    from dataclasses import asdict

    from evaluation.report.statistics import mean, sign_flip_p

    pairs = [(one, two) for one, two in zip(first, other, strict=True) if one.said and two.said]
    found: dict[str, Any] = {"lines": len(pairs)}
    for name in MEASURES:
        steps, clusters = (
            [getattr(two, name) - getattr(one, name) for one, two in pairs],
            [one.call for one, _ in pairs],
        )
        figure = mean(steps, clusters)
        found[name] = {**asdict(figure), "p": sign_flip_p(steps, clusters)} if figure else None
    return found


def _shown(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "–"
    between = " to " if (figure["low"] or 0) < 0 else "–"
    ends = "" if figure["low"] is None else f" ({figure['low']:.3f}{between}{figure['high']:.3f})"
    return f"{figure['value']:.3f}{ends}".replace("-", "−")
