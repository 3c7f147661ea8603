"""What a customer's line tells: values for the slots that the campaign's SOP names."""

import re
from collections.abc import Mapping

from guardrails.privacy import find_personal
from guardrails.quantities import find_quantities
from scripts_library.schema import Campaign, Language, Slot

WHEN = re.compile(
    r"\b(?:today|tonight|tomorrow|next week|this (?:morning|afternoon|evening|week)|(?:on |next |this )?"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)(?:\s+(?:morning|afternoon|evening|night))?"
    r"(?:\s*(?:at|around|after|before)\s*\d{1,2}(?::\d{2})?\s*(?:am|pm|o'clock)?)?"
    r"|\b(?:at|around|after)\s*\d{1,2}(?::\d{2})?\s*(?:am|pm|o'clock)\b"
    r"|(?:今天|今晚|明天|后天|明早|明晚|周末|下周[一二三四五六日天]?|这?(?:周|星期|礼拜)[一二三四五六日天])"
    r"(?:早上|上午|中午|下午|晚上|傍晚)?(?:\s*[\d一二两三四五六七八九十]{1,3}点(?:半|钟|\d{1,2}分)?)?(?:以?后|左右)?"
    r"|(?:早上|上午|中午|下午|晚上)\s*[\d一二两三四五六七八九十]{1,3}点(?:半|钟)?",
    re.IGNORECASE,
)
NAME = re.compile(r"(?:\bmy name is|\bthis is|\bcall me)\s+([A-Z][a-z]{1,20})|(?:我叫|我姓|叫我)([\u4e00-\u9fff]{1,4})")


def _amount(slot: Slot, text: str) -> str | None:
    kinds = {"amount": ("money",), "quantity": ("count", "money")}[slot.kind]
    for found in find_quantities(text):
        value = found.quantity.value
        within = (slot.minimum is None or value >= slot.minimum) and (slot.maximum is None or value <= slot.maximum)
        if found.quantity.kind in kinds and within:
            return found.text.strip()
    return None


def _choice(slot: Slot, text: str, language: Language) -> str | None:
    lower = text.lower()
    for value, keywords in slot.values.items():
        for keyword in keywords.get(language, []):
            word = keyword.lower()
            hit = word in lower if language == "zh" else re.search(rf"\b{re.escape(word)}\b", lower)
            if hit:
                return value
    return None


def _value(slot: Slot, text: str, intent: str, language: Language) -> str | None:
    match slot.kind:
        case "amount" | "quantity":
            return _amount(slot, text)
        case "datetime":
            found = WHEN.search(text)
            return found.group(0).strip() if found else None
        case "phone" | "email":
            email = slot.kind == "email"
            return next((value for value in find_personal(text) if ("@" in value) == email), None)
        case "name":
            named = NAME.search(text)
            return (named.group(1) or named.group(2)) if named else None
        case "choice":
            return _choice(slot, text, language)
        case "intent":
            return slot.intents.get(intent)


def fill_slots(
    campaign: Campaign, known: Mapping[str, str], text: str, intent: str, language: Language
) -> dict[str, str]:
    """Return the slots known after this line; a newer value replaces an older one.

    Args:
        campaign: Names the slots.
        known: What was known before.
        text: The customer's line.
        intent: The line's intent; sets the slots of kind `intent`.
        language: Language of the line.
    """
    slots = dict(known)
    for slot in campaign.slots:
        value = _value(slot, text, intent, language)
        if value:
            slots[slot.name] = value[:80]
    return slots
