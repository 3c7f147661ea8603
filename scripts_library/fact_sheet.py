"""What may be said in a campaign, before anything of a call is known: its facts and promises as the rules read them."""

from guardrails.context import Forbidden, GuardContext, Range
from guardrails.quantities import allowed_quantities
from scripts_library.schema import Campaign, Language


def fact_sheet(campaign: Campaign, language: Language, prompt_marks: tuple[str, ...] = ()) -> GuardContext:
    """Build the rules' context of a campaign.

    Args:
        campaign: Gives facts, allowed numbers and promises, forbidden claims and internal terms.
        language: Of the replies to be checked.
        prompt_marks: Headings of prompts, which must never be spoken.
    """
    texts = [text for fact in campaign.facts for text in fact.text.values()]
    return GuardContext(
        language=language,
        allowed=allowed_quantities([*texts, *campaign.allowed.numbers]),
        ranges=tuple(
            Range("money", slot.minimum, slot.maximum, campaign.currency)
            for slot in campaign.slots
            if slot.kind == "amount" and slot.minimum is not None and slot.maximum is not None
        ),
        promises=tuple(campaign.allowed.promises.get(language, [])),
        forbidden=tuple(
            Forbidden(claim.id, claim.reason, pattern, claim.severity)
            for claim in campaign.forbidden
            if claim.status == "published"
            for pattern in claim.patterns.get(language, [])
        ),
        internal_terms=tuple(campaign.internal_terms.get(language, [])),
        prompt_marks=prompt_marks,
        max_chars=campaign.max_chars.get(language, 400),
    )
