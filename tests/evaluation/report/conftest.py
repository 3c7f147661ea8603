"""Reports of made calls do without the outcome classifier, which takes its time; `measures/test_scoring.py` has the real one."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from evaluation.outcome import score


@pytest.fixture(autouse=True, scope="package")
def no_classifier() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "load_classifier", lambda _folder: SimpleNamespace(languages=("fr",)))
        yield
