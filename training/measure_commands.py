"""`salesman train measure|curves`: what training came to, on held-out turns; and how it went."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.telling import JsonOption, Paced
from graph.settings import get_settings
from graph.terminal import dump, note, say
from training.extra import training_ready


def measure(
    rows: Annotated[
        list[Path],
        typer.Argument(metavar="ROWS...", help="Of `corpus rows --kind prompt --split test`, and no others."),
    ],
    run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[LABEL=]FOLDER", help="A training run; may be repeated. Runs of one label count as one model."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="The base model; by default the one that the runs were trained from.")
    ] = "",
    base_rows: Annotated[
        Path | None,
        typer.Option(help="Ask the base model these, of the same turns, e.g. for no thoughts, as it is served."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="So many turns, drawn at random; 0: all.")] = 0,
    samples: Annotated[int, typer.Option(min=1, help="Answers of each model to each turn.")] = 1,
    judge: Annotated[bool, typer.Option("--judge", help="Let SALESMAN_JUDGE rate each reply, too.")] = False,
    against: Annotated[
        str, typer.Option(help="Compare with this label, e.g. an ablation's runs with the run that has all rewards.")
    ] = "base",
    out: Annotated[Path, typer.Option(help="Folder of the answers; a measuring that was stopped goes on.")] = Path(
        "runs/measured"
    ),
    as_json: JsonOption = False,
) -> None:
    """Ask the base model and trained ones the same held-out turns, and compare what they say with intervals and tests."""
    with training_ready():
        from training.measure import measure as compared
        from training.measure import read_held_out, same_turns, variants_of

        paced = Paced()
        held = read_held_out(rows, limit)
        found = compared(
            held,
            variants_of(run or [], model),
            out,
            get_settings(),
            base_rows=same_turns(held, read_held_out([base_rows])) if base_rows else (),
            samples=samples,
            judge=judge,
            against=against,
            told=paced.say,
        )
        if as_json:
            dump(found)
            return
        for line in _table(found):
            say(line)
        for label, count in found["failed"].items():
            if count:
                note(f"{label}: the judge failed on {count} replies; the same command asks it again")


def _table(found: Mapping[str, Any]) -> Iterator[str]:
    from evaluation.report.numbers import interval, number, p_value
    from training.figures import FIGURES

    steps = {(row["figure"], row["label"]): row for row in found["differences"]}
    wide = max(len(row["label"]) for row in found["figures"])
    told = f"{found['rows']} turns of {found['dialogues']} dialogues, {found['samples']} × each model"
    yield f"{told}; means with 95 % intervals over dialogues, and what differs from {found['against']}"
    for name, figure in FIGURES.items():
        own = [row for row in found["figures"] if row["figure"] == name]
        if own:
            better = "" if figure.better == "neither" else f"; {figure.better} is better"
            yield f"\n{name}: {figure.label}{better}"
        for row in own:
            line = f"  {row['label']:{wide}}  {interval(row, figure.unit):22}"
            if step := steps.get((name, row["label"])):
                line += f"  {interval(step, figure.unit, 'difference')}"
                base = next(row["mean"] for row in own if row["label"] == found["against"])
                if name in ("overall", "likeness") and base:
                    line += f" = {100 * step['difference'] / base:+.1f} %".replace("-", "−")
                line += f", p {p_value(step['p'])}, Holm {p_value(step['p_holm'])}"
                if step["detectable"] is not None:
                    line += f"; {number(step['detectable'], figure.unit)} would be seen"
            yield line.rstrip()


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of training runs.")],
    out: Annotated[Path, typer.Option(help="The picture: FILE.svg or FILE.png; written anew.")],
) -> None:
    """Draw how training runs went, over each other: rewards, length, diversity, entropy and whatever else was logged."""
    with training_ready():
        from training.curves import draw

        size = draw(runs, out)
    say(f"{out}, {size / 1000:.0f} kB")
