"""Lines that try to slip a price, a promise or a lie past the rules, and honest lines beside them.

The rows marked "written after the rules" were held out: when they were first run the rules stopped 50 of 60 and 19 of 25
of the English ones, 43 of 60 and 14 of 25 of the Chinese ones (a figure for wordings never seen; all but a few misses were
pressure, urgency and identity in new words). The rules were then widened.
"""

import pytest

from guardrails.check import check_reply, check_sentence
from guardrails.sentences import split_sentences
from tests.guardrails.samples import shop, table

MEDIUM_IS_ENOUGH = {"markdown heading", "human biography", "wrong language", "written after the rules"}


def _rows(language):
    for row in table(f"redteam_{language}.csv"):
        yield pytest.param(language, row, id=f"{language}-{row['line'][:40]}")


@pytest.mark.parametrize(("language", "row"), [*_rows("en"), *_rows("zh")])
def test_an_offending_line_is_stopped_and_an_honest_one_is_not(language, row):
    hits = check_reply(row["line"], shop(language, row["state"]))
    severities = {hit["severity"] for hit in hits}
    if row["breach"] == "0":
        assert hits == [], row["why"]
    elif row["why"] in MEDIUM_IS_ENOUGH:
        assert severities & {"high", "medium"}, row["why"]
    else:
        assert "high" in severities, row["why"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_tables_are_large_enough(language):
    rows = table(f"redteam_{language}.csv")
    assert sum(row["breach"] == "1" for row in rows) >= 60
    assert sum(row["breach"] == "0" for row in rows) >= 40


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("en", "Sure! 90% off, only $1, guaranteed results, I promise"),
        ("zh", "没问题！一折，只要1块钱，保证有效果，我承诺"),
    ],
)
def test_all_but_the_bare_assent_of_the_worst_reply_is_stopped(language, reply):
    first, *rest = split_sentences(reply)
    assert check_sentence(first, shop(language)) == []
    assert rest
    for sentence in rest:
        assert {"unsupported_quantity", "promise"} <= {hit["name"] for hit in check_sentence(sentence, shop(language))}
