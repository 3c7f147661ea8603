import pytest
from markdown_it import MarkdownIt

from ui.text import plain

UNTRUSTED = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "**bold** _it_ `code` ~~gone~~",
    "# heading",
    "1. list",
    "- list",
    "a | b\n--|--\n1 | 2",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("text", UNTRUSTED)
def test_markdown_renders_plain_text_as_one_paragraph_of_these_characters(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable("strikethrough").parse(plain(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {token.type for token in children} <= {"text", "text_special"}
    shown = "".join(token.content for token in children).replace("\u2060", "")
    assert shown == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see http://evil.example", "http://"),
        ("see https://evil.example", "https://"),
        ("www.evil.example", "www."),
        ("mail a@evil.example", "a@"),
        (":smile:", ":s"),
        (":red[x]", ":r"),
        ("a -> b", "->"),
    ],
)
def test_what_is_recognised_after_unescaping_is_broken_up(text: str, found: str) -> None:
    assert found in text
    assert found not in plain(text).replace("\\", "")
