"""Find and mask personal data: contacts, cards, identity numbers, names."""

import re
from collections.abc import Callable, Iterator, Sequence

from guardrails.text import fold

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_CN_ID = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dA-Za-z])")
_SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
_CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])")
_PHONE = re.compile(
    r"(?<![\d.])(?:"
    r"(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}"
    r"|[48]00[- ]?\d{3}[- ]?\d{4}|0\d{2,3}[- ]?\d{7,8}|\(0\d{2,3}\)\s?\d{7,8}"
    r"|(?:\+?1[-. ]?)?(?:\(\d{3}\)\s?|\d{3}[-. ])\d{3}[-. ]\d{4}|\+\d{1,3}(?:[ -]?\d){7,12}|\d{10,11}|\d{3}-\d{4}"
    r")(?!\d|[.]\d)"
)
_SPOKEN_EN = "(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double)"
_SPOKEN = re.compile(
    rf"[零〇一二三四五六七八九幺]{{7,11}}|\b{_SPOKEN_EN}(?:[\s,-]+{_SPOKEN_EN}){{6,}}\b", re.IGNORECASE
)

_NO_NAMES = """
    a an the not so too very just also already still now then here there sure sorry fine good great ok okay well happy
    glad afraid busy interested calling looking asking trying going from in on at with about only really actually done
    ready free back new old big one me my your our their his her its it that this what who i you we they he she tomorrow
    today tonight yes no please thanks thank maybe alright monday tuesday wednesday thursday friday saturday sunday american
    chinese british indian canadian english european buddhist christian muslim catholic jewish hello hi later when if and
    because or but is was will be been being unavailable none nothing something correct right wrong
"""
_NOT_NAMES = frozenset(_NO_NAMES.split())
_EN_INTRO = re.compile(
    r"(?P<lead>\b(?:[Mm]y (?:full |first |last )?name(?:'s| is)|[Ii] am called|[Ii]'m called|[Pp]lease call me|[Cc]all me|[Mm]y name,)\s+)"
    r"(?P<name>[A-Za-z][A-Za-z'.-]*(?:\s+[A-Z][A-Za-z'-]+){0,2})"
    r"|(?P<lead2>\b(?:I'm|I am|[Tt]his is|[Ii]t's|[Ss]peaking with)\s+(?:(?:Mr|Mrs|Ms|Dr)\.?\s+)?)(?P<name2>[A-Z][a-z'-]++(?:\s+[A-Z][A-Za-z'-]++){0,2}+)(?!\s+(?:the|of|for)\b)"
)
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳唐罗薛"
    "雷贺倪汤滕殷毕郝邬安常乐于时傅皮卞齐康伍余元顾孟黄穆萧尹姚邵湛汪祁毛禹狄米贝明臧计成戴宋庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾"
    "路娄江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍万柯卢莫房解应丁宣邓单洪包石崔吉龚程邢裴陆荣翁段侯宁仇甘武刘景叶白蒲向古易廖耿欧文"
    "温庄晏柴阎连习容冉关肖曾沙简岳覃涂"
)
_ZH_STOP = "在是的来今想有我你您电手住做开，。！？,.!? 和跟也都就不吧啊呢呀了这那从要会到说给可"
_TITLE = "(?:先生|女士|小姐|老师|经理|总|老板|师傅|医生|阿姨)"
_ZH_INTRO = re.compile(
    rf"(?P<lead>(?:我(?:的名字)?(?:叫做?|是叫|名叫)|名字(?:叫|是)|(?:叫|称呼)我|本人(?:叫)?)(?:小|老|阿)?)"
    rf"(?P<name>(?:欧阳|司马|上官|诸葛|[{_SURNAMES}])(?:[\u4e00-\u9fff](?<![{_ZH_STOP}])){{0,2}}|[A-Z][a-z]+)"
    rf"|(?P<lead2>(?:我|免贵|敝)姓)(?P<name2>欧阳|司马|上官|诸葛|[\u4e00-\u9fff])"
    rf"|(?P<lead3>(?:我|这)是(?:小|老)?)(?P<name3>(?:欧阳|司马|上官|诸葛|[{_SURNAMES}])[\u4e00-\u9fff]{{0,2}}?)(?={_TITLE})"
    rf"|(?P<lead4>我是(?:小|老)?)(?P<name4>[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})(?=[，。,.！!]|$)"
)
_ZH_NO_NAMES = "老板 店主 经理 商家 真人 学生 女的 男的 成都 江苏 常客 安徽 关门 单身 花店 文员 高管 石匠"
_ZH_NOT_NAMES = frozenset(_ZH_NO_NAMES.split())


