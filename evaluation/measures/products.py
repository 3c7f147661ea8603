"""Several products to sell: does the agent find the one that the customer is after, and is it the one that was agreed?

A product is named where enough of what sets its name apart from the other products' names is said: half of the words in
English, a third of the pairs of characters in Chinese. People shorten names, and products of one shop share words.

Source: SalesLLM, arXiv 2604.07054, its modes with 6 and 15 products; the two figures are ours.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from evaluation.customers.overlap import tokens
from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay, Said
from evaluation.measures.scored import absent, judged
from evaluation.measures.success import AGREED
from scripts_library.schema import Language

METRICS = [
    Metric("graph.target_named", "graph", "Calls that name the product the customer is after", "higher", "share"),
    Metric("graph.target_agreed", "graph", "Agreements on the product the customer is after", "higher", "share"),
]
ENOUGH: dict[Language, float] = {"en": 1 / 2, "zh": 1 / 3}
"""Share of a name that names the product; less in Chinese, where pairs of characters reach from one word into the next."""
Units = frozenset[tuple[str, ...]]


def product_scores(call: Replay) -> list[Score]:
    """Score whether the agent named the target among its products, and whether what was agreed was the target.

    Both are None where there is one product only. What was agreed is what either side named last before the call had its
    outcome; None where nothing was agreed, or nothing was named.
    """
    target, names = call.scenario.product, _names(call)
    if call.scenario.products == 1 or target not in names or len(names) == 1:
        reason = "one product" if call.scenario.products == 1 else "the facts do not begin with the products' names"
        return [absent(metric.name, reason) for metric in METRICS]
    language = call.scenario.language
    marks = _marks(names, language)
    told = [(said, _named(said.turn["reply"], marks, language)) for said in call.turns if said.by_agent]
    hits = [said.number for said, found in told if target in found]
    others = sorted({name for _, found in told for name in found if name != target})
    reason = f"{target}: " + (f"named in {len(hits)} replies" if hits else "never named")
    named = judged(
        METRICS[0].name, bool(hits), f"{reason}; others named: {', '.join(others)}" if others else reason, hits
    )
    return [named, _agreed(call, target, marks, language)]


def _agreed(call: Replay, target: str, marks: Mapping[str, Units], language: Language) -> Score:
    metric = METRICS[1].name
    if call.status not in AGREED:
        return absent(metric, "nothing was agreed")
    for said in reversed(_until_agreed(call)):
        if found := _named(f"{said.turn['customer']} {said.turn['reply']}", marks, language):
            return judged(metric, target in found, f"named last before: {', '.join(sorted(found))}", [said.number])
    return absent(metric, "agreed without a product's name")


def _until_agreed(call: Replay) -> list[Said]:
    """Return the turns up to the one in which the call had its outcome, that one among them."""
    last = max((place for place, said in enumerate(call.turns) if said.turn["outcome"] != call.status), default=-1)
    return call.turns[: last + 2]


def _names(call: Replay) -> list[str]:
    """Return the products' names, which stand before each fact of a campaign with several."""
    target, facts = call.scenario.product, call.data.campaign.facts
    texts = (fact.text.get(call.scenario.language, "") for fact in facts)
    found = (target if text.startswith(f"{target}: ") else text.partition(": ")[0] for text in texts)
    return list(dict.fromkeys(found))


def _marks(names: list[str], language: Language) -> dict[str, Units]:
    """Return what sets each name apart; all of it where another name holds it whole."""
    whole = {name: frozenset(_units(name, language)) for name in names}
    often = Counter(unit for units in whole.values() for unit in units)
    return {name: frozenset(unit for unit in units if often[unit] == 1) or units for name, units in whole.items()}


def _units(name: str, language: Language) -> Iterator[tuple[str, ...]]:
    said = tokens(name, language)
    yield from pairwise(said) if language == "zh" and len(said) > 1 else ((word,) for word in said)


def _named(text: str, marks: Mapping[str, Units], language: Language) -> set[str]:
    said = tokens(text, language)
    units = {*pairwise(said), *((word,) for word in said)}
    return {name for name, mark in marks.items() if mark and len(mark & units) >= ENOUGH[language] * len(mark)}
