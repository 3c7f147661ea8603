"""The state graph as a drawing, made from the compiled graph's own nodes and edges: the stage lit, the turn's path drawn.

Only words of the interface and numbers go into it, nothing of a call's text.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import pairwise

from graph.build import build_graph
from graph.records import TurnRecord
from scripts_library.schema import STAGES
from ui.words import t

WIDTH, MARGIN, ROW, BOX_HEIGHT, BOX_WIDTH, STAGE_WIDTH = 424, 24, 56, 34, 142, 100
START, END = "__start__", "__end__"
LIT, PATH, INK, FAINT, GROUND = "#c2580c", "#0f766e", "#1f2937", "#8a919c", "#fbfbfa"

Edges = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1)
def edges() -> Edges:
    """Return the compiled graph's edges, loops of a node to itself left out."""
    drawn = build_graph().get_graph().edges
    return tuple(sorted((edge.source, edge.target) for edge in drawn if edge.source != edge.target))


@lru_cache(maxsize=1)
def rows() -> dict[str, int]:
    """Return each node's row: the longest way from the start, so that every edge leads down."""
    row = {START: 0}
    for _ in range(len(edges())):
        for source, target in edges():
            if source in row:
                row[target] = max(row.get(target, 0), row[source] + 1)
    return row


def path_of(turn: TurnRecord) -> list[str]:
    """Return the nodes that a turn went through, in order."""
    why = turn["why"]
    if turn["source"] == "human":
        return ["handoff"] if turn["outcome"] == "handoff" else ["handoff", END]
    planned = why.get("lead") or why.get("turn_prompt") or turn["scripts"] or why.get("error", "").startswith("model:")
    path = [START, "understand", "advance", *([turn["stage"], "respond"] if planned else []), "guard"]
    if turn["outcome"] == "handoff":
        return [*path, "handoff"]
    return [*path, "ended", END] if turn["ended"] else [*path, END]


def picture(stage: str, path: Sequence[str]) -> str:
    """Draw the graph as SVG, on a ground of its own, for light and dark pages.

    Args:
        stage: The stage to light.
        path: Nodes that were visited, in order.
    """
    places = _places(rows())
    height = ROW * (max(rows().values()) + 1)
    taken = set(pairwise(path))
    lines = [_line(*edge, places, edge in taken) for edge in sorted(edges(), key=lambda edge: edge in taken)]
    boxes = [_box(name, place, name == stage, name in path) for name, place in places.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + MARGIN} {height}" role="img" '
        f'width="{WIDTH + MARGIN}" height="{height}" aria-label="{escape(t("chat.picture_alt"), quote=True)}" '
        f'font-family="sans-serif" font-size="15"><rect width="100%" height="100%" rx="10" fill="{GROUND}"/>'
        f"{''.join(lines)}{''.join(boxes)}</svg>"
    )


def _places(row: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """Return each node's centre; a row's nodes stand side by side, the stages in the order of a call."""
    order: dict[str, int] = {name: number for number, name in enumerate(STAGES)}
    places = {}
    for number in set(row.values()):
        names = sorted((name for name in row if row[name] == number), key=lambda name: (order.get(name, 0), name))
        for column, name in enumerate(names):
            places[name] = (WIDTH * (2 * column + 1) / (2 * len(names)), ROW * number + ROW / 2)
    return places


def _line(start: str, end: str, places: Mapping[str, tuple[float, float]], taken: bool) -> str:
    """Draw an edge with its head; one that would cross a box goes round on the right."""
    (x1, y1), (x2, y2) = places[start], places[end]
    colour, width = (PATH, 3) if taken else (FAINT, 1)
    if any(y1 < y < y2 and abs(x - (x1 + x2) / 2) < STAGE_WIDTH / 2 for x, y in places.values()):
        side, right = WIDTH + MARGIN / 2, BOX_WIDTH / 2
        curve = f"M{x1 + right:.0f} {y1:.0f} H{side:.0f} V{y2:.0f} H{x2 + right + 5:.0f}"
        head = f"{x2 + right + 6:.0f},{y2 - 4:.0f} {x2 + right + 6:.0f},{y2 + 4:.0f} {x2 + right:.0f},{y2:.0f}"
    else:
        top, bottom = y1 + BOX_HEIGHT / 2, y2 - BOX_HEIGHT / 2
        middle = (top + bottom) / 2
        curve = f"M{x1:.0f} {top:.0f} C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {bottom - 5:.0f}"
        head = f"{x2 - 4:.0f},{bottom - 6:.0f} {x2 + 4:.0f},{bottom - 6:.0f} {x2:.0f},{bottom:.0f}"
    return (
        f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        f'<polygon points="{head}" fill="{colour}"/>'
    )


def _box(name: str, place: tuple[float, float], lit: bool, visited: bool) -> str:
    """Draw a node: filled when it is the stage, framed when the turn went through it."""
    x, y = place
    stroke, width = (PATH, 3) if visited else (FAINT, 1)
    ink = "#ffffff" if lit else INK if visited else FAINT
    across = STAGE_WIDTH if name in STAGES else BOX_WIDTH
    label = t(f"common.stage_{name}") if name in STAGES else t(f"chat.node_{name}")
    return (
        f'<g class="{name}{" lit" if lit else ""}{" visited" if visited else ""}">'
        f'<rect x="{x - across / 2:.0f}" y="{y - BOX_HEIGHT / 2:.0f}" width="{across}" height="{BOX_HEIGHT}" rx="8" '
        f'fill="{LIT if lit else "#ffffff"}" stroke="{LIT if lit else stroke}" stroke-width="{width}"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" fill="{ink}">'
        f"{escape(label)}</text></g>"
    )
