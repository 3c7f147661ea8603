"""What the tests of the rules share: the contexts of two campaigns, and the tables beside this file.

Labels of `persuader_sentences.csv` (500 persuader sentences of "Persuasion for Good", Apache-2.0, a seeded sample of the
distinct ones; one first name replaced) were given by reading each sentence, before any rule was written. `may_say` is 1
when an automated agent of the charity could say the sentence with `CHARITY_FACTS` alone. It is 0 for: a number, price or
share that is not in the facts (`number`, `price`); a result promised (`promise`); an absolute claim; guilt or insult
(`pressure`); a life that a machine has not lived, own donations included (`personal_experience`: "I donated too");
a checkable claim in words that the facts do not hold (`unsupported_claim`: no pattern can know it, so it counts as a miss); nothing said
(`garbage`). Small talk, vague praise and having read or heard of something count as 1. "URL" stands for an address in the data.
"""

import csv
from dataclasses import replace
from pathlib import Path

from guardrails.context import Forbidden, GuardContext, Range
from guardrails.quantities import allowed_quantities

HERE = Path(__file__).parent

CHARITY_FACTS = (
    "Save the Children was founded in London in 1919 and has about 100 years of experience.",
    "It works in about 120 countries, including the United States, where it has supported children since 1932.",
    "In 2017 it reached more than 155 million children, 237,000 of them in the United States.",
    "In fiscal year 2017, 86% of its expenditures went to programs, 9% to fundraising and 5% to management.",
    "Nearly 9 out of every 10 dollars it spends go to programs.",
    "In the first two months of 2018, 1,000 children were reportedly killed or injured in Syria.",
    "Millions of Syrian children have grown up facing the daily threat of violence.",
    "Every day 16,000 children die before age 5, nearly 5.6 million a year.",
    "In the United States one in five children grows up in poverty.",
    "The task pays $2, and any amount from $0 to $2 may be given.",
)
CHARITY = GuardContext(
    language="en",
    allowed=allowed_quantities(CHARITY_FACTS),
    ranges=(Range("money", 0.0, 2.0, "USD"),),
    forbidden=(
        Forbidden("tax", "no tax advice", r"tax.?deductible"),
        Forbidden(
            "matching", "nobody matches donations", r"\bdonations? (?:is|are|will be) matched|\bmatch (?:your|the)\b"
        ),
        Forbidden(
            "every_cent", "part of each dollar pays for costs", r"\bevery (?:cent|penny|dollar) (?:goes|will go)\b"
        ),
        Forbidden("sponsor", "no sponsorship is offered here", r"\bsponsor\b"),
        Forbidden("payment", "no payment but the task's", r"\bcredit cards?\b|\bpaypal\b"),
    ),
    max_chars=600,
)

SHOP_FACTS = {
    "en": (
        "The storefront plan costs 399 yuan per month.",
        "The ads package starts at 1,200 yuan a month.",
        "The first 30 days are a free trial.",
        "Paying for a whole year gives 10% off.",
        "The contract runs 12 months and can be cancelled with 7 days' notice.",
        "The storefront is online within 3 working days.",
        "Refunds are paid within 14 days.",
        "Support answers from 9:00 to 18:00.",
        "The commission is 5% of each order.",
    ),
    "zh": (
        "店铺套餐每月399元。",
        "广告包每月1200元起。",
        "前30天免费试用。",
        "一次付一年打九折。",
        "合同期12个月，提前7天说明即可取消。",
        "店铺3个工作日内上线。",
        "退款14天内到账。",
        "客服时间是9:00到18:00。",
        "佣金是每单的5%。",
    ),
}
_SHOP = {
    "en": GuardContext(
        language="en",
        allowed=allowed_quantities(SHOP_FACTS["en"]),
        promises=("promise a full refund within 14 days",),
        forbidden=(
            Forbidden("best", "no ranking is proven", r"\bnumber one\b|\bno\. ?1\b|\bbest platform\b"),
            Forbidden("rival", "no words against rivals", r"\b(?:meituan|dianping) (?:is|are) (?:a scam|cheating)"),
        ),
        internal_terms=("buy-in score", "lead tier"),
        prompt_marks=("Your reply:", "What to do now:"),
        slots={"daily_bowls": "40 bowls a day", "budget": "200 yuan"},
        slot_quantities=allowed_quantities(["40", "200 yuan", "30%"]),
        personal=("13800138000",),
        max_chars=300,
    ),
    "zh": GuardContext(
        language="zh",
        allowed=allowed_quantities(SHOP_FACTS["zh"]),
        promises=("承诺14天内全额退款",),
        forbidden=(
            Forbidden("best", "no ranking is proven", r"全(?:城|网)(?:第一|最)|行业第一"),
            Forbidden("rival", "no words against rivals", r"(?:美团|点评)[^，。]{0,4}(?:坑|骗)"),
        ),
        internal_terms=("话术", "意向等级"),
        prompt_marks=("你的回复：", "现在要做："),
        slots={"daily_bowls": "四十碗", "budget": "200元"},
        slot_quantities=allowed_quantities(["四十碗", "200元", "三折"]),
        personal=("13800138000",),
        max_chars=120,
    ),
}


def shop(language: str, state: str = "") -> GuardContext:
    """Return the shop campaign's context; state: a flag such as `refused` to set."""
    context = _SHOP[language]
    return replace(context, **{state: True}) if state else context


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV table beside this file."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
