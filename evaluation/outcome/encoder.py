"""The fine-tuned encoder as it is run: ONNX Runtime on one core, several calls at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.features import Floats
from evaluation.outcome.tokens import Pairs
from graph.errors import BadInput

FILES = ENCODER, TOKENIZER = "encoder.onnx", "tokenizer.json"
INPUTS = ("ids", "mask", "agent", "customer")
OUTPUT = "vectors"
AT_ONCE = 4
"""Exchanges of about equal length in one batch; more would be padding."""


class OnnxEncoder:
    """Turns calls into vectors.

    Args:
        folder: Holds `encoder.onnx` and `tokenizer.json`.
    """

    def __init__(self, folder: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions  # type: ignore[import-untyped]

        options = SessionOptions()
        options.intra_op_num_threads = 1
        self._session = InferenceSession(str(folder / ENCODER), options, providers=["CPUExecutionProvider"])
        self._pairs = Pairs(folder / TOKENIZER)

    def vectors(self, dialogues: Sequence[Dialogue]) -> list[Floats]:
        """Return the vectors of each call's last exchanges, (exchanges, 2 × width) a call.

        Raises:
            BadInput: A call has no word.
        """
        kept = [self._pairs.last_exchanges(dialogue.exchanges) for dialogue in dialogues]
        if empty := [dialogue.id for dialogue, found in zip(dialogues, kept, strict=True) if not found]:
            raise BadInput(f"Calls without a word have no outcome: {', '.join(empty)}")
        places = [(call, row) for call, found in enumerate(kept) for row in range(len(found))]
        places.sort(key=lambda place: sum(map(len, kept[place[0]][place[1]][1:])))
        rows: dict[tuple[int, int], Floats] = {}
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            batch = self._pairs.batch([kept[call][row][1:] for call, row in some])
            fed = dict(zip(INPUTS, (batch.ids, batch.mask, batch.agent, batch.customer), strict=True))
            rows.update(zip(some, self._session.run([OUTPUT], fed)[0], strict=True))
        return [np.stack([rows[call, row] for row in range(len(found))]) for call, found in enumerate(kept)]
