"""Cut a stream of text into sentences, in English and Chinese."""

import re

_ENDERS = "。！？；!?;."
_MARK = re.compile(r"[。！？；!?;.\n]")
_CLOSERS = "\"'”’」』)）]】》*_"
_SHORT = (
    "mr mrs ms dr prof sr jr st vs etc e.g i.e eg ie approx no vol fig inc ltd co corp dept est a.m p.m u.s u.k u.n ph.d jan feb "
    "mar apr jun jul aug sep sept oct nov dec"
)
_ABBREVIATIONS = frozenset(_SHORT.split())
_ENDS_SENTENCE = frozenset(["etc", "inc", "ltd", "co", "corp", "a.m", "p.m", "u.s", "u.k", "u.n"])
"""Abbreviations that may close a sentence: they do when a common opener follows."""
_OPENERS = re.compile(r"(?:I|We|You|They|It|The|This|That|Do|Does|Would|How|What|If|So|And|But|Our|Your|My|Can|May)\b")
_BARE_ASSENT = re.compile(
    r"(?:(?:oh|well|yes|yeah|yep|sure|sure thing|of course|certainly|absolutely|definitely|ok|okay|alright|all right|great|"
    r"no problem|deal|agreed|done|gladly|perfect|right|exactly|indeed|by all means|you got it|sounds good|fine|totally|"
    r"you bet|certainly yes)(?:[\s,!.]+|$)){1,3}"
    r"|(?:(?:好的?|好呀|好啊|好嘞|没问题|当然(?:可以|行|没问题|了)?|可以的?|行的?|是的?|对的?|嗯+|成交|明白|没错|必须的|一定|收到|OK)"
    r"(?:啊|呀|呢|哦|的|吧|老板|您)?[，,、！!。.～~\s]*){1,3}",
    re.IGNORECASE,
)


class SentenceSplitter:
    """Emit each sentence, stripped, as soon as it is certain that it has ended.

    A closing quote stays with its sentence. "3.5", "$1.50", "Dr.", "e.g.", "U.S." and "24/7" end none.
    """

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, chunk: str) -> list[str]:
        """Take the next piece of text; return the sentences that it completed."""
        self._buffer += chunk
        done: list[str] = []
        while True:
            end = self._end()
            if end is None:
                return done
            sentence, self._buffer = self._buffer[:end].strip(), self._buffer[end:]
            if sentence:
                done.append(sentence)

    def flush(self) -> list[str]:
        """Return what is left when the text has ended."""
        rest, self._buffer = self._buffer.strip(), ""
        return [rest] if rest else []

    def _end(self) -> int | None:
        """Return the index after the first sentence that certainly ended."""
        text = self._buffer
        for mark in _MARK.finditer(text):
            if mark.group() == "\n":
                return mark.end()
            end = mark.end()
            while end < len(text) and text[end] in _ENDERS + _CLOSERS:
                end += 1
            verdict = self._judge(text, mark.start(), end)
            if verdict is None:
                return None
            if verdict:
                return end
        return None

    @staticmethod
    def _judge(text: str, i: int, end: int) -> bool | None:
        """Tell whether the mark at `i` ends a sentence; None while that cannot be known yet.

        Args:
            text: The buffer.
            i: Index of the mark.
            end: Index after the marks and closing quotes that follow it.
        """
        if end == len(text):
            return None
        following = text[end]
        if text[i] in "。！？；":
            return True
        if following == "\n":
            return True
        before = re.search(r"[A-Za-z.]+$|\d+$", text[:i])
        word = before.group().lower() if before else ""
        if not following.isspace():
            if not following.isascii():
                return not (text[i] == "." and word.isdigit() and following.isdigit())
            glued = text[i] in "!?" or (len(word) > 1 and word.isalpha() and word not in _ABBREVIATIONS)
            return glued and following.isupper()
        rest = text[end:].lstrip(" \t")
        if not rest:
            return None
        if text[i] == ".":
            if word.isdigit() and not text[: i - len(word)].strip():
                return False
            initial = len(word) == 1 and word.isalpha() and word != "i"
            if word in _ENDS_SENTENCE:
                return None if len(rest) < 6 and " " not in rest else bool(_OPENERS.match(rest))
            if word in _ABBREVIATIONS and not (word == "no" and not rest[0].isdigit()):
                return False
            if initial:
                return False
        quoted = any(char in "\"'”’)）" for char in text[i + 1 : end])
        dots = text[i:end].startswith("..") or text[i] == "."
        return not (rest[0].islower() and (quoted or dots))


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a whole text, stripped."""
    splitter = SentenceSplitter()
    return [*splitter.feed(text), *splitter.flush()]


def is_bare_assent(sentence: str) -> bool:
    """Tell whether a sentence only says yes ("Sure!", "好的！"): it agrees to whatever was asked before it."""
    return bool(_BARE_ASSENT.fullmatch(sentence.strip(" \"'“”")))
