"""When a customer's words end the call: farewells and refusals, also in the middle of a longer sentence.

Departure from SalesLLM's released stop rule: that expression asks for word boundaries, which Chinese does not have, so a
farewell inside a longer Chinese sentence never ended a call there.
"""

from guardrails.rule import either
from guardrails.text import normalise

_FAREWELL = either(
    r"\b(?:good[- ]?bye|bye(?:[- ]bye)?|see you(?: (?:later|then|soon))?[.!]?$|talk to you (?:later|soon|then)|have a (?:nice|good|great|lovely|pleasant) (?:day|evening|one|weekend)|(?:i'm|i am|i'll|i will) (?:going to )?(?:hang(?:ing)? up|end(?:ing)? th(?:e|is) call))\b",
    r"再见(?![面到])|再会|拜拜|回头(?:再)?聊|(?<![别不])(?:先|我)挂(?:了|电话)|(?<!别)(?<!不要)挂断|先这样(?:吧|了|$|[，。！])|不聊了|告辞",
)  # fmt: skip
_REFUSAL = either(
    r"\bno,? (?:thanks|thank you|need)\b|\b(?:i'm |i am |we're )?(?:not|no longer) interested\b|\b(?:i|we) (?:don't|do not|won't|will not) (?:need|want) (?:it|this|that|any|anything)\b|\bi(?:'ll| will) pass\b|\bnot for (?:me|us)\b",
    r"不(?:需要|感兴趣|想要|考虑了|买了|做了|办了)|没(?:有)?兴趣|不用了|算了吧?|用不着",
)


def says_goodbye(text: str) -> bool:
    """Tell whether a customer's line takes leave, in either language."""
    return bool(_FAREWELL.search(normalise(text)))


def refuses(text: str) -> bool:
    """Tell whether a customer's line turns the offer down, in either language; questions do not ("你不需要吗？")."""
    plain = normalise(text).strip()
    return bool(_REFUSAL.search(plain)) and not plain.endswith(("?", "？"))
