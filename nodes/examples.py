"""The static few-shot prompt's examples: one exchange a stage, from the campaign's published scripts."""

from typing import TYPE_CHECKING

from nodes.lines import filled, values_for
from nodes.prompting import render
from scripts_library.schema import STAGES, Campaign, Language, Script

if TYPE_CHECKING:
    from nodes.resources import Resources


def exchanges(campaign: Campaign, language: Language, scripts: list[Script]) -> str:
    """Return the examples as text; the same for every call, so nothing of a customer fills their lines.

    Args:
        campaign: Fills the lines' placeholders with its facts.
        language: Language of the examples.
        scripts: Published scripts in that language, in any order: of each stage the first by id that has a line is taken.
    """
    values = values_for(campaign, language, {}, {})
    examples = []
    for stage in STAGES:
        able = sorted((script for script in scripts if script.stage == stage), key=lambda script: script.id)
        lines = [(script.situation[0], line) for script in able for line in filled(script.say, values)[:1]]
        examples += [render(f"example.{language}", customer=said, reply=line) for said, line in lines[:1]]
    return "\n".join(examples)


def few_shot(resources: "Resources", name: str, language: Language) -> str:
    """Return a campaign's examples, read once and again when the campaign is edited."""
    data = resources.campaign(name)
    return resources.once(
        f"examples:{name}:{language}",
        lambda: exchanges(data.campaign, language, resources.library.list(name, language=language, status="published")),
        stamp=data,
    )
