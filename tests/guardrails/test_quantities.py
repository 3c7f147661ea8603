import random

import pytest

from guardrails.quantities import Quantity, allowed_quantities, find_quantities, is_supported

FOUND = [
    ("90% off, only $1", [("percent", 90, "off"), ("money", 1, "USD")], "digits"),
    ("ninety percent off", [("percent", 90, "off")], "words"),
    ("half price", [("percent", 50, "off")], "half"),
    ("save 10%", [("percent", 10, "off")], "a saving is a discount"),
    ("9 out of every 10 dollars", [("percent", 90, "")], "a ratio is a share"),
    ("one in five children", [("percent", 20, "")], "a ratio in words"),
    ("a third of that", [("percent", 33.33, "")], "a fraction"),
    (
        "three hundred and ninety-nine yuan a month",
        [("money", 399, "CNY/month")],
        "a long number in words, with period",
    ),
    ("399 yuan/month", [("money", 399, "CNY/month")], "a slash period"),
    ("$1,200 per year", [("money", 1200, "USD/year")], "thousands separator"),
    ("50 cents", [("money", 0.5, "USD")], "cents are dollars"),
    ("5 or 10 cents", [("money", 0.05, "USD"), ("money", 0.1, "USD")], "a range shares its unit"),
    ("$5 to 10", [("money", 5, "USD"), ("money", 10, "USD")], "a range shares its sign"),
    ("a buck", [("money", 1, "USD")], "article and money"),
    ("1.5k bucks", [("money", 1500, "USD")], "k"),
    ("even .05 helps", [("money", 0.05, "")], "two decimals alone are money"),
    ("€20 and £3", [("money", 20, "EUR"), ("money", 3, "GBP")], "other currencies"),
    ("three months free", [("duration", 3, "month free")], "a free duration"),
    ("free of charge", [("money", 0, "free")], "free"),
    ("a free trial", [("money", 0, "free trial")], "what is free matters"),
    ("no commission", [("money", 0, "free commission")], "none is zero"),
    ("feel free to ask", [], "free is no price"),
    ("are you free now", [], "free time"),
    ("two weeks", [("duration", 336, "hour")], "weeks in hours"),
    ("a year's contract for 12 months", [("duration", 12, "month"), ("duration", 12, "month")], "a year is 12 months"),
    ("3 business days", [("duration", 3, "working day")], "working days"),
    ("one day you will see", [], "an idiom"),
    ("on November 30, 2026", [("date", 2026, "year"), ("date", 1130, "day")], "a date"),
    ("2026-11-30", [("date", 2026, "year"), ("date", 1130, "day")], "an ISO date"),
    ("founded in 1919", [("date", 1919, "year")], "a year"),
    ("from 9 am to 6:30 pm", [("time", 9, "clock"), ("time", 18.5, "clock")], "times"),
    ("24/7", [("time", 24, "always")], "around the clock"),
    ("3x more and double your sales", [("multiple", 3, ""), ("multiple", 2, "")], "multiples"),
    ("155 million children", [("count", 155e6, "")], "a count"),
    ("thousands of shops", [("count", 1000, "vague")], "a vague magnitude"),
    ("the 3rd step", [], "ordinals are none"),
    ("一折，只要1块钱", [("percent", 90, "off"), ("money", 1, "CNY")], "折 is the price that is left"),
    ("九五折", [("percent", 5, "off")], "two figures"),
    ("八到九折", [("percent", 20, "off"), ("percent", 10, "off")], "a range of 折"),
    ("半价", [("percent", 50, "off")], "half"),
    ("涨了四成", [("percent", 40, "")], "tenths"),
    ("百分之三十", [("percent", 30, "")], "spelled out"),
    ("三分之一", [("percent", 33.33, "")], "a fraction"),
    ("十家店里有九家", [("percent", 90, "")], "a ratio"),
    ("一个月三百九十九元", [("money", 399, "CNY/month")], "the period before the price"),
    ("九块九", [("money", 9.9, "CNY")], "the tenth after 块"),
    ("五毛钱", [("money", 0.5, "CNY")], "毛"),
    ("两千五", [("count", 2500, "bare")], "the last scale unsaid"),
    ("2万5千元", [("money", 25000, "CNY")], "mixed digits"),
    ("99美元", [("money", 99, "USD")], "a foreign currency"),
    ("０元", [("money", 0, "CNY")], "full width"),
    ("前三个月免费", [("duration", 3, "month free")], "a free duration"),
    ("送您三个月", [("duration", 3, "month free")], "a gift"),
    ("半年", [("duration", 6, "month")], "half a year"),
    ("三到五天", [("duration", 72, "hour"), ("duration", 120, "hour")], "a range of days"),
    ("3个工作日", [("duration", 3, "working day")], "working days"),
    ("11月30日", [("date", 1130, "day")], "a date"),
    ("周五下午三点半", [("date", 5, "weekday"), ("time", 15.5, "clock")], "weekday and time"),
    ("翻三倍", [("multiple", 3, "")], "a multiple"),
    ("上万家商户", [("count", 10000, "vague")], "a magnitude"),
    ("我十分理解，万一不行，千万别急", [], "idioms"),
    ("一起看一下，一般都一样", [], "one in idioms"),
]


