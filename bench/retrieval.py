"""How long a filtered top-5 search takes with 10,000 and 100,000 published scripts; `python -m bench.retrieval --scripts 10000`.

The scripts lie in one campaign × 2 languages × 4 stages × 12 intents. Their vectors are drawn, clustered by intent, instead of
embedded, which would take hours; the embedding of one query by the real model is reported apart.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bench.setting import fresh_home, percentile, settings_for
from graph.terminal import say
from scripts_library.library import Library, open_library
from scripts_library.loading import bundled
from scripts_library.schema import STAGES, Language, Script

CAMPAIGN = "lantern_local"
DIMENSION = 384
LANGUAGES: tuple[Language, ...] = ("en", "zh")
INTENTS = 12
QUERIES = 1000
CHUNK = 10_000
LIMITS_MS = {10_000: 5.0, 100_000: 10.0}
"""Highest p95 of a search."""


class DrawnEmbedder:
    """Draws a vector for a text `CLUSTER NUMBER`: the cluster's centre with noise."""

    name = "drawn"
    dimension = DIMENSION

    def query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Draw vectors, (n, d), of unit length."""
        return self.passage(texts)

    def passage(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Draw vectors, (n, d), of unit length."""
        vectors = np.stack([self._draw(text.split("\n")[0]) for text in texts])
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def _draw(self, text: str) -> NDArray[np.float32]:
        seeds = [int(part) if part.isdigit() else 0 for part in text.split()[:2]]
        centre = np.random.default_rng(seeds[0]).normal(size=DIMENSION)
        noise = np.random.default_rng(seeds).normal(size=DIMENSION)
        return (centre + noise).astype(np.float32)


def run(sizes: Sequence[int] = (10_000, 100_000)) -> None:
    """Print the figures for each library size."""
    say("retrieval: filtered top-5 search")
    for size in sizes:
        _measure(size)
    with fresh_home() as home:
        from serving.embed import load_embedder

        embedder = load_embedder(settings_for(home))
        times = [_timed(partial(embedder.query, [f"That is too expensive for my shop, {n} yuan?"])) for n in range(60)]
        say(f"  one query embedding ({embedder.name}): p50 {percentile(times[10:], 50):.1f} ms")


def _measure(size: int) -> None:
    with fresh_home() as home:
        settings, embedder = settings_for(home), DrawnEmbedder()
        folders = {CAMPAIGN: bundled()[CAMPAIGN]}
        with open_library(settings, embedder, campaigns=folders) as library:
            places = list(
                product(LANGUAGES, STAGES, [intent.name for intent in library.campaign(CAMPAIGN).intents][:INTENTS])
            )
            started = time.perf_counter()
            for first in range(0, size, CHUNK):
                library.add_many([_script(n, places) for n in range(first, min(first + CHUNK, size))], "bench")
            built = time.perf_counter() - started
        started = time.perf_counter()
        with open_library(settings, embedder, campaigns=folders) as library:
            opened = time.perf_counter() - started
            warmed = _timed(library.warm)
            cold = _search(library, embedder, places, len(places) * 2)
            warm = _search(library, embedder, places, QUERIES)
        p95 = percentile(warm, 95)
        verdict = (
            f", limit {LIMITS_MS[size]:g}: {'kept' if p95 <= LIMITS_MS[size] else 'BROKEN'}"
            if size in LIMITS_MS
            else ""
        )
        say(f"  {size} scripts: p50 {percentile(warm, 50):.2f} ms, p95 {p95:.2f} ms{verdict}")
        say(
            f"    the first {len(cold)} after opening: p50 {percentile(cold, 50):.2f} ms, p95 {percentile(cold, 95):.2f} ms; "
            f"opened in {opened * 1000:.0f} ms, connected in {warmed:.0f} ms; loaded {size / built:.0f} scripts/s"
        )


def _script(number: int, places: Sequence[tuple[Language, str, str]]) -> Script:
    language, stage, intent = places[number % len(places)]
    return Script(
        id=f"bench-{number}",
        campaign=CAMPAIGN,
        language=language,
        stage=stage,
        intent=intent,
        title=f"Script {number}",
        situation=[f"{number % len(places)} {number}", "That is too expensive for a shop like mine."],
        outline=["Acknowledge the worry", "Name one benefit", "Ask one question"],
        say=["I understand. What would it have to bring you to be worth it?"],
        status="published",
    )


def _search(
    library: Library, embedder: DrawnEmbedder, places: Sequence[tuple[Language, str, str]], count: int
) -> list[float]:
    order = np.random.default_rng(7).permutation(count)
    times = []
    for number in order:
        place = int(number) % len(places)
        vector = embedder.query([f"{place} {1_000_000 + int(number)}"])[0]
        times.append(_timed(partial(library.search, CAMPAIGN, *places[place], vector, k=5)))
    return times


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", default="10000,100000", help="Library sizes, with commas.")
    run([int(size) for size in parser.parse_args().scripts.split(",")])
