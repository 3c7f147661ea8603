"""TF-IDF of words and pairs of words, over the whole call: what the classifier reads beside the encoder, and the baseline to beat.

Among those tried in cross-validation on `persuasion_for_good` (words or pairs too, plain or logarithmic counts, whole calls, customers alone,
last words alone; strengths 0.3 to 3) this form was the best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.features import Floats
from evaluation.outcome.figures import Numbers

PATTERN = r"(?u)[\u3400-\u9fff]|\b\w\w+\b"
"""Words of two letters and more; of Chinese each character."""
FORM = {"ngram_range": (1, 2), "sublinear_tf": True, "token_pattern": PATTERN}


@dataclass(frozen=True)
class Words:
    """The terms that count, and how rare each is."""

    terms: tuple[str, ...]
    rarity: Floats

    def features(self, dialogues: Sequence[Dialogue]) -> Floats:
        """Return the weight of each term in each call, (calls, terms), rows of length 1."""
        if not self.terms:
            return np.zeros((len(dialogues), 0), np.float32)
        texts = [dialogue.text for dialogue in dialogues]
        return np.asarray(self._reader.transform(texts).toarray(), dtype=np.float32)

    @cached_property
    def _reader(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

        reader = TfidfVectorizer(**FORM, vocabulary={term: place for place, term in enumerate(self.terms)})
        reader.idf_ = self.rarity
        return reader


def fit_words(dialogues: Sequence[Dialogue]) -> Words:
    """Return the terms that at least two calls hold.

    Args:
        dialogues: At least two calls.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    reader = TfidfVectorizer(**FORM, min_df=2).fit([dialogue.text for dialogue in dialogues])
    return Words(tuple(map(str, reader.get_feature_names_out())), np.asarray(reader.idf_, dtype=np.float32))


def tfidf_chances(train: Sequence[Dialogue], test: Sequence[Dialogue]) -> Numbers:
    """Return the baseline's probability of a purchase in each tested call: logistic regression over the terms.

    Args:
        train: Calls of which some are a purchase and some are none.
        test: Other calls.
    """
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    words, model = fit_words(train), LogisticRegression(max_iter=1000)
    model.fit(csr_matrix(words.features(train)), [dialogue.possible == ("A",) for dialogue in train])
    return np.asarray(model.predict_proba(csr_matrix(words.features(test)))[:, 1], dtype=np.float64)
