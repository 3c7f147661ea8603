"""The persona buyer: a chat model that plays the scenario's customer from a private prompt.

Source: SalesLLM, arXiv 2604.07054 (private prompt, style line per tier, brief spoken answers). Departures: the inclination
is told in words alone and never as a number; what the customer asks, doubts and tells stands in the prompt as lists; the end
of a call is read by `ending.py`.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from string import Template

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from evaluation.customers.ending import refuses, says_goodbye
from evaluation.customers.protocol import Note
from evaluation.customers.wording import Wording
from evaluation.judging.model import load_judge
from evaluation.scenarios.schema import Scenario, Tier
from graph.errors import ModelUnavailable
from graph.records import ConversationRecord, TurnRecord
from graph.settings import Settings
from guardrails.sentences import split_sentences
from guardrails.text import han_count
from nodes.prompting import as_data
from nodes.speak import MODEL_TROUBLE
from scripts_library.loading import CampaignData
from scripts_library.schema import Language

PROMPTS = Path(__file__).parent / "prompts"
TEMPERATURE = 0.8
"""SalesLLM's."""
MAX_TOKENS = 60
SECONDS = 60.0
"""Longest wait for a line."""
LONGEST = 300
"""Characters of a line."""
SENTENCES = 2
"""Of a line; small models go on and on, and then drift into the seller's part."""
ENDS = tuple(".!?。！？…")
STYLES: dict[Language, dict[Tier, str]] = {
    "en": {
        "easy": "You are keen and decide fast; money is not tight.",
        "medium": "You weigh things up; your doubts are real but can be answered.",
        "hard": "You are sceptical and careful with money and risk; only specific evidence moves you.",
        "very_hard": "You must follow rules and procedures, and you would rather put it off.",
        "adversarial": "You look for reasons to rule it out: odd cases, legal risk, the whole cost.",
    },
    "zh": {
        "easy": "你很有兴趣，决定得快，手头也宽裕。",
        "medium": "你会权衡，顾虑是真的，但能被打消。",
        "hard": "你多疑，对价格和风险都很小心，只有具体的证据才能打动你。",
        "very_hard": "你要走规定和流程，能拖就拖。",
        "adversarial": "你专找理由排除它：特殊情况、法律风险、全部花费。",
    },
}
_NOTHING: dict[Language, str] = {"en": "nothing in particular", "zh": "没有特别的"}
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_LABEL = re.compile(r"^\W*(?:customer|user|client|buyer|me|客户|顾客|用户|买家|我)\W{0,3}[:：][\s*]*", re.IGNORECASE)
_OTHER = re.compile(
    r"(?:^|\s)\W*(?:seller|agent|assistant|salesperson|sales ?rep|销售|客服|助手|坐席)\W{0,3}[:：].*$", re.IGNORECASE
)
_ASIDE = re.compile(r"[（(\[【][^）)\]】]{0,80}[）)\]】]|(?<!\w)\*[^*\s][^*]{0,60}\*(?!\w)")


class PersonaBuyer:
    """A prompted customer.

    Args:
        scenario: Who the customer is; its own `customer_prompt`, where it has one, is used as it stands.
        campaign: Gives the words for the intents that the customer asks about.
        seed: Of the model's sampling, one for each line.
        settings: Where the judge's and customers' models are served.
        model: Name of the model; None: `settings.judge`.
        temperature: Of its sampling.
        earlier: Calls that the customer has had with the agent before.

    Raises:
        BadInput: The model's name is unknown.
        ModelUnavailable: Weights or server cannot be had.
    """

    def __init__(
        self,
        scenario: Scenario,
        campaign: CampaignData,
        seed: int,
        settings: Settings,
        model: str | None = None,
        temperature: float = TEMPERATURE,
        earlier: Sequence[ConversationRecord] = (),
    ) -> None:
        self.name = f"persona ({model or settings.judge})"
        self._scenario, self._seed, self._temperature = scenario, seed, temperature
        self._system = scenario.customer_prompt or private_prompt(scenario, campaign)
        self._earlier = [turn for call in earlier for turn in call["turns"]]
        self._settings = settings if model is None else settings.model_copy(update={"judge": model})
        self._model = load_judge(self._settings)

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return the model's line; None once it took leave, refused twice, said the same three times running, or the call is over.

        Raises:
            ModelUnavailable: The model failed, or said nothing twice.
        """
        said = [turn["customer"] for turn in record["turns"] if turn.get("customer")]
        if record["ended"] or len(said) >= self._scenario.max_turns or _is_done(said):
            return None
        if not said and self._scenario.opening and not self._earlier:
            return self._scenario.opening
        prompt = self._prompt(record)
        for attempt in range(2):
            line = clean(self._ask(prompt, self._seed + 1000 * len(said) + attempt))
            if line:
                return line
        raise ModelUnavailable(f"The customer's model {self._settings.judge} said nothing, twice.")

    def notes(self, record: ConversationRecord) -> list[Note]:
        """Return nothing: a model's hidden state cannot be read."""
        return []

    def _prompt(self, record: ConversationRecord) -> list[BaseMessage]:
        return lay_out(self._system, [*self._earlier, *record["turns"]], self._scenario.language)

    def _ask(self, prompt: list[BaseMessage], seed: int) -> str:
        try:
            answer = self._model.invoke(
                prompt, temperature=self._temperature, max_tokens=MAX_TOKENS, seed=seed % 2**31, timeout=SECONDS
            )
        except MODEL_TROUBLE as error:
            raise ModelUnavailable(f"The customer's model {self._settings.judge} failed: {error}") from error
        return answer.text


