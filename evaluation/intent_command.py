"""`salesman evaluate intent`: how well customers' intents are understood."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from evaluation.telling import JsonOption
from graph.commands import CampaignOption
from graph.settings import get_settings
from graph.terminal import dump, say


def intent(
    campaign: CampaignOption,
    data: Annotated[
        Path, typer.Option(help="Labelled lines: annotated_dialog.csv, or CSV/JSONL of language,intent,text.")
    ],
    way: Annotated[Literal["classifier", "model"], typer.Option(help="Who is measured.")] = "classifier",
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only this many lines.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how well customers' intents are understood, on held-out lines."""
    from evaluation.intent import evaluate_intent as measure

    result = measure(campaign, data, way, get_settings(), limit)
    if as_json:
        dump(result)
        return
    for name, value in result[way].items():
        say(f"{name:10} {value}")
