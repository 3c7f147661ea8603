"""A tab of the desk."""


def campaign_tab(campaign: str) -> None:
    """Show it."""