def lay_out(system: str, turns: Sequence[TurnRecord], language: Language) -> list[BaseMessage]:
    """Return a call as a customer's model is asked: the roles are swapped, the agent's words are the user's.

    Small models forget their part within a few lines, so it is told once more beside the last words (SalesLLM's runner
    reminds of the language in the same way).

    Args:
        system: Who the customer is.
        turns: At least one, each a customer's line (empty in the first) and the agent's answer.
        language: Of the reminder.
    """
    built: list[BaseMessage] = [SystemMessage(system)]
    for turn in turns:
        if turn.get("customer"):
            built.append(AIMessage(turn["customer"]))
        built.append(HumanMessage(as_data(turn.get("reply", "")) or "…"))
    last = built.pop()
    return [*built, HumanMessage(_template(f"turn.{language}").substitute(said=last.text))]


def private_prompt(scenario: Scenario, campaign: CampaignData) -> str:
    """Return the prompt of a scenario's customer; neither tier nor propensity stands in it by name or number."""
    language = scenario.language
    wording = Wording(campaign.campaign.name, campaign.intents, language)

    def spoken(intents: Sequence[str]) -> str:
        """Quote one line for each intent: labels ("asks whether the agent gives") are words that no customer says."""
        return gap.join(f'"{Random(f"{scenario.id}|{name}").choice(wording.lines(name))}"' for name in intents)

    gap, nothing = ("；" if language == "zh" else "; "), _NOTHING[language]
    limit = "" if scenario.price_limit is None else f"{scenario.price_limit:g} {campaign.campaign.currency}"
    return _template(f"persona.{language}").substitute(
        persona=scenario.persona,
        reason=scenario.reason,
        style=STYLES[language][scenario.tier],
        known=gap.join(scenario.known) or nothing,
        if_asked=gap.join(scenario.if_asked.values()) or nothing,
        questions=spoken(scenario.questions) or nothing,
        objections=spoken(scenario.objections) or nothing,
        limit=limit or nothing,
    )


def told_of_itself(scenario: Scenario) -> str:
    """Return who a scenario's customer was told to be and what it knows of itself: what it must not contradict."""
    most = {"en": "Pays at most {:g}.", "zh": "最多付{:g}。"}[scenario.language]
    limit = [] if scenario.price_limit is None else [most.format(scenario.price_limit)]
    return " ".join((scenario.persona, scenario.reason, *scenario.known, *scenario.if_asked.values(), *limit))


@cache
def _template(name: str) -> Template:
    return Template((PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip())


def clean(text: str) -> str:
    """Return one spoken line of a model's text.

    That is at most two sentences, without one that was cut off, and without thoughts, role labels, stage directions and the
    other side's part; empty where nothing is left.
    """
    first = next((line for line in _THOUGHT.sub("", text).splitlines() if line.strip(" *#-")), "")
    plain = _ASIDE.sub(" ", _OTHER.sub("", _LABEL.sub("", first.strip())))
    line = " ".join(plain.split()).strip('"“”「」 ')[:LONGEST].strip()
    sentences = split_sentences(line)
    if len(sentences) > 1 and not sentences[-1].endswith(ENDS):
        sentences.pop()
    return ("" if han_count(line) > len(line) / 3 else " ").join(sentences[:SENTENCES])


def _is_done(said: list[str]) -> bool:
    if not said:
        return False
    again = len(said) > 2 and len(set(said[-3:])) == 1
    return says_goodbye(said[-1]) or again or sum(1 for line in said if refuses(line)) >= 2
