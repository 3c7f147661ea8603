"""What a run stands on, kept in its folder: campaigns with their published scripts, and the home made of them."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from evaluation.runs.store import CAMPAIGNS
from graph.settings import Settings
from nodes.resources import get_resources
from scripts_library.loading import FILES, CampaignData


def keep_campaigns(folder: Path, names: Sequence[str], made: Mapping[str, CampaignData], settings: Settings) -> None:
    """Write the campaigns of a run into its folder, as customers would meet them now.

    Args:
        folder: The run's.
        names: Campaigns of its scenarios.
        made: Campaigns made for the scenarios; the others come from the library.
        settings: Name the library's home.

    Raises:
        BadInput: A campaign is neither made nor in the library.
    """
    for name in names:
        data = made.get(name)
        if data is None:
            library = get_resources(settings).library
            data = replace(library.campaign(name), scripts=tuple(library.list(name, status="published")))
        _write(folder / CAMPAIGNS / name, data)


def _write(folder: Path, data: CampaignData) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    contents: tuple[Any, ...] = (
        _plain(data.campaign),
        [_plain(one) for one in data.intents],
        [_plain(one) for one in data.scripts],
    )
    for file, content in zip(FILES, contents, strict=True):
        (folder / file).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _plain(data: BaseModel) -> dict[str, Any]:
    return data.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


def settings_of(folder: Path, settings: Settings) -> Settings:
    """Return the settings under which a run's calls are held: a home of their own, and nothing is sent to a webhook."""
    own = {"home": folder / "home", "database_url": "", "chroma_url": "", "webhook_url": "", "bundled": False}
    return Settings.model_validate({**settings.model_dump(), **own})


def fill_home(folder: Path, settings: Settings, served: Path) -> None:
    """Load a run's campaigns into its home, with the intent classifiers that were made for them; what is there already stays.

    Args:
        folder: The run's.
        settings: As `settings_of` returns them.
        served: The home whose calls the run stands for.
    """
    from scripts_library.library import open_library

    for encoder in (served / "intent").glob("encoder-*"):
        if not (settings.home / "intent" / encoder.name).exists():
            shutil.copytree(encoder, settings.home / "intent" / encoder.name)

    with open_library(settings, get_resources(settings).embedder) as library:
        held = library.campaigns()
        for campaign in sorted(path for path in (folder / CAMPAIGNS).glob("*") if path.is_dir()):
            if campaign.name not in held:
                library.load(campaign, "evaluation")
