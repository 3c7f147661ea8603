import pytest

from guardrails.privacy import find_personal, mask


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("Call me at +1 (555) 123-4567 or bob.li@mail.example.com.", [], "Call me at [phone] or [email]."),
        ("My card is 4111 1111 1111 1111", [], "My card is [card]"),
        ("4111 1111 1111 1112", [], "4111 1111 1111 1112"),
        ("SSN 123-45-6789", [], "SSN [id]"),
        ("five five five one two three four", [], "[phone]"),
        ("My name is john, I'm fine", [], "My name is [name], I'm fine"),
        ("I'm Robert Smith and I'm Not sure", [], "I'm [name] and I'm Not sure"),
        ("This is Save the Children", [], "This is Save the Children"),
        ("I'm calling about $1,200,000 and order 12345", [], "I'm calling about $1,200,000 and order 12345"),
        ("Ask alice; Alicent knows", ["Alice"], "Ask [name]; Alicent knows"),
        ("我叫王小明，电话139 1234 5678", [], "我叫[name]，电话[phone]"),
        ("免贵姓李", [], "免贵姓[name]"),
        ("我是王老板", [], "我是[name]老板"),
        ("我是老板", [], "我是老板"),
        ("我叫外卖了", [], "我叫外卖了"),
        ("身份证110101199003077578", [], "身份证[id]"),
        ("座机010-12345678", [], "座机[phone]"),
        ("号码是１３９１２３４５６７８", [], "号码是[phone]"),
        ("一三八零零一三八零零零", [], "[phone]"),
        ("陈静说好", ["陈静"], "[name]说好"),
        ("每月399元，佣金5%", [], "每月399元，佣金5%"),
        ("hello", [""], "hello"),
    ],
)
def test_personal_data_are_masked_and_nothing_else(text, names, expected):
    assert mask(text, names) == expected


def test_masking_twice_changes_nothing_more():
    once = mask("我叫王小明，13912345678, a@b.example.com, my name is Bob")
    assert mask(once) == once


def test_personal_data_are_found_in_order_as_written():
    assert find_personal("a@b.example.com 或 139-1234-5678") == ["a@b.example.com", "139-1234-5678"]
    assert find_personal("我叫王小明") == []
