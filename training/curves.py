"""Learning curves of training runs as one picture: a small chart for each figure that was logged, the runs over each other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from PIL import Image

from graph.errors import BadInput
from training.monitors import DIVERSITY
from training.run_file import LOG

SHARES = {
    "frac_reward_zero_std": "groups without spread",
    "completions/clipped_ratio": "completions cut off",
    DIVERSITY: "diversity",
    "rules/blocked": "replies the guard blocks",
    "judge/failed": "replies the judge fails on",
    "rewards/accuracies": "pairs in the right order",
    "accuracy": "accuracy",
    "mean_token_accuracy": "accuracy of tokens",
}
"""Name in the log → title. Their scale is 0 to 1."""
FIGURES = {
    "reward": "reward",
    "reward_std": "spread of reward in a group",
    "completions/mean_length": "length, tokens",
    "entropy": "entropy, nats a token",
    "kl": "KL, nats a token",
    "rewards/margins": "margin of a pair",
    **SHARES,
    "eval_loss": "loss, dev split",
}
"""What is drawn where it was logged, beside each reward's mean. A policy gradient's loss says nothing, so a loss is drawn only where
there is no reward."""
MOST = 60
"""Points of a curve, each the mean of as many steps as that takes."""
WINDOW = 5
"""Points that the strong line is the running mean of; the faint line shows each."""
COLUMNS = 3
WIDTH, HEIGHT, SCALE = 250, 120, 38
"""Of a chart, and of the room for its scale; pixels."""
COLOURS = 64
"""Of a PNG."""
TITLE = alt.TitleParams(
    f"Against steps. Faint: what was logged. Strong: the mean of the last {WINDOW} points.", offset=12, fontSize=11
)
STEPS = alt.Axis(tickMinStep=1, tickCount=5, format="d", grid=False)


def draw(runs: Sequence[Path], out: Path) -> int:
    """Draw runs over each other.

    Args:
        runs: Their folders; a run is named by its folder.
        out: `.svg` or `.png`; an earlier file is replaced.

    Returns:
        The picture's size in bytes.

    Raises:
        BadInput: A folder without a log, two of one name, nothing in a log to draw, or a picture of another kind.
    """
    if out.suffix not in (".svg", ".png"):
        raise BadInput(f"--out is {out}; expected a name that ends in .svg or .png.")
    logs = {run.resolve().name: _read(run) for run in runs}
    if len(logs) < len(runs):
        raise BadInput("Two runs have a folder of the same name; the picture could not tell them apart.")
    spec = chart(logs).to_dict()
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".svg":
        out.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
    else:
        png = Image.open(BytesIO(vl_convert.vegalite_to_png(spec, scale=1.5)))
        png.convert("RGB").quantize(COLOURS).save(out, optimize=True)
    return out.stat().st_size


def _read(run: Path) -> list[dict[str, Any]]:
    log = run / LOG
    if not log.is_file():
        raise BadInput(f"{run} holds no {LOG}; give the folder of a training run.")
    # A run that goes on may be half-way through its last line.
    return [
        json.loads(line) for line in log.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")
    ]


def chart(logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Return the picture as a chart of charts.

    Args:
        logs: Name of a run → the lines of its log, in order.

    Raises:
        BadInput: Nothing to draw.
    """
    logged = dict.fromkeys(key for lines in logs.values() for line in lines for key in line if line[key] is not None)
    titles = dict(_titles(logged))
    if not titles:
        raise BadInput(f"The logs of {', '.join(logs)} hold no figure to draw yet.")
    found = [_panel(key, title, logs) for key, title in titles.items()]
    return (
        alt.concat(*found, columns=COLUMNS, bounds="flush", spacing={"row": 44, "column": SCALE + 14})
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e6e6e6", domain=False, ticks=False, labelFontSize=10)
        .configure_axisY(minExtent=SCALE, maxExtent=SCALE)
        .configure_title(fontSize=12, anchor="start", frame="group", fontWeight="normal")
        .configure_legend(
            orient="top", title=None, labelFontSize=12, labelLimit=400, symbolStrokeWidth=3, symbolOpacity=1
        )
        .properties(background="white", padding=16, title=TITLE)
    )


def _titles(logged: Mapping[str, None]) -> Iterator[tuple[str, str]]:
    """Yield what is drawn, in its order: name in the log, and title."""
    for key, title in FIGURES.items():
        if key in logged:
            yield key, title
        if key == "reward":
            for name in logged:
                if name.startswith("rewards/") and name.endswith("/mean"):
                    yield name, f"reward: {name.split('/')[1]}"
    if "loss" in logged and "reward" not in logged:
        yield "loss", "loss"


def _panel(key: str, title: str, logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    rows = [{"run": run, **point} for run, lines in logs.items() for point in points(lines, key)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("step:Q", title=None, scale=alt.Scale(nice=False), axis=STEPS),
        color=alt.Color("run:N", scale=alt.Scale(domain=list(logs), scheme="tableau10")),
    )
    scale = alt.Scale(domain=[0, 1]) if key in SHARES else alt.Scale(zero=False)
    up: dict[str, Any] = {"scale": scale, "title": None, "axis": alt.Axis(tickCount=2 if key in SHARES else 4)}
    return alt.layer(
        base.mark_line(strokeWidth=1, opacity=0.3).encode(y=alt.Y("value:Q", **up)),
        base.mark_line(strokeWidth=2).encode(y=alt.Y("smooth:Q", **up)),
    ).properties(width=WIDTH, height=HEIGHT, title=title)


def points(lines: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, float]]:
    """Return a curve: `step`, `value`, and `smooth`, the mean of the last `WINDOW` values.

    Args:
        lines: Of a log, in order.
        key: Name of the figure; lines without it are passed over.

    Returns:
        At most `MOST` points; where there are more lines, each is the mean of several.
    """
    known = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
    size = -(-len(known) // MOST)
    parts = [known[start : start + size] for start in range(0, len(known), size or 1)]
    values = [sum(value for _, value in part) / len(part) for part in parts]
    recent = [values[max(0, at + 1 - WINDOW) : at + 1] for at in range(len(values))]
    return [
        {"step": part[-1][0], "value": round(value, 5), "smooth": round(sum(last) / len(last), 5)}
        for part, value, last in zip(parts, values, recent, strict=True)
    ]
