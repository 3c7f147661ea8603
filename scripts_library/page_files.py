"""A tab of the desk."""


def files_tab(campaign: str) -> None:
    """Show it."""
