"""What the guard would make of a script's lines: said in the desk before a customer's call shows it."""

import re

from guardrails.check import check_reply
from nodes.lines import values_for
from scripts_library.loading import CampaignData
from scripts_library.schema import Language
from ui.shared import calls
from ui.text import plain
from ui.why import rule_name
from ui.words import t

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def stopped_lines(data: CampaignData, language: Language, lines: list[str]) -> list[str]:
    """Return a sentence for each line that the rules would stop in every call, whatever fills its placeholders."""
    sheet = calls().resources.fact_sheet(data.campaign.name, language)
    known = values_for(data.campaign, language, {}, {})
    found: list[str] = []
    for number, line in enumerate(lines, start=1):
        filled = _PLACEHOLDER.sub(lambda match: known.get(match.group()[1:-1], "…"), line)
        for hit in check_reply(filled, sheet):
            what = t("desk.would_stop", n=number, text=plain(hit["text"]), rule=plain(rule_name(hit["name"])))
            found.append(what)
    return found
