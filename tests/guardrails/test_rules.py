"""Each rule with what it must catch and what it must let pass, in both languages."""

from dataclasses import replace

import pytest

from guardrails.check import check_reply, check_sentence
from guardrails.context import GuardContext
from guardrails.rules import RULES
from tests.guardrails.samples import CHARITY, shop

EARLIER = {
    "en": ("The storefront plan costs 399 yuan per month. Shall I show you an example?", "Thank you!"),
    "zh": ("店铺套餐每月399元，您想先看一个样例吗？", "谢谢您！"),
}

HEARD = {
    "en": "Nice to meet you. What do you do with the money you get?",
    "zh": "您好，您好！你们收的钱都用到哪里去了？",
}

# rule, language, text, state, expected, why
TABLE = [
    ("unsupported_quantity", "en", "It is 299 yuan a month.", "", True, "another price"),
    ("unsupported_quantity", "en", "Two months are free.", "", True, "another term"),
    ("unsupported_quantity", "en", "You said 40 bowls a day.", "", False, "the customer's slot"),
    ("unsupported_quantity", "en", "Our fee is 200 yuan.", "", True, "the customer's number as our price"),
    ("unsupported_quantity", "en", "One of us will help with two questions.", "", False, "small counts"),
    ("unsupported_quantity", "zh", "每月二百九十九元。", "", True, "another price"),
    ("unsupported_quantity", "zh", "送您两个月。", "", True, "another term"),
    ("unsupported_quantity", "zh", "您一天卖四十碗。", "", False, "the customer's slot"),
    ("unsupported_quantity", "zh", "那就给您200元。", "", True, "the customer's number as our price"),
    ("unsupported_quantity", "zh", "第一步先看一下。", "", False, "idioms"),
    ("promise", "en", "I promise it works.", "", True, "a promise"),
    ("promise", "en", "I can't promise that.", "", False, "denied"),
    ("promise", "en", "It's not only good, it's guaranteed.", "", True, "not only denies nothing"),
    ("promise", "en", "We promise a full refund within 14 days.", "", False, "approved"),
    ("promise", "zh", "我保证有用。", "", True, "a guarantee"),
    ("promise", "zh", "我不能保证。", "", False, "denied"),
    ("promise", "zh", "不用担心，保证有用。", "", True, "the denial is of something else"),
    ("promise", "zh", "我们承诺14天内全额退款。", "", False, "approved"),
    ("promise", "zh", "保证金不用交。", "", False, "a deposit is no promise"),
    ("outcome_claim", "en", "This will increase your sales.", "", True, "a certain result"),
    ("outcome_claim", "en", "It can help people find you.", "", False, "a possibility"),
    ("outcome_claim", "zh", "一周就能出单。", "", True, "a certain result"),
    ("outcome_claim", "zh", "它可以帮附近的人找到您。", "", False, "a possibility"),
    ("forbidden_claim", "en", "We are the number one platform.", "", True, "the campaign's pattern"),
    ("forbidden_claim", "en", "We are a platform for your area.", "", False, "plain"),
    ("forbidden_claim", "zh", "我们是行业第一。", "", True, "the campaign's pattern"),
    ("forbidden_claim", "zh", "我们是本地的平台。", "", False, "plain"),
    ("false_urgency", "en", "The offer ends today.", "", True, "no fact says so"),
    ("false_urgency", "en", "There is no hurry.", "", False, "denied"),
    ("false_urgency", "zh", "优惠今天截止。", "", True, "no fact says so"),
    ("false_urgency", "zh", "今天不着急定。", "", False, "plain"),
    ("prompt_leak", "en", "Your reply: Hello.", "", True, "a prompt's cue"),
    ("prompt_leak", "en", "Agent: Hello.", "", True, "a role label"),
    ("prompt_leak", "en", "Your lead tier is B.", "", True, "an internal term"),
    ("prompt_leak", "en", "Our agent calls you back.", "", False, "the word alone"),
    ("prompt_leak", "en", "I can send you the instructions for the page.", "", False, "instructions for the customer"),
    ("prompt_leak", "zh", "你的回复：您好。", "", True, "a prompt's cue"),
    ("prompt_leak", "zh", "客服：您好。", "", True, "a role label"),
    ("prompt_leak", "zh", "客服：电话和在线都可以。", "", False, "a fact about the service"),
    ("prompt_leak", "zh", "您的意向等级是B。", "", True, "an internal term"),
    ("markdown", "en", "## Prices", "", True, "a heading"),
    ("markdown", "en", "We rank shops by distance.", "", False, "plain"),
    ("markdown", "zh", "```价格```", "", True, "code"),
    ("markdown", "zh", "按距离排序。", "", False, "plain"),
    ("thought_leak", "en", "<think>hm", "", True, "a tag"),
    ("thought_leak", "en", "The customer is asking about the price.", "", True, "meta-talk"),
    ("thought_leak", "en", "Your customers are asking for delivery.", "", False, "the shop's customers"),
    ("thought_leak", "en", "We set it up step by step, and you see what the customer sees.", "", False, "plain words"),
    ("thought_leak", "zh", "顾客在附近搜索就能看到，我们一步一步来。", "", False, "the shop's customers"),
    ("thought_leak", "zh", "让我一步一步思考。", "", True, "thinking aloud"),
    ("thought_leak", "zh", "客户在问价格。", "", True, "meta-talk"),
    ("thought_leak", "zh", "您可以慢慢想。", "", False, "the customer thinks"),
    ("model_refusal", "en", "I'm sorry, but I can't assist with that.", "", True, "a refusal"),
    ("model_refusal", "en", "I'm sorry, I can't lower the price.", "", False, "an honest no"),
    ("model_refusal", "zh", "抱歉，我无法协助。", "", True, "a refusal"),
    ("model_refusal", "zh", "抱歉，价格不能再低了。", "", False, "an honest no"),
    ("claims_human", "en", "I'm a real person.", "", True, "false unasked too"),
    ("claims_human", "en", "I am a person like any other.", "asked_identity", True, "false when asked"),
    ("claims_human", "en", "I'm not a human, I'm an assistant.", "asked_identity", False, "honest"),
    ("claims_human", "zh", "需要的话可以安排真人跟您通话。", "asked_identity", False, "offers a person"),
    ("claims_human", "zh", "我是真人。", "", True, "false unasked too"),
    ("claims_human", "zh", "我也是人呀。", "asked_identity", True, "false when asked"),
    ("claims_human", "zh", "我不是真人，我是智能助手。", "asked_identity", False, "honest"),
    ("biography", "en", "I donated a dollar myself.", "", True, "a machine gives nothing"),
    ("biography", "en", "My wife runs a shop.", "", True, "a machine has no wife"),
    ("biography", "en", "Many people donated a dollar.", "", False, "others"),
    ("biography", "zh", "我也捐了一块。", "", True, "a machine gives nothing"),
    ("biography", "zh", "我老婆也开店。", "", True, "a machine has no wife"),
    ("biography", "zh", "很多人捐了款。", "", False, "others"),
    ("personal_data", "en", "Write to bob@example.com.", "", True, "nobody gave it"),
    ("personal_data", "en", "Is 138-0013-8000 right?", "", False, "the customer gave it"),
    ("personal_data", "zh", "打13912345678。", "", True, "nobody gave it"),
    ("personal_data", "zh", "是13800138000吧？", "", False, "the customer gave it"),
    ("garbage", "en", "?!", "", True, "nothing said"),
    ("garbage", "en", "Hello {name}!", "", True, "a placeholder"),
    ("garbage", "en", "good good good good good", "", True, "a loop"),
    ("garbage", "en", "😊", "", False, "a smile"),
    ("garbage", "zh", "……", "", True, "nothing said"),
    ("garbage", "zh", "您好【姓名】。", "", True, "a placeholder"),
    ("garbage", "zh", "谢谢谢谢您。", "", False, "a courtesy"),
    ("wrong_language", "en", "您好，我们聊聊。", "", True, "Chinese"),
    ("wrong_language", "en", "Привет, как дела?", "", True, "another script"),
    ("wrong_language", "en", "Our café plan fits.", "", False, "an accent"),
    ("wrong_language", "zh", "Hello, how are you?", "", True, "English"),
    ("wrong_language", "zh", "用APP或者WeChat都可以。", "", False, "brands and abbreviations"),
    ("contact_after_opt_out", "en", "Let me tell you about the trial.", "opted_out", True, "sells"),
    ("contact_after_opt_out", "en", "Anything else?", "opted_out", True, "asks"),
    ("contact_after_opt_out", "en", "We won't call you again.", "opted_out", False, "confirms"),
    ("contact_after_opt_out", "en", "Let me tell you about the trial.", "", False, "no opt-out"),
    ("contact_after_opt_out", "zh", "您看看这个优惠。", "opted_out", True, "sells"),
    ("contact_after_opt_out", "zh", "好的，不会再打扰您。", "opted_out", False, "confirms"),
    ("pressure", "en", "Are you sure you don't want it?", "refused", True, "pushes after a no"),
    ("pressure", "en", "Are you sure you don't want it?", "", False, "no refusal yet"),
    ("pressure", "en", "Have you no heart?", "", True, "guilt at any time"),
    ("pressure", "en", "I understand, thank you.", "refused", False, "a courtesy"),
    ("pressure", "en", "I see that right now is a bad time, I'll come on Friday.", "refused", False, "plain words"),
    ("pressure", "zh", "不好意思打扰您了。", "refused", False, "an apology"),
    ("pressure", "zh", "您再考虑考虑吧。", "refused", True, "pushes after a no"),
    ("pressure", "zh", "您再考虑考虑吧。", "", False, "no refusal yet"),
    ("pressure", "zh", "好的，理解。", "refused", False, "a courtesy"),
    ("echo", "en", "What do you do with the money you get?", "", True, "the customer's own words"),
    ("echo", "en", "Nice to meet you!", "", False, "a mirrored courtesy"),
    ("echo", "en", "What do we do with the money? It pays for the storefront.", "", False, "an answer"),
    ("echo", "zh", "你们收的钱都用到哪里去了？", "", True, "the customer's own words"),
    ("echo", "zh", "您好，您好！", "", False, "a mirrored courtesy"),
    ("echo", "zh", "钱用在线上店铺上。", "", False, "an answer"),
    ("over_length", "en", "Plain words. " * 30, "", True, "too long"),
    ("over_length", "en", "Plain words.", "", False, "short"),
    ("over_length", "zh", "平常的话。" * 30, "", True, "too long"),
    ("over_length", "zh", "平常的话。", "", False, "short"),
    ("repetition", "en", "The storefront plan costs 399 yuan per month! Shall I show you an example?", "", True, "said before"),
    ("repetition", "en", "Thank you!", "", False, "a courtesy may come again"),
    ("repetition", "en", "The refund is paid within 14 days.", "", False, "new"),
    ("repetition", "zh", "店铺套餐每月399元，您想先看一个样例吗", "", True, "said before"),
    ("repetition", "zh", "谢谢您！", "", False, "a courtesy may come again"),
    ("repetition", "zh", "退款14天内到账，请您放心查看。", "", False, "new"),
    ("two_questions", "en", "Do you cook? Do you deliver?", "", True, "two"),
    ("two_questions", "en", "How are you today? Do you deliver?", "", False, "a greeting is none"),
    ("two_questions", "en", "Do you deliver? I ask because many do.", "", False, "one"),
    ("two_questions", "zh", "您做堂食吗？您做外卖吗？", "", True, "two"),
    ("two_questions", "zh", "您做外卖吗？", "", False, "one"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "language", "text", "state", "expected", "why"), TABLE)
