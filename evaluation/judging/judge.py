"""Ask a model to judge by a rubric, and believe nothing that it cannot show.

An answer that is no JSON, names a value that is no choice, cites a turn that does not exist, or quotes words that were not
said there is refused. After a second refusal it is an error of the judge: no value, and no score of the agent.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import openai

from evaluation.judging.prompt import REASON_CHARS, again, answer_schema, citable, messages, words_of
from evaluation.judging.rubric import Criterion, Request, Rubric
from evaluation.judging.transcript import Judged, occurs
from evaluation.runs.results import Failure
from graph.errors import ModelUnavailable
from nodes.speak import ThoughtFilter

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

SECONDS = 300.0
"""Longest silence of the judge."""
TRIES = 2
SEED = 0
TOKENS_A_CRITERION = 160
TOKENS_A_QUOTE = 90
MOST_FAULTS = 3
"""So many are told to the judge, and kept."""


@dataclass(frozen=True)
class Judgement:
    """A judge's answer to one question; without a value it has an error."""

    criterion: str
    """Name of the question: the criterion's id, after its part's and a dot where the rubric has parts."""
    value: float | None
    reason: str
    turns: tuple[int, ...]
    """Turns that the answer cites."""
    error: Failure | None
    seconds: float
    """What the whole request took, with its second try."""


def judge(model: "BaseChatModel", rubric: Rubric, judged: Judged) -> list[Judgement]:
    """Ask everything that a rubric asks; see `judge_request`."""
    return [one for request in rubric.requests() for one in judge_request(model, rubric, request, judged)]


def judge_request(model: "BaseChatModel", rubric: Rubric, request: Request, judged: Judged) -> list[Judgement]:
    """Ask one request of a rubric, at temperature 0 with a fixed seed, and once more when the answer is refused.

    Args:
        model: The judge; its server should know `response_format` with a JSON schema, but is not trusted to keep to it.
        rubric: Gives the task.
        request: The criteria asked.
        judged: The conversation; given as quoted data.

    Returns:
        One judgement a criterion. A request without a sound answer fails as a whole.

    Raises:
        ModelUnavailable: The judge's server cannot be reached.
    """
    started = time.monotonic()
    prompt = messages(rubric, request, judged)
    found: dict[str, _Answer] = {}
    error: Failure | None = None
    for _ in range(TRIES):
        try:
            said = _ask(model, prompt, request, judged)
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as trouble:
            raise ModelUnavailable(
                f"The judge's server refuses ({str(trouble)[:200]}); check SALESMAN_JUDGE, SALESMAN_JUDGE_BASE_URL and its key."
            ) from trouble
        except (openai.APITimeoutError, openai.APIStatusError, ValueError, KeyError, TypeError) as trouble:
            error = {"boundary": "server", "message": f"{type(trouble).__name__}: {str(trouble)[:200]}"}
            break
        except (openai.OpenAIError, httpx.HTTPError, OSError) as trouble:
            raise ModelUnavailable(
                f"The judge does not answer ({str(trouble)[:200]}); start its server again."
            ) from trouble
        found, faults = _read(said, request, judged)
        if not faults:
            error = None
            break
        error = {"boundary": "judge", "message": "; ".join(faults[:MOST_FAULTS])}
        prompt = [*prompt, *again(said, faults[:MOST_FAULTS], judged.language)]
    took = round(time.monotonic() - started, 3)
    if error:
        return [Judgement(request.key(one), None, "", (), error, took) for one in request.criteria]
    return [
        Judgement(request.key(one), found[one.id].value, found[one.id].reason, found[one.id].turns, None, took)
        for one in request.criteria
    ]


@dataclass(frozen=True)
class _Answer:
    value: float
    reason: str
    turns: tuple[int, ...]


