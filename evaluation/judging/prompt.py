"""What a judge is sent: the conversation as data first, the questions last, and the JSON schema of the answer."""

from functools import cache
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from evaluation.judging.rubric import Criterion, Request, Rubric, Words
from evaluation.judging.transcript import Judged, as_block, quoted, shown
from nodes.prompting import SLOT
from scripts_library.schema import Language

PROMPTS = Path(__file__).with_name("prompts")
REASON_CHARS = 160
QUOTE_CHARS = 100


@cache
def _file(name: str) -> str:
    return (PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def _filled(name: str, **values: str) -> str:
    """Fill a prompt; inserted text is never scanned again."""
    return SLOT.sub(lambda match: values[match.group(1)], _file(name))


def _in(words: Words, language: Language) -> str:
    return (words.get(language) or next(iter(words.values()))).strip()


def messages(rubric: Rubric, request: Request, judged: Judged) -> list[BaseMessage]:
    """Return the request's messages.

    The conversation stands before everything that differs between questions, so that a server with a prefix cache reads it
    once; and the questions stand after it, so that they are the last word.
    """
    language = judged.language
    task = _in(rubric.task, language)
    if request.part:
        task += "\n" + _in(request.part.question, language)
    sides = dict.fromkeys(one.evidence for one in request.criteria if one.evidence)
    form = [_file(f"evidence_{side}.{language}") for side in sides] + [_file(f"form.{language}")]
    questions = "\n".join(_question(one, language) for one in request.criteria)
    asked = _filled(
        "ask",
        call=as_block(judged),
        background=_background(rubric, judged),
        task=task,
        questions=questions,
        form="\n".join(form),
    )
    return [SystemMessage(_file(f"system.{language}")), HumanMessage(asked)]


def again(said: str, faults: list[str], language: Language) -> list[BaseMessage]:
    """Return what is added to a request whose answer was refused."""
    return [AIMessage(said), HumanMessage(_filled(f"again.{language}", faults="; ".join(faults)))]


def _background(rubric: Rubric, judged: Judged) -> str:
    lines = [f"{name}: {quoted(judged.background[name])}" for name in rubric.background if judged.background.get(name)]
    return "<background>\n" + "\n".join(lines) + "\n</background>\n" if lines else ""


def _question(criterion: Criterion, language: Language) -> str:
    lines = [f"{criterion.id}: {_in(criterion.question, language)}"]
    for choice in criterion.choices:
        first, last = choice.values[0], choice.values[-1]
        band = f"{first:g}" if first == last else f"{first:g}–{last:g}"
        lines.append(f"  {band} = {_in(choice.text, language)}")
    lines += [f"  kind {kind} = {_in(text, language)}" for kind, text in criterion.kinds.items()]
    return "\n".join(lines)


def answer_schema(request: Request, judged: Judged) -> dict[str, Any]:
    """Return the JSON schema of the answer: for each criterion its evidence where asked, a reason, and one of the values.

    Evidence comes first and the number last, and the kinds of evidence leave only the values that they can show: a server that keeps to the schema
    makes even a small model decide on what was said before it decides on a number.
    """
    return _object({one.id: _answer(one, judged) for one in request.criteria})


def _answer(criterion: Criterion, judged: Judged) -> dict[str, Any]:
    reason = {"type": "string", "maxLength": REASON_CHARS}
    if not criterion.evidence:
        return _object({"reason": reason, "value": _one_of(criterion.values)})
    ways = [
        _object(
            {
                "evidence": {
                    "type": "array",
                    "minItems": int(bool(choice.cites)),
                    "maxItems": criterion.quotes,
                    "items": _citation(criterion, choice.cites or list(criterion.kinds), judged),
                },
                "reason": reason,
                "value": _one_of(choice.values),
            }
        )
        for choice in criterion.choices
    ]
    return {"anyOf": ways}


def _one_of(values: list[float]) -> dict[str, Any]:
    return {"type": "number", "enum": [int(value) if value.is_integer() else value for value in values]}


def _citation(criterion: Criterion, kinds: list[str], judged: Judged) -> dict[str, Any]:
    """Return the schema of a piece of evidence: one of the lines that were said, as its beginning, and its kind.

    A server that keeps to the schema cannot misquote; whatever another one sends is checked against what was said.
    """
    kind = {"type": "string", "enum": kinds}
    lines = [(turn, words_of(criterion, judged, turn)) for turn in citable(criterion, judged)]
    choices = [
        _object({"turn": {"const": turn}, "quote": {"const": shown(words, QUOTE_CHARS)}, "kind": kind})
        for turn, words in lines
    ]
    return {"anyOf": choices}


def citable(criterion: Criterion, judged: Judged) -> list[int]:
    """Return the turns in which the side that a criterion's evidence must come from said something."""
    shown = [one for one in judged.said if judged.reply is None or one.turn <= judged.reply]
    return [one.turn for one in shown if (one.customer if criterion.evidence == "customer" else one.agent).strip()]


def words_of(criterion: Criterion, judged: Judged, turn: int) -> str:
    """Return what the side that a criterion's evidence must come from said in a turn."""
    said = next(one for one in judged.said if one.turn == turn)
    return said.customer if criterion.evidence == "customer" else said.agent


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
