"""Dialogues as token ids: an exchange is one sentence pair, and a call is read from its end backwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from evaluation.outcome.dialogue import Exchange
from graph.errors import BadInput

READ_TOKENS = 512
"""Tokens of a call that are read, its last ones."""
SIDE_TOKENS = 62
"""Tokens of one speaker in one exchange, the last ones of a customer and the first ones of an agent."""
TAGS = {"agent": "agent:", "customer": "customer:"}
SPECIAL = (("[CLS]", "[SEP]", "[PAD]"), ("<s>", "</s>", "<pad>"))
"""First, separating and padding token, of BERT and of RoBERTa and its kin."""
Ints = NDArray[np.int64]
Side = Literal["agent", "customer"]


@dataclass(frozen=True)
class Batch:
    """Exchanges side by side; every array has the shape (exchanges, tokens). agent, customer: 1 where a token is theirs."""

    ids: Ints
    mask: Ints
    agent: Ints
    customer: Ints


class Pairs:
    """Turns exchanges into ids.

    Args:
        path: A `tokenizer.json`.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        for names in SPECIAL:
            found = [number for name in names if (number := self._tokenizer.token_to_id(name)) is not None]
            if len(found) == len(names):
                self.first, self.between, self.padding = found
                self._tags = {side: self._encode(tag) for side, tag in TAGS.items()}
                return
        raise BadInput(
            f"{path}: has neither {' nor '.join('/'.join(names) for names in SPECIAL)}; give a BERT-like one"
        )

    def last_exchanges(self, exchanges: Sequence[Exchange]) -> list[tuple[Exchange, list[int], list[int]]]:
        """Return the exchanges within a call's last `READ_TOKENS`, with the ids of the agent's side and of the customer's."""
        kept: list[tuple[Exchange, list[int], list[int]]] = []
        left = READ_TOKENS
        for exchange in reversed(exchanges):
            agent = self._side("agent", exchange.agent)[: SIDE_TOKENS + 2]
            customer = self._side("customer", exchange.customer)
            customer = customer[:2] + customer[2:][-SIDE_TOKENS:]
            left -= len(agent) + len(customer)
            if left < 0 and kept:
                break
            kept.append((exchange, agent, customer))
        return kept[::-1]

    def batch(self, sides: Sequence[tuple[list[int], list[int]]]) -> Batch:
        """Lay exchanges side by side.

        Args:
            sides: Ids of the agent's side and of the customer's; at least one pair.
        """
        rows = [[self.first, *agent, self.between, *customer, self.between] for agent, customer in sides]
        width = max(map(len, rows))
        ids = np.full((len(rows), width), self.padding, np.int64)
        mask, of_agent, of_customer = (np.zeros((len(rows), width), np.int64) for _ in range(3))
        for number, (row, (agent, customer)) in enumerate(zip(rows, sides, strict=True)):
            ids[number, : len(row)], mask[number, : len(row)] = row, 1
            of_agent[number, 1 : 1 + len(agent)] = 1
            of_customer[number, 2 + len(agent) : 2 + len(agent) + len(customer)] = 1
        return Batch(ids, mask, of_agent, of_customer)

    def _side(self, side: Side, text: str) -> list[int]:
        return [*self._tags[side], *self._encode(text)] if text else []

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)
