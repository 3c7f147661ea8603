"""Where scripts are missing: published scripts counted by language, stage and intent, and the intents that have none."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scripts_library.loading import CampaignData
from scripts_library.schema import ANY_INTENT, STAGES, Intent, Language, Script, Stage


@dataclass(frozen=True)
class Hole:
    """A place in which a customer may be and no published script is."""

    language: Language
    stage: Stage
    intent: str
    drafts: int
    """Drafts that wait for this place."""


@dataclass(frozen=True)
class Coverage:
    """What a campaign has, and what it lacks."""

    published: Counter[tuple[str, str, str]]
    """(language, stage, intent) → published scripts."""
    drafts: Counter[tuple[str, str, str]]
    """(language, stage, intent) → scripts that no customer hears yet."""
    holes: list[Hole]
    """Intents without a script where they lead, general scripts included."""
    without_examples: list[tuple[Language, str]]
    """(language, intent) that the classifier has nothing to learn from."""


def coverage(data: CampaignData, live: Iterable[Script], latest: Iterable[Script]) -> Coverage:
    """Count a campaign's scripts, and find what is missing.

    An intent that leads to a stage needs a script there; one that leads nowhere (the call stays where it is) needs one in any stage.
    Intents that approved lines of the campaign answer (opt-out, handoff, off topic) need none.

    Args:
        data: The campaign with its intents.
        live: Its published scripts.
        latest: The latest version of each of its scripts.
    """
    published: Counter[tuple[str, str, str]] = Counter(
        (script.language, script.stage, script.intent) for script in live
    )
    drafts: Counter[tuple[str, str, str]] = Counter(
        (s.language, s.stage, s.intent) for s in latest if s.status == "draft"
    )
    holes = [
        Hole(language, stage, intent.name, drafts[language, stage, intent.name])
        for language in data.campaign.languages
        for intent in data.intents
        if _needs_script(intent)
        for stage in _missing(intent, language, published)
    ]
    holes += [
        Hole(language, stage, ANY_INTENT, drafts[language, stage, ANY_INTENT])
        for language in data.campaign.languages
        for stage in STAGES
        if not published[language, stage, ANY_INTENT]
    ]
    empty = [
        (language, intent.name)
        for language in data.campaign.languages
        for intent in data.intents
        if not intent.examples.get(language)
    ]
    return Coverage(published, drafts, holes, empty)


def _needs_script(intent: Intent) -> bool:
    return intent.kind not in ("opt_out", "handoff", "off_topic")


def _missing(intent: Intent, language: Language, published: Counter[tuple[str, str, str]]) -> list[Stage]:
    """Return the stage that lacks a script for an intent; none where there is one."""
    places: tuple[Stage, ...] = (intent.stage,) if intent.stage else STAGES
    if any(published[language, stage, intent.name] for stage in places):
        return []
    return [intent.stage or "analysis"]
