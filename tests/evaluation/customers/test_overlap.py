"""BLEU and ROUGE against values worked out by hand."""

from math import exp

import pytest

from evaluation.customers.overlap import bleu, rouge, rouge_l, tokens

CAT = ["the", "cat", "sat", "on", "the", "mat"]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("I don't think it's OK, we'll see!", "en", ["i", "do", "not", "think", "it", "is", "ok", "we", "will", "see"]),
        ("I can’t and won't", "en", ["i", "can", "not", "and", "will", "not"]),
        ("一个月199元？", "zh", ["一", "个", "月", "199", "元"]),
        ("?!", "en", []),
    ],
)
def test_tokens(text: str, language: str, expected: list[str]) -> None:
    assert tokens(text, language) == expected  # type: ignore[arg-type]


def test_equal_lines_are_wholly_alike() -> None:
    assert bleu(CAT, CAT) == pytest.approx(1)
    assert [rouge(CAT, CAT, 1), rouge(CAT, CAT, 2), rouge_l(CAT, CAT)] == [1, 1, 1]


def test_lines_without_a_shared_word_are_not_alike_at_all() -> None:
    other = ["dogs", "bark", "loudly"]
    assert [bleu(CAT, other), rouge(CAT, other, 1), rouge(CAT, other, 2), rouge_l(CAT, other)] == [0, 0, 0, 0]


@pytest.mark.parametrize(("said", "real"), [([], CAT), (CAT, []), ([], [])])
def test_empty_lines_are_alike_to_nothing(said: list[str], real: list[str]) -> None:
    assert [bleu(said, real), rouge(said, real, 1), rouge_l(said, real)] == [0, 0, 0]


def test_values_worked_out_by_hand() -> None:
    said = ["the", "cat", "the", "mat"]
    # unigrams 4/4; bigrams "the cat", "the mat" of 3: (2+1)/(3+1); trigrams 0 of 2: 1/3; 0 of 1: 1/2; brevity exp(1 - 6/4)
    assert bleu(said, CAT) == pytest.approx(exp(-0.5) * (1 * 3 / 4 * 1 / 3 * 1 / 2) ** 0.25)
    assert rouge(said, CAT, 1) == pytest.approx(2 * 4 / 10)
    assert rouge(said, CAT, 2) == pytest.approx(2 * 2 / 8)
    assert rouge_l(said, CAT) == pytest.approx(2 * 4 / 10)


def test_order_counts_for_rouge_l_alone_among_words() -> None:
    turned = list(reversed(CAT))
    assert rouge(turned, CAT, 1) == 1
    assert rouge_l(turned, CAT) == pytest.approx(2 * 3 / 12)  # "the on the"
