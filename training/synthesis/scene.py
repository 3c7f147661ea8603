"""What a dialogue is made from: a transcript, a persona or an expert's answer, with a profile and a strategy."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from evaluation.scenarios.schema import Tier
from graph.settings import Settings
from nodes.lines import filled, values_for
from scripts_library.loading import CampaignData
from scripts_library.schema import Data, Language, Line, Name, Strategy, Text
from scripts_library.yaml_lines import read_yaml
from training.corpus.schema import Dialogue, DialogueTurn, Split
from training.synthesis.teacher import Teacher

DATA = Path(__file__).with_name("data")
ManagerKind = Literal["graph", "model"]


class Persona(Data):
    """One customer: what the customer knows of itself, and which of it the seller is told (`profile`)."""

    id: Name
    tier: Tier
    profile: dict[Name, str] = Field(default_factory=dict, description="Fields of the campaign's profile schema.")
    persona: Text
    reason: Text


class ExpertAnswer(Data):
    """A customer's line with the answer that an expert gave to it."""

    id: Name
    kind: Literal["fact", "worry", "ending", "safety"] = Field(
        description="A fact, a worry met with one, a call that the agent ends, or a line that must be handled with care."
    )
    question: Line
    answer: Line


@cache
def _personas() -> Mapping[str, list[Persona]]:
    return TypeAdapter(dict[str, list[Persona]]).validate_python(read_yaml(DATA / "personas.yaml").data)


@cache
def _answers() -> Mapping[str, Mapping[Language, list[ExpertAnswer]]]:
    adapter = TypeAdapter(dict[str, dict[Language, list[ExpertAnswer]]])
    return adapter.validate_python(read_yaml(DATA / "expert_answers.yaml").data)


def personas_of(campaign: str, language: Language) -> list[Persona]:
    """Return the customers of a campaign that speak a language; those of `any` campaign where it has none of its own."""
    held = _personas().get(campaign) or _personas()["any"]
    return [one for one in held if language in one.persona]


def expert_answers(campaign: str, language: Language) -> list[ExpertAnswer]:
    """Return a campaign's expert answers in a language; may be empty."""
    return list(_answers().get(campaign, {}).get(language, []))


@dataclass(frozen=True)
class Scene:
    """One dialogue to make. Its id names what it is made from, so that nothing is made twice."""

    id: str
    profile: dict[str, str]
    strategy: Strategy
    seeds: tuple[str, ...]
    split: Split = "train"
    transcript: Dialogue | None = None
    persona: Persona | None = None
    opening: str = ""
    """The customer's first words; empty: its own choice."""
    expert: ExpertAnswer | None = None


@dataclass(frozen=True)
class Talk:
    """What a method returns: the dialogue without its origin."""

    turns: list[DialogueTurn]
    profile: dict[str, str]
    strategy: str
    outcome: str = ""


@dataclass(frozen=True)
class Workshop:
    """Everything that the methods work with, for one campaign and language."""

    data: CampaignData
    language: Language
    teacher: Teacher
    settings: Settings
    """Where the customer's and the graph's models are served."""
    customer: str = ""
    """Model that plays the customer; empty: the teacher."""
    manager: ManagerKind = "graph"
    seed: int = 0
    transcripts: list[Dialogue] = field(default_factory=list)

    def drawing(self, scene: str) -> random.Random:
        """Return the dice of one scene: the same ones whenever it is made."""
        return random.Random(f"{self.seed}|{scene}")

    @cached_property
    def personas(self) -> list[Persona]:
        """The campaign's customers."""
        return personas_of(self.data.campaign.name, self.language)

    @cached_property
    def strategies(self) -> list[Strategy]:
        """The campaign's calling tips in this language."""
        return [one for one in self.data.campaign.strategies if self.language in one.text]

    @cached_property
    def role(self) -> dict[str, str]:
        """Who sells, what for, and what may be said: the same in every prompt, so that a prefix cache helps."""
        campaign, language = self.data.campaign, self.language
        return {
            "agent": campaign.agent.name[language],
            "organisation": campaign.agent.organisation[language],
            "goal": campaign.goal[language],
            "facts": "\n".join(f"- {fact.text[language]}" for fact in campaign.facts if language in fact.text),
        }

    def told_profile(self, profile: Mapping[str, str]) -> str:
        """Return a profile as prompts show it."""
        labels = {
            one.name: one.label[self.language] for one in self.data.campaign.profile if self.language in one.label
        }
        told = [f"{labels.get(name, name)}: {value.replace('_', ' ')}" for name, value in profile.items()]
        return "; ".join(told) or {"en": "nothing known", "zh": "暂无"}[self.language]

    def greeting(self, scene: Scene) -> DialogueTurn:
        """Return the campaign's approved opening: turn 0 of every served call is one."""
        campaign = self.data.campaign
        values = values_for(campaign, self.language, scene.profile, {})
        line = self.drawing(scene.id).choice(filled(campaign.lines.greeting[self.language], values))
        return DialogueTurn(role="agent", text=line, stage="opening")
