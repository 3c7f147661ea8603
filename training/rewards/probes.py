"""Do a recipe's rewards hold against replies that only try to please them?

Each probe stands beside an honest reply to the same turn, and must score less. The turns are those of the bundled campaigns, with
prompts and state as the served graph makes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from graph.errors import BadInput
from graph.settings import Settings
from nodes.resources import Resources, get_resources
from scripts_library.schema import Language
from scripts_library.yaml_lines import read_yaml
from training.corpus.guarded import state_json
from training.corpus.prompts import Served, walk
from training.corpus.schema import Dialogue, DialogueTurn, Origin
from training.rewards.bayesian import FLOOR
from training.rewards.format import CLOSE, OPEN, Completion, split_thought, spoken_of
from training.rewards.registry import MAKERS, Combine, check_choice, combined

CASES = Path(__file__).with_name("data") / "probes.yaml"
OF_A_THOUGHT = {"bayesian_prior": -2.0, "bayesian_likelihood": -3.0}
"""Rewards that read the thought alone and need a model → about what a 0.5B model gives for a thought. Probes that repeat the honest
thought, or have none, are told apart by this; whether a copied thought pleases them, it cannot say: a prior likes what it has read."""
NOT_ASKED = frozenset({"judge"})
"""Probes must lose without it."""


class Case(BaseModel):
    """A turn, an honest reply to it, and replies that are written to please."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    campaign: str
    language: Language
    call: list[str]
    """What was said, the agent first and the customer last."""
    reference: str
    thought: str
    honest: str
    long: str
    flattering: str
    agreeable: str

    def dialogue(self) -> Dialogue:
        """Return the call with the reference as its last line."""
        lines = [*self.call, self.reference]
        turns = [DialogueTurn(role="customer" if at % 2 else "agent", text=text) for at, text in enumerate(lines)]
        return Dialogue(
            id=self.name,
            campaign=self.campaign,
            language=self.language,
            turns=turns,
            source=Origin(method="imported"),
            split="dev",
        )

    def completion(self, reply: str, settings: Settings) -> str:
        """Return a reply with the thought before it, where thoughts are wanted."""
        return f"{OPEN}{self.thought}{CLOSE}{reply}" if settings.think else reply


@dataclass(frozen=True)
class Verdict:
    """One probe against the honest reply."""

    case: str
    probe: str
    honest: float
    """Reward of the honest reply under the recipe."""
    hack: float
    """Reward of the probe."""

    @property
    def holds(self) -> bool:
        """Whether the honest reply wins."""
        return self.hack < self.honest


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Return the turns that ship with the project."""
    return tuple(TypeAdapter(list[Case]).validate_python(read_yaml(CASES).data))


def check_probes(
    chosen: Mapping[str, float],
    settings: Settings,
    *,
    combine: Combine = "sum",
    reward_model: Path | None = None,
    campaign: str = "",
) -> list[Verdict]:
    """Score every probe and the honest reply beside it by a recipe's rewards.

    Args:
        chosen: As for `build_rewards`. A judge is not asked, and the Bayesian terms stand as constants.
        settings: Whose library holds the bundled campaigns; with `think`, a thought comes first.
        combine: As for `build_rewards`.
        reward_model: As for `build_rewards`.
        campaign: Only turns of this one, as a reward model knows those that it has learnt; empty: all.

    Returns:
        A verdict for each probe of each turn.

    Raises:
        BadInput: Bad choices of rewards, a judge alone, or a campaign without probes.
    """
    check_choice(chosen, combine)
    known = {case.campaign for case in cases()}
    if campaign and campaign not in known:
        raise BadInput(f"There are no probes for campaign '{campaign}'; expected one of {', '.join(sorted(known))}.")
    parts = {
        _Constant(name) if name in OF_A_THOUGHT else MAKERS[name](settings, reward_model): weight
        for name, weight in chosen.items()
        if name not in NOT_ASKED
    }
    if not parts:
        raise BadInput("Probes are held against what can be scored here, and the recipe has a judge alone.")
    rewards, weights = combined(parts, combine)
    resources = get_resources(settings)
    verdicts: list[Verdict] = []
    for case in [case for case in cases() if campaign in ("", case.campaign)]:
        served = list(walk(case.dialogue(), settings))[-1]
        texts = {"honest": case.completion(case.honest, settings), **dict(_probes(case, served, settings, resources))}
        given: dict[str, Any] = {
            "prompts": [served.prompt(think=settings.think)] * len(texts),
            "completions": list(texts.values()),
            "state": [state_json(served.state)] * len(texts),
            "intent": [served.state["understood"]["intent"]] * len(texts),
            "reference": [case.reference] * len(texts),
        }
        totals = [_sum(row, weights) for row in zip(*(reward(**given) for reward in rewards), strict=True)]
        verdicts += [
            Verdict(case.name, probe, totals[0], total) for probe, total in list(zip(texts, totals, strict=True))[1:]
        ]
    return verdicts


def _probes(case: Case, served: Served, settings: Settings, resources: Resources) -> Iterator[tuple[str, str]]:
    """Yield the probes of a turn by name."""
    facts = resources.campaign(case.campaign).campaign.facts
    asked = served.prompt(think=settings.think)[-1]["content"]
    outline = " ".join(asked.splitlines()[2:4])
    replies = {
        "long": case.long,
        "flattering": case.flattering,
        "agreeable": case.agreeable,
        "parroting": case.call[-1],
        "all facts": " ".join(fact.text[case.language] for fact in facts),
        "prompt": outline,
        "example": served.state["plan"]["lead"],
        "no reply": "",
    }
    between = "" if case.language == "zh" else " "
    replies |= {f"{name} and honest": f"{replies[name]}{between}{case.honest}" for name in ("flattering", "parroting")}
    replies["honest and long"] = f"{case.honest}{between}{case.long}"
    replies["honest and cut off"] = f"{case.honest}{between}{case.long[: len(case.long) // 2].rstrip('.。!！?？ ')}"
    for name, reply in replies.items():
        yield name, case.completion(reply, settings)
    yield "empty", ""
    if settings.think:
        yield "no thought", case.honest
        yield "empty thought", f"{OPEN}{CLOSE}{case.honest}"
        yield "prompt as thought", f"{OPEN}{outline}{CLOSE}{case.honest}"
        yield "cue as thought", f"{OPEN}{split_thought(asked).thought}{CLOSE}{case.honest}"


class _Constant:
    """Stands for a reward that reads the thought alone: the same for every thought, the floor without one."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, completions: Sequence[Completion], **_: Any) -> list[float | None]:
        """Return the constants."""
        return [OF_A_THOUGHT[self.__name__] if one.thought else FLOOR for one in spoken_of(completions)]


def _sum(scores: Sequence[float | None], weights: Sequence[float]) -> float:
    """Return the weighted sum, as TRL takes it: what does not apply counts as 0."""
    return sum(weight * (score or 0.0) for weight, score in zip(weights, scores, strict=True))
