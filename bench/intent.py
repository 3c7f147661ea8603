"""Understanding of customers' lines: accuracy with 95 % intervals per held-out set, calibration, training, loading, time a line."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from bench.setting import fresh_home, settings_for, table
from evaluation.intent import HeldOut, Measured, bootstrap_interval, find_campaign, macro_f1, measure, read_held_out
from nodes.intent_data import head_key
from nodes.intent_model import IntentModel, head_path, load_intent_model, train_intent_model
from scripts_library.loading import CampaignData, bundled
from serving.embed import Embedder, load_embedder

ACTS = Path("data") / "annotated_dialog.csv"
LINES = Path(__file__).parents[1] / "evaluation" / "data" / "lantern_local_intents.csv"


def run() -> None:
    """Measure and print."""
    with fresh_home() as home:
        settings = settings_for(home)
        embedder = load_embedder(settings)
        for name, file in {"save_the_children": bundled()["save_the_children"] / ACTS, "lantern_local": LINES}.items():
            data = find_campaign(name, settings)
            _timings(data, embedder, home)
            held_out = read_held_out(file, data)
            for language in sorted({language for language, _ in held_out.test}):
                lines = [pair for pair in held_out.test if pair[0] == language]
                _figures(
                    f"{name}, {language}",
                    *measure(data, HeldOut(lines, held_out.train), "classifier", settings),
                )


def _timings(data: CampaignData, embedder: Embedder, home: Path) -> None:
    path = head_path(head_key(data, embedder.name), home)
    times = {}
    for what in ("training, nothing embedded yet, s", "training, vectors kept, s"):
        started = time.perf_counter()
        train_intent_model(data, embedder, home, path)
        times[what] = time.perf_counter() - started
    started = time.perf_counter()
    model: IntentModel = load_intent_model(data, embedder, home)
    times["loading the stored head, ms"] = (time.perf_counter() - started) * 1000
    calibration = model.head.calibration
    times["threshold"] = calibration.threshold
    times["unseen lines below it, %"] = calibration.below * 100
    times["expected calibration error on unseen lines"] = calibration.ece
    model.predict("warm")
    warm = []
    for _ in range(200):
        started = time.perf_counter()
        model.predict("warm")
        warm.append((time.perf_counter() - started) * 1000)
    times["head alone, ms a line"] = median(warm)
    table(f"Intent classifier of {data.campaign.name}", list(times.items()))


def _figures(title: str, measured: list[Measured], threshold: float) -> None:
    def accuracy(lines: Sequence[Measured]) -> float:
        return sum(one.predicted == one.line.intent for one in lines) / len(lines)

    rows: list[tuple[str, object]] = []
    figures: dict[str, Callable[[Sequence[Measured]], float]] = {"accuracy": accuracy, "macro-F1": macro_f1}
    for name, figure in figures.items():
        low, high = bootstrap_interval(measured, figure)
        rows.append((f"{name} (95 % interval)", f"{figure(measured):.3f} ({low:.3f}–{high:.3f})"))
    rows.append(("below the threshold, %", 100 * sum(one.confidence < threshold for one in measured) / len(measured)))
    rows.append(("ms a line, embeddings included, median", median(one.ms for one in measured)))
    rows.append(("lines", len(measured)))
    table(f"Held-out lines: {title}", rows)


if __name__ == "__main__":
    run()
