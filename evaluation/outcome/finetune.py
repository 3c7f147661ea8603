"""Fine-tune a small BERT on dialogue acts: the upper layers learn what agents and customers do in an exchange.

Only here and in `export.py` torch is needed (`pip install ai-salesman[training]`). The lower layers stay as they are, so what they give
is computed once; on two cores a pass over 10,000 turns takes a minute.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModel

from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.features import ActHead, Floats
from evaluation.outcome.tokens import Batch, Pairs
from graph.errors import BadInput

FEWEST_ACTS = 20
"""Examples below which an act is not learnt."""
AT_ONCE = 64


@dataclass(frozen=True)
class Recipe:
    """How the encoder is trained. kept: lower layers of the published encoder that are used; learning: the last ones of these."""

    kept: int = 5
    learning: int = 1
    epochs: int = 3
    rate: float = 1e-4
    head_rate: float = 5e-3
    decay: float = 0.01
    batch: int = 32
    seed: int = 0


class Encoder(nn.Module):
    """A BERT that gives each exchange the mean vector of the agent's tokens and that of the customer's.

    Args:
        folder: Of a BERT, RoBERTa or XLM-RoBERTa as transformers saves them.
        kept: Its lower layers that are used.
        learning: The last ones of these, which learn.
    """

    def __init__(self, folder: Path, kept: int, learning: int) -> None:
        super().__init__()
        bert = AutoModel.from_pretrained(folder, attn_implementation="eager")
        if not hasattr(getattr(bert, "encoder", None), "layer"):
            raise BadInput(f"{folder}: no encoder like BERT's ({type(bert).__name__}); give a BERT or (XLM-)RoBERTa")
        self.embeddings: Any = bert.embeddings
        layers = bert.encoder.layer[:kept]
        self.lower, self.upper = layers[:-learning], layers[-learning:]
        self.width = int(bert.config.hidden_size)
        for part in (self.embeddings, self.lower):
            part.requires_grad_(False)

    def below(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what the lower layers give, (exchanges, tokens, width)."""
        return _through(self.lower, self.embeddings(input_ids=ids), mask)

    def above(
        self, hidden: torch.Tensor, mask: torch.Tensor, agent: torch.Tensor, customer: torch.Tensor
    ) -> torch.Tensor:
        """Return the vectors of exchanges from what the lower layers gave, (exchanges, 2 × width)."""
        hidden = _through(self.upper, hidden, mask)
        sides = [side.to(hidden.dtype).unsqueeze(2) for side in (agent, customer)]
        means = [(hidden * side).sum(1) / side.sum(1).clamp(min=1) for side in sides]
        return torch.cat(means, dim=1)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, agent: torch.Tensor, customer: torch.Tensor
    ) -> torch.Tensor:
        """Return the vectors of exchanges, (exchanges, 2 × width)."""
        return self.above(self.below(ids, mask), mask, agent, customer)


def _through(layers: nn.ModuleList, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    away = (1.0 - mask.to(hidden.dtype))[:, None, None, :] * -1e4
    for layer in layers:
        given = layer(hidden, away)
        hidden = given[0] if isinstance(given, tuple) else given
    return hidden


@dataclass
class Prepared:
    """Exchanges of dialogues after the lower layers. own: dialogue of each exchange. hidden: (tokens, width) of each."""

    own: list[int]
    acts: list[frozenset[str] | None]
    turns: list[int]
    sides: list[tuple[list[int], list[int]]]
    hidden: list[torch.Tensor]


def prepare(encoder: Encoder, pairs: Pairs, dialogues: Sequence[Dialogue]) -> Prepared:
    """Run the lower layers once over the last tokens of each dialogue."""
    found = Prepared([], [], [], [], [])
    for number, dialogue in enumerate(dialogues):
        for exchange, agent, customer in pairs.last_exchanges(dialogue.exchanges):
            found.own.append(number)
            found.acts.append(exchange.acts)
            found.turns.append(exchange.turn)
            found.sides.append((agent, customer))
    found.hidden = [torch.empty(0)] * len(found.own)
    encoder.eval()
    with torch.no_grad(), _half():
        for places in _by_length(found, range(len(found.own))):
            batch = pairs.batch([found.sides[place] for place in places])
            given = encoder.below(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)).half()
            for row, place in enumerate(places):
                found.hidden[place] = given[row, : int(batch.mask[row].sum())].clone()
    return found


