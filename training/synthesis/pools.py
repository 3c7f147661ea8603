"""Transcripts to make dialogues from, split at random into disjoint pools: one for extraction, one for role-play.

Source: TeleBot, section on data synthesis ("split at random into two disjoint pools").
"""

import hashlib
from pathlib import Path
from typing import Literal

from graph.errors import BadInput
from scripts_library.persuasion import CAMPAIGNS
from scripts_library.schema import Language
from training.corpus.imported import CAMPAIGN, read_persuasion
from training.corpus.schema import Dialogue, read_dialogues

PERSUASION = "persuasion"
"""Name of the bundled recorded calls, of campaign `save_the_children`."""


def pool_of(seed_id: str, seed: int) -> Literal["extraction", "role_play"]:
    """Return the pool of a transcript, from its id and the draw's seed alone: it stays there when transcripts are added."""
    digest = hashlib.sha256(f"{seed}|{seed_id}".encode()).digest()
    return "extraction" if digest[0] % 2 else "role_play"


def read_transcripts(source: str, campaign: str, language: Language) -> list[Dialogue]:
    """Read the transcripts that dialogues may be made from.

    Args:
        source: `persuasion`, or a corpus (`salesman train corpus`).
        campaign: Only its transcripts.
        language: Only transcripts in it.

    Returns:
        Those of the train and dev splits: what is made from a transcript has its split, and nothing is made to be held out.

    Raises:
        BadInput: No such file, a broken one, or none that may be used.
    """
    everything = (
        read_persuasion(CAMPAIGNS / CAMPAIGN / "data") if source == PERSUASION else read_dialogues(Path(source))
    )
    ours = [one for one in everything if one.campaign == campaign and one.language == language]
    found = [one for one in ours if one.split != "test"]
    if not found:
        held = f"all {len(ours)} of them are test dialogues" if ours else "there is none"
        raise BadInput(f"Seeds {source} hold no transcript to use of campaign '{campaign}' in '{language}': {held}.")
    return found
