"""Rules."""


def rules_list() -> None:
    """Show."""


def draft_page(call: str, turn: int | None) -> None:
    """Show."""
