"""REPO's bank of bad cases: an agent is asked again where it once failed, and scored by fix, clean fix and what is left.

A case is a context, the reply that was bad, the error by name, and how one sees that it is gone. What can be computed decides:
patterns that must or must not be in the reply, guardrail rules that must be silent, and, where words alone do not tell, a
question to a judge. The published bank has 45 cases; its severities are not defined there, ours are the guardrails'.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from evaluation.judging.judge import judge_request
from evaluation.judging.rubric import Choice, Criterion, Request, Rubric
from evaluation.judging.telebot import ALIKE, overlap
from evaluation.judging.transcript import Judged, Said, quoted
from evaluation.report.statistics import mean, sign_flip_p
from graph.errors import BadInput
from graph.intervals import Share
from graph.records import TurnRecord
from guardrails.check import check_reply
from guardrails.context import GuardContext, Severity
from guardrails.patterns import pattern_fault
from guardrails.privacy import find_personal
from guardrails.quantities import allowed_quantities
from guardrails.rules import RULES
from guardrails.text import normalise
from nodes.prompting import PROMPT_MARKS
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import field_name, join_errors, schema_problems
from scripts_library.schema import Campaign, Data, Language, Line, Name, ScriptId, Stage
from scripts_library.yaml_lines import read_yaml

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

BANK = Path(__file__).with_name("data") / "bad_cases.yaml"
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high")
UNANSWERED: Severity = "medium"
"""Of a reply that is free of the error but does not answer."""
Left = Literal["none", "low", "medium", "high"]
Answer = Callable[["BadCase"], TurnRecord]
"""How an agent answers a case."""


class Turn(Data):
    """One earlier turn of the context; the greeting has no customer line."""

    customer: str = ""
    agent: Line


class Fixed(Data):
    """How one sees that the error is gone: everything given must hold."""

    must: list[str] = Field(default_factory=list, description="Patterns of which each must be in the reply.")
    must_not: list[str] = Field(default_factory=list, description="Patterns of which none may be in it.")
    silent: list[Name] = Field(default_factory=list, description="Guardrail rules that may not fire on it.")
    unlike: bool = Field(default=False, description="The reply may not resemble the bad one.")
    ask: str = Field(default="", max_length=600, description="What a judge is asked; yes means fixed.")
    answers: list[str] = Field(
        default_factory=list, description="Patterns that a clean fix must hold as well: not to answer is a new error."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        wrong = [
            f"{pattern!r} is {fault}"
            for pattern in (*self.must, *self.must_not, *self.answers)
            if (fault := pattern_fault(pattern))
        ]
        known = {rule.name for rule in RULES}
        wrong += [f"rule '{name}' is unknown" for name in self.silent if name not in known]
        if not (self.must or self.must_not or self.silent or self.unlike or self.ask):
            wrong.append("say how one sees that the error is gone")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class BadCase(Data):
    """A reply that was bad, and where it was said."""

    id: ScriptId
    campaign: Name
    language: Language
    stage: Stage = "analysis"
    error: Line = Field(description="What was wrong, by name, e.g. `unanswered_question`.")
    severity: Severity
    profile: dict[str, str] = Field(default_factory=dict)
    context: list[Turn] = Field(default_factory=list, description="What was said before; may begin with the greeting.")
    refused: bool = Field(default=False, description="The customer has said no to the offer before this line.")
    asks_identity: bool = False
    customer: Line
    reply: str = Field(min_length=1, description="The bad reply.")
    better: str = Field(default="", description="A reply without the error.")
    fixed: Fixed


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    case: BadCase
    reply: str
    fixed: bool | None
    """None: only a judge could tell, and none was asked or it failed."""
    clean: bool | None
    """Fixed, no guardrail rule fires that the bad reply did not break already, and the question is answered."""
    left: Left | None
    """The worst of what is still or newly wrong."""
    why: str
    excellent: bool | None = None
    """Whether a judge rated the reply best; None: not judged."""


def load_cases(path: Path = BANK) -> list[BadCase]:
    """Read a bank: YAML, or the JSON lines that `salesman marks export --for evaluation` writes.

    Raises:
        BadInput: Every error at once, with its line.
    """
    rows = read_yaml(path) if path.suffix in (".yaml", ".yml") else None
    if rows is None:
        return _exported(path)
    try:
        cases = TypeAdapter(list[BadCase]).validate_python(rows.data)
    except ValidationError as error:
        found = schema_problems(error)
        lines = [f"{path}:{rows.line(one.loc)}: {field_name(rows.data, one.loc)}: {one.text()}" for one in found]
        raise BadInput(join_errors(f"Bank {path.name}", lines)) from None
    ids = [case.id for case in cases]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise BadInput(f"{path}: cases {', '.join(twice)} are there twice; give each its own id.")
    return cases


def _exported(path: Path) -> list[BadCase]:
    """Read exported marks: the person's reason is the error, and a judge must say whether it is gone."""
    import json

    cases, errors = [], []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); give YAML, or exported marks as JSON lines.") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            if line.strip():
                cases.append(_of_mark(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            errors.append(f"{path}:{number}: no exported mark ({' '.join(str(error).split())[:200]})")
    if errors:
        raise BadInput("\n".join(errors))
    return cases


def _of_mark(row: dict[str, Any]) -> BadCase:
    context: list[dict[str, str]] = []
    for message in row["messages"]:
        if message["role"] == "user":
            context.append({"customer": message["content"]})
        elif context and "agent" not in context[-1]:
            context[-1]["agent"] = message["content"]
        else:
            context.append({"agent": message["content"]})
    reason = row["reason"] or "marked bad"
    ask = "最后一句回复是否没有这个毛病：" if row["language"] == "zh" else "Is the last reply free of this fault: "
    return BadCase.model_validate(
        {
            "id": f"{row['call']}-{row['turn']}".lower(),
            **{name: row[name] for name in ("campaign", "language", "stage", "customer", "reply", "better")},
            "error": reason,
            "severity": "medium",
            "context": [turn for turn in context if "agent" in turn],
            "fixed": {"unlike": True, "ask": ask + quoted(reason[:500])},
        }
    )


def rules_for(case: BadCase, campaign: Campaign) -> GuardContext:
    """Return what the guardrails know when they read a reply to a case."""
    heard = [*(turn.customer for turn in case.context), case.customer]
    return replace(
        fact_sheet(campaign, case.language, PROMPT_MARKS),
        slot_quantities=allowed_quantities(heard),
        personal=(*case.profile.values(), *(value for text in heard for value in find_personal(text))),
        earlier=tuple(turn.agent for turn in case.context),
        refused=case.refused,
        asked_identity=case.asks_identity,
    )


def score(case: BadCase, reply: str, campaign: Campaign, model: "BaseChatModel | None" = None) -> Outcome:
    """Say whether a reply to a case is free of the case's error, and of new ones.

    Args:
        case: The case.
        reply: The new reply.
        campaign: Its campaign.
        model: A judge, for cases that words alone do not decide.

    Returns:
        What computed checks find wrong is never overruled by the judge.
    """
    rules = rules_for(case, campaign)
    plain = normalise(reply)
    wrong = [f"says /{pattern}/" for pattern in case.fixed.must_not if _found(pattern, plain)]
    wrong += [f"lacks /{pattern}/" for pattern in case.fixed.must if not _found(pattern, plain)]
    if case.fixed.unlike and overlap(reply, case.reply) >= ALIKE:
        wrong.append("resembles the bad reply")
    before = {hit["name"] for hit in check_reply(case.reply, rules)}
    hits = check_reply(reply, rules)
    wrong += [f"rule {hit['name']}" for hit in hits if hit["name"] in case.fixed.silent]
    fixed: bool | None = not wrong
    if fixed and case.fixed.ask:
        fixed, told = _asked(case, reply, campaign, model)
        wrong += [told] if not fixed else []
    new: list[tuple[Severity, str]] = [
        (hit["severity"], f"rule {hit['name']}")
        for hit in hits
        if hit["name"] not in before and hit["name"] not in case.fixed.silent
    ]
    new += [(UNANSWERED, f"lacks /{pattern}/") for pattern in case.fixed.answers if not _found(pattern, plain)]
    clean = None if fixed is None and not new else bool(fixed) and not new
    severities = [severity for severity, _ in new] + [case.severity] * (fixed is False)
    left: Left | None = max(severities, key=SEVERITIES.index) if severities else None if fixed is None else "none"
    why = "; ".join([*wrong, *(f"new: {told}" for _, told in new)]) or "fixed"
    return Outcome(case, reply, fixed, clean, left, why)


def _found(pattern: str, plain: str) -> bool:
    return re.search(pattern, plain, re.IGNORECASE) is not None


def _asked(case: BadCase, reply: str, campaign: Campaign, model: "BaseChatModel | None") -> tuple[bool | None, str]:
    if model is None:
        return None, "only a judge can tell"
    rubric = _fix_rubric(case.fixed.ask)
    [answer] = judge_request(model, rubric, rubric.requests()[0], as_judged(case, reply, campaign))
    if answer.value is None:
        return None, f"judge failed: {answer.error['message'] if answer.error else ''}"
    return answer.value == 1, f"judge: {answer.reason}"


def as_judged(case: BadCase, reply: str, campaign: Campaign) -> Judged:
    """Return a case with a reply as a judge of replies reads it."""
    turns = [turn.customer for turn in case.context], [turn.agent for turn in case.context]
    said = [Said(number, customer, agent) for number, (customer, agent) in enumerate(zip(*turns, strict=True))]
    last = len(said)
    said.append(Said(last, case.customer, reply))
    facts = " ".join(fact.text.get(case.language, "") for fact in campaign.facts)
    background = {"goal": campaign.goal.get(case.language, ""), "facts": facts}
    return Judged(case.language, tuple(said), background, last)


@cache
def _fix_rubric(question: str) -> Rubric:
    task = {"en": "Judge only the agent's last reply.", "zh": "只评判助手的最后一句回复。"}
    no, yes = {"en": "no", "zh": "否"}, {"en": "yes", "zh": "是"}
    words = cast(dict[Language, str], {"en": question, "zh": question})
    criterion = Criterion(
        id="fixed",
        label=cast(dict[Language, str], {"en": "Fixed", "zh": "已改正"}),
        question=words,
        choices=[
            Choice(values=[0], text=cast(dict[Language, str], no)),
            Choice(values=[1], text=cast(dict[Language, str], yes)),
        ],
    )
    return Rubric(
        name="fixed", version=1, title=words, judges="turn", group="repo", task=cast(dict[Language, str], task),
        background=["facts"], criteria=[criterion],
    )  # fmt: skip


def excellent(case: BadCase, reply: str, campaign: Campaign, rubric: Rubric, model: "BaseChatModel") -> bool | None:
    """Say whether a judge rates a reply best; None when it fails.

    Args:
        case: The context.
        reply: The reply.
        campaign: Its campaign.
        rubric: `reply`, of which the rating alone is asked.
        model: The judge.
    """
    rating = rubric.criterion("rating")
    [answer] = judge_request(model, rubric, Request(None, (rating,)), as_judged(case, reply, campaign))
    return None if answer.value is None else answer.value == rating.values[-1]


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return REPO's figures, each as a share with its Wilson interval (95 %).

    Returns:
        `cases`, `fix`, `clean_fix` (of the cases that could be decided), `undecided`, `left` (share by what is left wrong),
        `excellent` (share of the cases, each a call of its own, with an excellent reply; of nothing without a judge).
    """
    decided = [one for one in outcomes if one.fixed is not None]
    rated = [one.excellent for one in outcomes if one.excellent is not None]
    kinds: tuple[Left, ...] = ("none", *SEVERITIES)
    return {
        "cases": len(outcomes),
        "undecided": len(outcomes) - len(decided),
        "fix": _share(one.fixed for one in decided),
        "clean_fix": _share(one.clean for one in decided),
        "left": {kind: _share(one.left == kind for one in decided) for kind in kinds},
        "excellent": _share(rated),
    }


def compared(outcomes: Sequence[Outcome], file: Path) -> dict[str, dict[str, Any]]:
    """Return how far fix and clean fix are from those of an earlier asking, case by case.

    Args:
        outcomes: Of the agent that was asked now.
        file: What `salesman evaluate bad-cases --json` printed of another agent.

    Returns:
        `fix` and `clean_fix`: the difference with its bootstrap interval (95 %), the exact sign-flip p (McNemar's), and how many cases
        both decided.

    Raises:
        BadInput: No such print, or not of these cases.
    """
    try:
        before = {row["id"]: row for row in json.loads(file.read_text(encoding="utf-8"))["outcomes"]}
        pairs = [(before[one.case.id], one) for one in outcomes]
        both = [(row["fixed"], row["clean"], one) for row, one in pairs if None not in (row["fixed"], one.fixed)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{file} does not hold these cases ({type(error).__name__}); give what `bad-cases --json` printed of the same ones."
        ) from error
    ids = [one.case.id for *_, one in both]
    steps = {
        "fix": [float(bool(one.fixed)) - float(fixed) for fixed, _, one in both],
        "clean_fix": [float(bool(one.clean)) - float(bool(clean)) for _, clean, one in both],
    }
    found = {name: (mean(own, ids), sign_flip_p(own, ids)) for name, own in steps.items()}
    return {
        name: {"difference": figure.value, "low": figure.low, "high": figure.high, "cases": figure.n, "p": p}
        for name, (figure, p) in found.items()
        if figure
    }


def _share(values: Iterable[bool | None]) -> dict[str, Any]:
    held = list(values)
    share = Share(sum(bool(value) for value in held), len(held))
    low, high = share.interval
    return {"hits": share.hits, "of": share.of, "value": share.value, "low": round(low, 4), "high": round(high, 4)}
