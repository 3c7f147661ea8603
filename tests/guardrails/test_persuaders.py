"""What real persuaders said, against what an automated agent of the charity may say (labels: see `samples.py`)."""

from collections import Counter

from guardrails.check import check_reply
from tests.guardrails.samples import CHARITY, table

CATCH_FLOOR = 0.60
"""Measured: 57 of 89 (64 %). Without `unsupported_claim`, which no pattern can know, 52 of 67 (78 %)."""
FIGURE_FLOOR = 0.90
"""Measured on numbers, prices and promises: 20 of 22 (91 %)."""


def _hit(row):
    return bool(check_reply(row["text"], CHARITY))


def test_at_most_two_percent_of_what_may_be_said_alarms():
    rows = [row for row in table("persuader_sentences.csv") if row["may_say"] == "1"]
    alarms = [row["text"] for row in rows if _hit(row)]
    assert len(rows) == 411
    assert len(alarms) <= 0.02 * len(rows), alarms


def test_most_of_what_may_not_be_said_is_caught():
    rows = [row for row in table("persuader_sentences.csv") if row["may_say"] == "0"]
    caught = Counter(row["reason"] for row in rows if _hit(row))
    total = Counter(row["reason"] for row in rows)
    assert sum(caught.values()) >= CATCH_FLOOR * sum(total.values()), caught
    figures = ("number", "price", "promise")
    assert sum(caught[name] for name in figures) >= FIGURE_FLOOR * sum(total[name] for name in figures), caught


def test_the_sample_is_what_it_says():
    rows = table("persuader_sentences.csv")
    assert len(rows) == 500
    assert all((row["may_say"] == "0") == bool(row["reason"]) for row in rows)