@pytest.mark.parametrize(("text", "expected", "why"), FOUND)
def test_quantities_are_found_however_they_are_written(text, expected, why):
    assert [(q.quantity.kind, q.quantity.value, q.quantity.unit) for q in find_quantities(text)] == expected, why


def test_a_found_quantity_points_at_its_words():
    text = "只要９９元。"
    (found,) = find_quantities(text)
    assert text[found.start : found.end] == found.text == "９９元"


@pytest.mark.parametrize(
    ("fact", "said", "expected", "why"),
    [
        ("399 yuan per month", "399 yuan", True, "the period may be left out"),
        ("399 yuan per month", "399 yuan a year", False, "another period"),
        ("399 yuan per month", "$399", False, "another currency"),
        ("399 yuan per month", "399.", True, "a number alone"),
        ("399 yuan per month", "399 shops", False, "a count is no price"),
        ("10% off", "10%", True, "a discount is a percentage"),
        ("10% of orders", "10% off", False, "a percentage is no discount"),
        ("the first 30 days are free", "30 days", True, "a free duration is a duration"),
        ("the contract runs 3 months", "3 months free", False, "a duration is not free"),
        ("a free trial", "completely free", False, "only the trial is free"),
        ("12 months", "a contract for one year", True, "12 months are a year"),
        ("3 working days", "within 3 days", False, "working days are not days"),
        ("2,500 shops", "thousands of shops", True, "large enough"),
        ("800 shops", "thousands of shops", False, "too small"),
        ("九折", "10% off", True, "across languages"),
        ("399元每月", "三百九十九块一个月", True, "across wordings"),
    ],
)
def test_a_fact_supports_what_means_the_same(fact, said, expected, why):
    allowed = allowed_quantities([fact])
    assert all(is_supported(found.quantity, allowed) for found in find_quantities(said)) is expected, why
    assert find_quantities(said)


def test_quantities_of_equal_meaning_are_equal():
    assert allowed_quantities(["两周", "14 days"]) == {Quantity("duration", 336.0, "hour")}


def test_no_text_breaks_the_finder():
    pieces = ["百分", "百", "万", "点", "半", "零", "1", ".", ",", "%", "折", "成", "元", "块", "月", "日", "年", "分之", "$", "-", "/", ":",
              "free", "half", " ", "one", "hundred", "and", "in", "a", "day", "to", "免费", "送", "里有", "家", "th", "k", "am", "周", "〇"]  # fmt: skip
    chance = random.Random(7)
    for _ in range(4000):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 9)))
        for found in find_quantities(text):
            assert text[found.start : found.end] == found.text
