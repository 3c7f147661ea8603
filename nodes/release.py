"""The gate between the model and the customer: sentence by sentence, each after its rules passed.

What was released is never taken back. A bare assent ("Sure!") is held until the sentence after it has passed, because it
says yes to whatever the customer just asked for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from graph.records import RuleHit
from guardrails.check import check_reply, check_sentence
from guardrails.context import GuardContext
from guardrails.sentences import SentenceSplitter, is_bare_assent, split_sentences
from nodes.speak import Answer

MAX_SENTENCES = 3
REPEATED: RuleHit = {
    "name": "repetition",
    "severity": "low",
    "action": "blocked",
    "reason": "says a sentence of this call again, word for word",
    "text": "",
}


@dataclass
class Gate:
    """Release a model's text; `released`, `blocked` and `hits` say what came of it."""

    context: GuardContext
    write: Callable[[str], None]
    """Called with each sentence as it is released."""
    released: list[str] = field(default_factory=list)
    blocked: str = ""
    hits: list[RuleHit] = field(default_factory=list)
    repeated: list[RuleHit] = field(default_factory=list)
    """Sentences that were said earlier in the call: passed over, and the reading goes on."""
    _held: list[str] = field(default_factory=list)
    _earlier: set[str] | None = None

    def run(self, chunks: Iterable[str], answer: Answer) -> None:
        """Read chunks until the text ends, a rule stops it, or enough was said.

        Args:
            chunks: The model's words.
            answer: Says whether the stream broke off, in which case an unfinished sentence is dropped.
        """
        splitter = SentenceSplitter()
        for chunk in chunks:
            for sentence in splitter.feed(chunk):
                if not self._take(sentence):
                    return
        rest = [] if answer.error else splitter.flush()
        for number, sentence in enumerate(rest):
            cut_off = number == len(rest) - 1 and self.released and sentence.strip()[-1:].isalnum()
            if cut_off or not self._take(sentence):
                return
        for sentence in [] if answer.error else self._held:
            self._release(sentence)

    def _take(self, sentence: str) -> bool:
        """Check one sentence; return whether to read on."""
        sentence = sentence.strip()
        if not sentence:
            return True
        hits = check_sentence(sentence, self.context)
        if sentence in self._said_before():
            self.repeated.append(REPEATED | {"text": sentence})
            return True
        if hits and all(hit["name"] == "repetition" for hit in hits):
            self.repeated += hits
            return True
        hits = hits or check_reply(" ".join([*self.released, *self._held, sentence]), self.context)
        if hits:
            self.hits, self.blocked = hits, sentence
            return False
        if is_bare_assent(sentence) and not self.released:
            self._held.append(sentence)
            return True
        for passed in [*self._held, sentence]:
            self._release(passed)
        self._held = []
        return len(self.released) < MAX_SENTENCES

    def _said_before(self) -> set[str]:
        if self._earlier is None:
            self._earlier = {sentence for reply in self.context.earlier for sentence in split_sentences(reply)}
        return self._earlier

    def _release(self, sentence: str) -> None:
        self.released.append(sentence)
        self.write(sentence)


def join(sentences: Iterable[str], language: str) -> str:
    """Join released sentences into a reply: a space between them, none in Chinese."""
    return ("" if language == "zh" else " ").join(sentence.strip() for sentence in sentences)