def test_a_rule_catches_what_it_names_and_lets_the_rest_pass(name, language, text, state, expected, why):
    context = replace(shop(language, state), earlier=EARLIER[language], heard=HEARD[language])
    assert (name in {hit["name"] for hit in check_reply(text, context)}) is expected, why


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_breaches_and_clean_lines_in_both_languages(rule):
    rows = {(language, expected) for name, language, _, _, expected, _ in TABLE if name == rule.name}
    assert rows == {("en", True), ("en", False), ("zh", True), ("zh", False)}


def test_rule_names_are_unique_and_reasons_are_given():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.reason for rule in RULES)


def test_a_hit_is_a_record_with_what_was_found():
    (hit,) = check_sentence("It is 299 yuan a month.", shop("en"))
    assert hit == {
        "name": "unsupported_quantity",
        "severity": "high",
        "action": "blocked",
        "reason": "a number, price, discount, date or period that no fact supports",
        "text": "299 yuan a month",
    }


def test_a_sentence_is_not_judged_by_rules_of_the_whole_reply():
    assert check_sentence("Plain words, " * 60 + "end.", shop("en")) == []


def test_a_bare_context_lets_a_courtesy_pass_and_stops_a_price():
    assert check_reply("Thank you, how is your day?", GuardContext()) == []
    assert check_reply("谢谢您，今天怎么样？", GuardContext(language="zh")) == []
    assert check_sentence("It costs $5.", GuardContext())


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("Even 35 cents helps.", True),
        ("You may give $1.75.", True),
        ("You may give $2.50.", False),
        ("A dollar a day helps.", False),
        ("You may give 2 euros.", False),
    ],
)
def test_an_open_range_covers_its_amounts_in_its_currency_only(text, passes):
    assert (check_sentence(text, CHARITY) == []) is passes


def test_a_dated_offer_is_no_false_urgency_when_a_fact_dates_it():
    from guardrails.quantities import allowed_quantities

    context = GuardContext(allowed=allowed_quantities(["The offer is valid until November 30, 2026."]))
    assert check_sentence("The offer ends on November 30.", context) == []
    assert check_sentence("The offer ends on November 20.", context)


def test_any_long_or_odd_text_is_judged_without_an_error():
    for piece in (
        "a",
        " ",
        "1",
        "1,",
        "一百万",
        "。",
        "free 3 days ",
        "保证不",
        "##|[{<",
        "\U0001f600",
        "\x00",
        "not to ",
    ):
        assert isinstance(check_reply(piece * 400, shop("zh", "refused")), list)
        assert isinstance(check_reply(piece * 400, shop("en", "opted_out")), list)
