"""Find the blocks of SalesLLM's prompts: the seller's product, and what is private to the customer (English and Chinese).

The prompts are free text with two customs: a line `PRODUCT_INFORMATION (private to you):` up to the rules, and a line
`CUSTOMER_INFORMATION (private to you):` with `key: value` lines below it.
"""

import re
from dataclasses import dataclass

from evaluation.scenarios.schema import Tier
from guardrails.sentences import split_sentences
from scripts_library.schema import Language

LONGEST_FACT = 300
"""Characters; a longer line of the block becomes several facts, each of whole sentences."""
LONGEST_NAME = 80

_PRODUCT = re.compile(
    r"^[^\w\n]*(?:PRODUCT[_ ]INFORMATION|(?:产品|商品)信息)[^\w\n]*(?:[(（][^)）\n]*[)）])?[^\w\n]*?[:：](?P<rest>.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_RULES = re.compile(
    r"^[^\w\n]*(?:(?:Rules|规则)[^\w\n]*[:：][ \t]*$|(?:hash code|哈希码))", re.IGNORECASE | re.MULTILINE
)
_CUSTOMER = re.compile(
    r"(?:CUSTOMER[_ ]INFORMATION|(?:客户|顾客|用户)信息)[^\w\n]*(?:[(（][^)）\n]*[)）])?[^\w\n]*?[:：](?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_FIELD = re.compile(r"(?P<key>[^:：]{1,40}?)\s*[:：]\s*(?P<value>.*)")
_HEADINGS = frozenset(
    {"product description", "from the manufacturer", "产品描述", "产品说明", "来自制造商", "制造商说明"}
)
_CATEGORIES = frozenset({"categories", "分类"})
_TITLES = ("title", "product name", "name", "标题", "产品名称", "商品名称", "名称")
_STORES = ("store", "商店", "店铺", "brand", "brand name", "品牌")
_EMPTY = re.compile(r"(?:\"\"|''|\[\s*\]|\{\s*\}|null|none|n/?a|无|暂无|没有|[-—])?\W*", re.IGNORECASE)
_TIERS: dict[str, Tier] = {
    "easy": "easy", "简单": "easy", "容易": "easy",
    "medium": "medium", "中等": "medium",
    "hard": "hard", "困难": "hard",
    "very hard": "very_hard", "非常困难": "very_hard", "极难": "very_hard",
    "adversarial": "adversarial", "对抗": "adversarial", "对抗性": "adversarial",
}  # fmt: skip
_LANGUAGES: dict[str, Language] = {
    "english": "en", "en": "en", "英文": "en", "英语": "en",
    "chinese": "zh", "zh": "zh", "中文": "zh", "汉语": "zh", "mandarin": "zh",
}  # fmt: skip


@dataclass(frozen=True)
class Product:
    """What the seller may know of one product."""

    name: str
    store: str
    """Empty when the block names none."""
    facts: tuple[str, ...]


def language_of(text: str) -> Language:
    """Return the language that a prompt is written in; foreign product names do not count for much."""
    words = len(re.findall(r"[A-Za-z]+", text))
    return "zh" if len(re.findall(r"[\u3400-\u9fff]", text)) > words else "en"


def named_language(word: str) -> Language | None:
    """Return the language that a row names (`chinese`, `英文`), or None for a word that names neither."""
    return _LANGUAGES.get(word.strip().casefold())


def named_tier(word: str) -> Tier | None:
    """Return the tier that a prompt names (`very hard`, `困难`), or None for another word."""
    return _TIERS.get(re.sub(r"[\s_-]+", " ", word).strip(" *。.").casefold())


def customer_field(prompt: str, *keys: str) -> str:
    """Return what the customer's prompt says after one of the keys (regular expressions), or "".

    A value may stand on the lines below its key, further in.
    """
    found = re.search(
        rf"^(?P<indent>[ \t]*)[^\w\n]*(?:{'|'.join(keys)})[^\w\n:：]*[:：](?P<value>.*)$", prompt, re.I | re.M
    )
    if not found:
        return ""
    value, depth = _cleaned(found["value"]), len(found["indent"])
    if not value:
        below = []
        for line in prompt[found.end() :].splitlines()[1:]:
            if len(line) - len(line.lstrip()) <= depth:
                break
            below.append(_cleaned(line))
        value = " ".join(below)
    return "" if _EMPTY.fullmatch(value) else value


def customer_block(prompt: str) -> str:
    """Return what is private to the customer, or "" when the prompt has no such block."""
    found = _CUSTOMER.search(prompt)
    return found["rest"].strip() if found else ""


def product_of(prompt: str) -> Product | None:
    """Return the product of a seller's prompt: one fact per line or field; None without a product block."""
    found = _PRODUCT.search(prompt)
    if not found:
        return None
    rules = _RULES.search(prompt, found.end())
    block = found["rest"] + "\n" + prompt[found.end() : rules.start() if rules else len(prompt)]
    lines = _lines(block)
    if not lines:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        if match := _FIELD.fullmatch(line):
            fields.setdefault(match["key"].casefold(), match["value"])
    title = next((fields[key] for key in _TITLES if fields.get(key)), lines[0])
    store = next((fields[key] for key in _STORES if fields.get(key)), "")
    facts = [fact for line in lines for fact in _packed(line)]
    return Product(_short(title), store[:LONGEST_NAME], tuple(dict.fromkeys(facts)))


def _lines(block: str) -> list[str]:
    """Return the block's lines without bullets and bare headings; the categories make one line."""
    lines: list[str] = []
    path: list[str] | None = None
    for raw in block.splitlines():
        text = _cleaned(raw)
        field = _FIELD.fullmatch(text)
        if not re.search(r"\w", text) or text.casefold() in _HEADINGS:
            continue
        if path is not None and not field:
            path.append(text)
            continue
        if path:
            lines.append(path[0] + " > ".join(path[1:]))
        path = None
        if field and not field["value"]:
            path = [f"{field['key']}: "] if field["key"].casefold() in _CATEGORIES else None
        else:
            lines.append(text)
    return lines + ([path[0] + " > ".join(path[1:])] if path and path[1:] else [])


def _cleaned(line: str) -> str:
    """Without bullet and emphasis; braces become brackets, because a campaign's braces are placeholders."""
    text = re.sub(r"^[\s*•·#-]+", "", line).strip().strip("*").strip()
    return text.replace("{", "(").replace("}", ")")


def _packed(line: str) -> list[str]:
    """Return a line as facts of at most `LONGEST_FACT` characters."""
    if len(line) <= LONGEST_FACT:
        return [line]
    facts = [""]
    for sentence in split_sentences(line):
        pieces = [sentence[at : at + LONGEST_FACT] for at in range(0, len(sentence), LONGEST_FACT)]
        for piece in pieces:
            joined = f"{facts[-1]} {piece}".strip()
            if len(joined) <= LONGEST_FACT:
                facts[-1] = joined
            else:
                facts.append(piece)
    return [fact for fact in facts if fact]


def _short(title: str) -> str:
    """Return the name that people would call the product by: the title up to its first dash, comma or bracket."""
    return (re.split(r"\s[–—|-]\s|[,，、;；(（\[]", title)[0].strip() or title)[:LONGEST_NAME].strip()
