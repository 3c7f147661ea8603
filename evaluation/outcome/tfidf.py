"""The classifier to beat: TF-IDF of words and pairs of words with logistic regression, over the whole call.

Weights and strength are the best of those tried in cross-validation on `persuasion_for_good`.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]

from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.figures import Numbers


def tfidf_chances(train: Sequence[Dialogue], test: Sequence[Dialogue]) -> Numbers:
    """Return the probability of a purchase in each tested call.

    Args:
        train: Calls of which some are a purchase and some are none.
        test: Other calls.
    """
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)[\u3400-\u9fff]|\b\w\w+\b"
    )
    model = make_pipeline(words, LogisticRegression(max_iter=1000))
    model.fit([dialogue.text for dialogue in train], [dialogue.possible == ("A",) for dialogue in train])
    return np.asarray(model.predict_proba([dialogue.text for dialogue in test])[:, 1], dtype=np.float64)
