"""What came of a call, in five classes, and where the truth about it comes from.

Rules of the classes, for people and models alike: judge the customer's turns alone; judge where the customer stood at the end; between
two classes take the less committed one.

Source: SalesLLM, arXiv 2604.07054, its buying-intent classifier.
"""

from typing import Literal

from evaluation.runs.results import CallResult

IntentClass = Literal["A", "B", "C", "X", "F"]
ORDER: tuple[IntentClass, ...] = ("A", "B", "C", "X", "F")
"""From the most to the least committed."""
POINTS: dict[IntentClass, int] = {"A": 10, "B": 8, "C": 6, "X": 4, "F": 2}
MEANING: dict[IntentClass, str] = {
    "A": "clear purchase: the customer agreed to buy or give",
    "B": "potential interest: the customer leans towards it, without having bought or given",
    "C": "no intention: the customer listened and does not want it",
    "X": "perfunctory: the customer brushed the call off or hung up",
    "F": "insulting, or wants never to be called again",
}
OF_DECISION: dict[str, IntentClass] = {"buys": "A", "declines": "C", "hangs_up": "X", "opts_out": "F"}
"""What a simulated customer decided (`Note.decided`) → its class."""
LEANING = 0.5
"""Interest of a simulated customer without a decision from which its call is B, not C."""


def of_donation(given: float, intended: float | None, annotated: bool) -> tuple[IntentClass, ...]:
    """Return the classes that a real call of `persuasion_for_good` may have; one, where the data tells.

    A gift that was made outweighs words: A. Without a gift, a stated intention above zero is B, and none C; calls that nobody
    annotated are one of both. The data has no X and no F.

    Args:
        given: Dollars that were given (`B6` of the persuadee).
        intended: Dollars that the persuadee said they meant to give (`B5`); None where none were stated.
        annotated: Whether somebody read the call for intentions.
    """
    if given > 0:
        return ("A",)
    if not annotated:
        return ("B", "C")
    return ("B",) if intended else ("C",)


def of_call(result: CallResult) -> IntentClass | None:
    """Return the class of a simulated call by what its customer decided; None for customers that keep no notes.

    Args:
        result: A finished call; its last note counts.
    """
    notes = [note for session in result["notes"] for note in session]
    if not notes:
        return None
    decided = notes[-1].get("decided")
    if decided is not None:
        return OF_DECISION[decided]
    return ("B" if notes[-1]["interest"] >= LEANING else "C") if "interest" in notes[-1] else None
