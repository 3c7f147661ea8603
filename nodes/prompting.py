"""Prompts: Markdown files beside this module, rendered strictly, and the message list they make.

The prompt grows only at its end: system (role, facts, rules, profile, strategy), then the window of earlier turns, then this
turn's customer line with its outline. The server's prefix cache therefore holds all but the last exchange.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from graph.state import Exchange

PROMPTS = Path(__file__).parent / "prompts"
SLOT = re.compile(r"\{\{(\w+)\}\}")
CONTROL = re.compile(r"<\|[^|>]{0,40}\|>|</?think>|\[/?INST\]|[\x00-\x08\x0b-\x1f]")
"""Chat-template tokens and control characters, which no customer's text may carry into a prompt."""

PROMPT_MARKS = (
    "The customer said:", "Do now:", "Example line", "Your reply:", "Not like this", "facts above", "Calling tip", "Customer profile", "Example exchanges",
    "客户说：", "现在要做", "参考说法", "你的回复", "不能这样说", "上面的事实", "沟通要点", "客户资料", "对话示例",
)  # fmt: skip
"""Headings of our prompts: spoken aloud they are a leak."""

HISTORY_TOKENS = 1100
"""When the window of earlier turns is longer than this many (estimated) tokens …"""
HISTORY_KEEP = 500
"""… its oldest turns are dropped until it is this short: rarely, so that the prefix cache is rarely lost."""


@cache
def _template(name: str) -> str:
    return (PROMPTS / f"{name}.md").read_text(encoding="utf-8").rstrip("\n")


def render(name: str, **values: str) -> str:
    """Fill a prompt file; inserted text is never scanned again.

    Args:
        name: File name without `.md`, e.g. `turn.en`.
        **values: One text per `{{placeholder}}`.

    Raises:
        KeyError: A placeholder has no value, or a value has no placeholder; names it.
    """
    return fill(name, _template(name), values)


def fill(name: str, template: str, values: Mapping[str, str]) -> str:
    """Fill a template, for other packages' prompt files too; inserted text is never scanned again.

    Args:
        name: Of the template, for the error.
        template: With `{{placeholders}}`.
        values: One text per placeholder.

    Raises:
        KeyError: A placeholder has no value, or a value has no placeholder; names it.
    """
    wanted = set(SLOT.findall(template))
    if wanted != set(values):
        raise KeyError(f"prompt {name}: missing {sorted(wanted - set(values))}, unused {sorted(set(values) - wanted)}")
    return SLOT.sub(lambda match: values[match.group(1)], template)


def as_data(text: str, limit: int = 1200) -> str:
    """Strip chat-template tokens and control characters from text that others wrote, and cut it to `limit` characters."""
    return CONTROL.sub(" ", text).strip()[:limit]


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens: a CJK character about 0.75, other text about 4 characters a token."""
    cjk = sum("\u3400" <= character <= "\u9fff" for character in text)
    return int(cjk * 0.75 + (len(text) - cjk) / 4) + 4


def trim(history: Sequence[Exchange]) -> list[Exchange]:
    """Return the window of earlier turns that the next prompt holds (rule: `HISTORY_TOKENS`, `HISTORY_KEEP`)."""
    costs = [estimate_tokens(turn["customer"]) + estimate_tokens(turn["reply"]) for turn in history]
    if sum(costs) <= HISTORY_TOKENS:
        return list(history)
    start, total = len(history), 0
    while start > 0 and total + costs[start - 1] <= HISTORY_KEEP:
        start -= 1
        total += costs[start]
    return list(history[start:])


def quoted(text: str, language: str) -> str:
    """Return a customer's line as every prompt shows it: quoted, as something that was said."""
    return render(f"customer.{language}", said=as_data(text))


def messages(system: str, history: Sequence[Exchange], last: str, language: str) -> list[BaseMessage]:
    """Lay out a prompt as chat messages, ours as the assistant's."""
    built: list[BaseMessage] = [SystemMessage(system)]
    for turn in history:
        if turn["customer"]:
            built.append(HumanMessage(quoted(turn["customer"], language)))
        built.append(AIMessage(turn["reply"]))
    built.append(HumanMessage(last))
    return built


def prompt_hash(prompt: Sequence[BaseMessage]) -> str:
    """Return a short hash of a prompt as sent: equal prompts, equal hashes."""
    digest = hashlib.sha256()
    for message in prompt:
        digest.update(f"{message.type}\x00{message.content}\x00".encode())
    return digest.hexdigest()[:16]