def vectors_of(encoder: Encoder, pairs: Pairs, prepared: Prepared, dialogues: int) -> list[Floats]:
    """Return the vectors of each dialogue's exchanges, in order."""
    rows: dict[int, Floats] = {}
    encoder.eval()
    with torch.no_grad(), _half():
        for places in _by_length(prepared, range(len(prepared.own))):
            given = _above(encoder, pairs, prepared, places).numpy()
            rows.update({place: given[row] for row, place in enumerate(places)})
    own = np.array(prepared.own)
    return [np.stack([rows[int(place)] for place in np.flatnonzero(own == number)]) for number in range(dialogues)]


def learn_acts(
    encoder: Encoder, pairs: Pairs, prepared: Prepared, of: Sequence[int], recipe: Recipe
) -> tuple[Encoder, ActHead]:
    """Fine-tune a copy of the encoder on the labelled exchanges of some dialogues.

    Args:
        encoder: As it was published; not changed.
        pairs: Its tokenizer.
        prepared: Exchanges of all dialogues.
        of: Dialogues (numbers) that may be learnt from.
        recipe: How.

    Returns:
        The encoder and the linear layer over its vectors. Without labels the encoder as it was, and a layer without acts.
    """
    allowed = set(of)
    counted = Counter(
        act for own, acts in zip(prepared.own, prepared.acts, strict=True) if own in allowed for act in acts or ()
    )
    names = tuple(sorted(act for act, count in counted.items() if count >= FEWEST_ACTS))
    tuned = copy.deepcopy(encoder)
    if not names:
        return tuned, ActHead((), np.zeros((0, 2 * encoder.width), np.float32), np.zeros(0, np.float32))
    places = [place for place, own in enumerate(prepared.own) if own in allowed and prepared.acts[place] is not None]
    wanted = torch.zeros(len(prepared.own), len(names))
    for place in places:
        for column, name in enumerate(names):
            wanted[place, column] = name in (prepared.acts[place] or ())
    torch.manual_seed(recipe.seed)
    drawn = np.random.default_rng(recipe.seed)
    head = nn.Linear(2 * encoder.width, len(names))
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, -3.0)
    groups = [
        {"params": tuned.upper.parameters(), "lr": recipe.rate},
        {"params": head.parameters(), "lr": recipe.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.decay)
    steps = recipe.epochs * -(-len(places) // recipe.batch)
    slower = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20) * (1 - step / steps))
    tuned.upper.train()
    for _ in range(recipe.epochs):
        batches = list(_by_length(prepared, drawn.permutation(places), recipe.batch))
        for number in drawn.permutation(len(batches)):
            with _half():
                vectors = _above(tuned, pairs, prepared, batches[number])
            logits = head(vectors)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted[batches[number]], reduction="sum")
            optimizer.zero_grad()
            torch.autograd.backward(loss / len(batches[number]))
            nn.utils.clip_grad_norm_(tuned.upper.parameters(), 1.0)
            optimizer.step()
            slower.step()
    tuned.eval()
    return tuned, ActHead(names, head.weight.detach().numpy(), head.bias.detach().numpy())


def _above(encoder: Encoder, pairs: Pairs, prepared: Prepared, places: Sequence[int]) -> torch.Tensor:
    batch: Batch = pairs.batch([prepared.sides[place] for place in places])
    hidden = nn.utils.rnn.pad_sequence([prepared.hidden[place].float() for place in places], batch_first=True)
    mask, agent, customer = (torch.from_numpy(array) for array in (batch.mask, batch.agent, batch.customer))
    given: torch.Tensor = encoder.above(hidden, mask, agent, customer).float()
    return given


def _half() -> torch.autocast:
    """Multiply in bfloat16: nearly twice as fast on processors that know it."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def _by_length(prepared: Prepared, places: Any, size: int = AT_ONCE) -> list[list[int]]:
    """Cut places into batches of about equal length, so that little is padding; stable among equals."""
    lengths = [sum(map(len, prepared.sides[int(place)])) for place in places]
    order = [int(places[row]) for row in np.argsort(lengths, kind="stable")]
    return [order[start : start + size] for start in range(0, len(order), size)]
