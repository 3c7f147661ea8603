import pytest

from guardrails.sentences import SentenceSplitter, is_bare_assent, split_sentences

TEXTS = [
    ("Hi there! I'm Lily. How are you?", ["Hi there!", "I'm Lily.", "How are you?"], "plain English"),
    ("It costs $1.50, or 3.5 yuan. Fine.", ["It costs $1.50, or 3.5 yuan.", "Fine."], "decimals"),
    ("Dr. Li, i.e. my boss, agrees. Good.", ["Dr. Li, i.e. my boss, agrees.", "Good."], "abbreviations"),
    ("We are in the U.S. and open 24/7. Call us.", ["We are in the U.S. and open 24/7.", "Call us."], "U.S. inside"),
    ("It ends at 6 p.m. We close then.", ["It ends at 6 p.m.", "We close then."], "an abbreviation that closes"),
    ('He said "Great." Then he left.', ['He said "Great."', "Then he left."], "closing quote stays"),
    ("Really?! Yes.", ["Really?!", "Yes."], "several marks"),
    ("1. First one\n2. Second one", ["1. First one", "2. Second one"], "list numbers and newlines"),
    ("See www.example.com. Thanks.", ["See www.example.com.", "Thanks."], "addresses"),
    ("Hello.How are you", ["Hello.", "How are you"], "missing space"),
    ("Is it no. 5? No. It is.", ["Is it no. 5?", "No.", "It is."], "no. and No."),
    ("Well... let me see. Ok", ["Well... let me see.", "Ok"], "dots in mid sentence"),
    ("First; second.", ["First;", "second."], "semicolon"),
    ("好的！一个月399元。", ["好的！", "一个月399元。"], "plain Chinese"),
    ("“真的吗？”他问。", ["“真的吗？”", "他问。"], "Chinese closing quote stays"),
    ("价格是3.5折；可以吗?好", ["价格是3.5折；", "可以吗?", "好"], "half-width mark before Chinese"),
    ("没有结尾", ["没有结尾"], "no mark at all"),
    ("", [], "nothing"),
    (" \n ", [], "blank"),
]


@pytest.mark.parametrize(("text", "expected", "why"), TEXTS)
def test_a_text_is_cut_into_sentences(text, expected, why):
    assert split_sentences(text) == expected, why


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize(("text", "expected", "why"), TEXTS)
def test_streaming_cuts_where_the_whole_text_is_cut(text, expected, why, size):
    splitter = SentenceSplitter()
    done = [s for i in range(0, len(text), size) for s in splitter.feed(text[i : i + size])]
    assert done + splitter.flush() == expected, why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("It costs 3.", "a decimal may follow"),
        ("He said yes.", "a closing quote may follow"),
        ("We met Dr. ", "an abbreviation"),
        ("可以。", "a closing quote may follow"),
    ],
)
def test_a_sentence_is_held_until_it_certainly_ended(text, why):
    assert SentenceSplitter().feed(text) == [], why


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Sure!", True),
        ("Absolutely.", True),
        ("Yes, of course!", True),
        ("No problem!", True),
        ("Sure, the plan is great.", False),
        ("Yes, 90% off.", False),
        ("No.", False),
        ("Thank you!", False),
        ("好的！", True),
        ("当然可以。", True),
        ("没问题！", True),
        ("好的老板，", True),
        ("好的，一折给您", False),
        ("不行。", False),
        ("", False),
    ],
)
def test_a_bare_assent_only_says_yes(sentence, expected):
    assert is_bare_assent(sentence) is expected
