"""Dialogues made by hand."""

from typing import Any

from training.corpus.schema import Dialogue, DialogueTurn, Origin, Role


def said(role: Role, text: str, **more: Any) -> DialogueTurn:
    return DialogueTurn(role=role, text=text, **more)


def dialogue(name: str, *turns: DialogueTurn | str, **more: Any) -> Dialogue:
    """A dialogue of lantern_local in English; plain texts alternate, the agent first."""
    roles: tuple[Role, Role] = ("agent", "customer")
    made = [said(roles[at % 2], turn) if isinstance(turn, str) else turn for at, turn in enumerate(turns)]
    usual: dict[str, Any] = {"campaign": "lantern_local", "language": "en", "split": "train"}
    source = Origin(method=more.pop("method", "imported"), seeds=more.pop("seeds", []))
    return Dialogue(id=name, turns=made, source=source, **{**usual, **more})