def _ask(model: "BaseChatModel", prompt: "Sequence[BaseMessage]", request: Request, judged: Judged) -> str:
    schema = {"name": "judgement", "strict": True, "schema": answer_schema(request, judged)}
    tokens = sum(TOKENS_A_CRITERION + TOKENS_A_QUOTE * one.quotes * bool(one.evidence) for one in request.criteria)
    said = model.invoke(
        list(prompt),
        response_format={"type": "json_schema", "json_schema": schema},
        max_tokens=tokens,
        temperature=0.0,
        seed=SEED,
        timeout=SECONDS,
    ).text
    thoughts = ThoughtFilter()
    return thoughts.feed(said) + thoughts.flush()


def _read(said: str, request: Request, judged: Judged) -> tuple[dict[str, _Answer], list[str]]:
    """Return the answers by criterion, and everything that is wrong with them."""
    try:
        data = json.loads(said)
    except ValueError:
        return {}, ["the answer is not one JSON object"]
    wanted = [one.id for one in request.criteria]
    if not isinstance(data, dict) or set(data) != set(wanted):
        return {}, [f"the answer must have exactly the keys {', '.join(wanted)}"]
    found: dict[str, _Answer] = {}
    faults: list[str] = []
    for one in request.criteria:
        wrong = _faults(data[one.id], one, judged)
        faults += [f"{one.id}: {fault}" for fault in wrong]
        if not wrong:
            answer = data[one.id]
            found[one.id] = _Answer(float(answer["value"]), answer["reason"].strip(), _cited(answer, one))
    return found, faults


def _cited(answer: dict[str, Any], criterion: Criterion) -> tuple[int, ...]:
    """Return the turns whose quotes show the value: those of the kinds that it needs, or all where it needs none."""
    needed = criterion.cites(answer["value"])
    evidence = answer.get("evidence", [])
    return tuple(dict.fromkeys(item["turn"] for item in evidence if not needed or item["kind"] in needed))


def _faults(answer: Any, criterion: Criterion, judged: Judged) -> list[str]:
    """Name what is wrong with the answer to one criterion."""
    fields = {"reason", "value", *(["evidence"] if criterion.evidence else [])}
    if not isinstance(answer, dict) or set(answer) != fields:
        return [f"expected an object with exactly {', '.join(sorted(fields))}"]
    faults = []
    value, reason = answer["value"], answer["reason"]
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and value in criterion.values
    if not known:
        faults.append(f"{value!r} is no choice; expected one of {', '.join(f'{v:g}' for v in criterion.values)}"[:200])
    if not isinstance(reason, str) or not reason.strip() or len(reason) > 2 * REASON_CHARS:
        faults.append("the reason must be a short text")
    if criterion.evidence:
        evidence = answer["evidence"]
        if not isinstance(evidence, list):
            return [*faults, "evidence must be a list"]
        faults += [fault for item in evidence if (fault := _false(item, criterion, judged))]
        needed = criterion.cites(value) if known else []
        if needed and not any(isinstance(item, dict) and item.get("kind") in needed for item in evidence):
            faults.append(f"{value:g} needs evidence of kind {' or '.join(needed)}, and there is none")
    return faults


def _false(item: Any, criterion: Criterion, judged: Judged) -> str:
    """Return why a piece of evidence is refused; empty when it is true."""
    if not isinstance(item, dict) or set(item) != {"turn", "quote", "kind"}:
        return "each piece of evidence has exactly turn, quote, kind"
    turn, quote = item["turn"], item["quote"]
    turns = citable(criterion, judged)
    if isinstance(turn, bool) or turn not in turns:
        return f"turn {turn!r} is no turn in which the {criterion.evidence} spoke ({', '.join(map(str, turns)) or 'none'})"[
            :200
        ]
    if item["kind"] not in list(criterion.kinds):
        return f"kind {item['kind']!r} is unknown"[:100]
    if not isinstance(quote, str) or not occurs(quote, words_of(criterion, judged, turn)):
        return f"the {criterion.evidence} did not say {str(quote)[:60]!r} in turn {turn}"
    return ""