def _is_card(number: str) -> bool:
    """Tell whether the digits pass Luhn's check."""
    digits = [int(char) for char in number if char.isdigit()]
    total = sum(digit if i % 2 == 0 else sum(divmod(2 * digit, 10)) for i, digit in enumerate(reversed(digits)))
    return total % 10 == 0 and len(set(digits)) > 1


_CHECKS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("email", _EMAIL, lambda _: True),
    ("id", _CN_ID, lambda _: True),
    ("id", _SSN, lambda _: True),
    ("card", _CARD, _is_card),
    ("phone", _PHONE, lambda _: True),
    ("phone", _SPOKEN, lambda _: True),
)


def _contacts(folded: str) -> Iterator[tuple[str, int, int]]:
    taken: list[tuple[int, int]] = []
    for tag, pattern, holds in _CHECKS:
        for match in pattern.finditer(folded):
            start, end = match.span()
            if holds(match.group()) and not any(start < b and a < end for a, b in taken):
                taken.append((start, end))
                yield tag, start, end


def _introductions(folded: str) -> Iterator[tuple[str, int, int]]:
    for match in _EN_INTRO.finditer(folded):
        group = "name" if match["name"] else "name2"
        words = match[group].split()
        if words[0].lower().strip(".'-") not in _NOT_NAMES:
            yield "name", match.start(group), match.end(group)
    for match in _ZH_INTRO.finditer(folded):
        group = next(name for name in ("name", "name2", "name3", "name4") if match[name])
        if match[group] not in _ZH_NOT_NAMES:
            yield "name", match.start(group), match.end(group)


def find_personal(text: str) -> list[str]:
    """Return phone numbers, e-mail addresses, card and identity numbers as the text writes them, in order."""
    spans = sorted((start, end) for _, start, end in _contacts(fold(text)))
    return [text[start:end] for start, end in spans]


def find_names(text: str) -> list[str]:
    """Return the names by which the text introduces its speaker, as it writes them, in order."""
    return [text[start:end] for _, start, end in _introductions(fold(text))]


def mask(text: str, names: Sequence[str] = ()) -> str:
    """Replace personal data by tags: [phone], [email], [card], [id], [name].

    Args:
        text: Anything that may leave the process.
        names: Names known from profile and slots; Latin names match whole words in any case, others anywhere.

    Example:
        >>> mask("我叫王小明，电话13912345678")
        '我叫[name]，电话[phone]'
    """
    folded = fold(text)
    spans = [*_contacts(folded), *_introductions(folded)]
    for name in names:
        plain = fold(name.strip())
        if not plain:
            continue
        latin = plain.isascii()
        pattern = rf"(?<![A-Za-z0-9]){re.escape(plain)}(?![A-Za-z0-9])" if latin else re.escape(plain)
        spans += [("name", *match.span()) for match in re.finditer(pattern, folded, re.IGNORECASE)]
    result, position = [], 0
    for tag, start, end in sorted(spans, key=lambda span: (span[1], -span[2])):
        if start >= position:
            result += [text[position:start], f"[{tag}]"]
            position = end
    return "".join(result) + text[position:]
