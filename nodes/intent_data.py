"""What a campaign's classifier learns from: the intents' examples, and the labelled calls that ship with the campaign."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nodes.intent_features import CODE_VERSION, Embed, Example
from nodes.intent_model import weightiest
from scripts_library.loading import CampaignData
from scripts_library.persuasion import ANNOTATED, CAMPAIGNS, ActSentence, labelled_examples, split_of
from scripts_library.schema import Intent, IntentKind

if TYPE_CHECKING:
    from serving.embed import Embedder

BATCH = 64
ENDS = ".!?。！？…"


def campaign_examples(data: CampaignData) -> list[Example]:
    """Return all labelled lines of a campaign.

    They are its intents' examples, and its labelled calls but those of the test split. A campaign without such calls gets
    its turns of several sentences by joining examples (`joined_examples`).
    """
    examples = [
        Example(line, intent.name)
        for intent in data.intents
        for language in data.campaign.languages
        for line in intent.examples.get(language, [])
    ]
    kinds = kinds_of(data.intents)
    acts = [act for act in labelled_examples(data.campaign.name) if act.label in kinds]
    if not acts:
        return examples + joined_examples(data)
    return examples + act_examples((act for act in acts if split_of(act.dialogue) != "test"), kinds)


def joined_examples(data: CampaignData) -> list[Example]:
    """Return every example behind one of small talk ("Okay, I see. How much is it?"), which changes nothing of its intent."""
    examples = []
    for language in data.campaign.languages:
        stop, gap = ("。", "") if language == "zh" else (".", " ")
        talk = [
            line if line[-1] in ENDS else line + stop
            for intent in data.intents
            if intent.kind == "smalltalk"
            for line in intent.examples.get(language, [])
        ]
        for intent in data.intents if talk else ():
            if intent.kind != "smalltalk":
                for line in intent.examples.get(language, []):
                    drawn = int(hashlib.sha256(line.encode()).hexdigest(), 16) % len(talk)
                    examples.append(Example(f"{talk[drawn]}{gap}{line}", intent.name, group=line))
    return examples


def kinds_of(intents: Iterable[Intent]) -> dict[str, IntentKind]:
    """Return intent → kind."""
    return {intent.name: intent.kind for intent in intents}


def act_example(act: ActSentence) -> Example:
    """Turn one labelled sentence of a recorded call into an example."""
    return Example(
        act.text, act.label, act.previous_agent_text, act.previous_customer_text, act.turn + 1, group=act.dialogue
    )


def act_examples(acts: Iterable[ActSentence], kinds: dict[str, IntentKind]) -> list[Example]:
    """Turn labelled sentences into examples: each sentence, and each turn of several sentences as a whole.

    Args:
        acts: The customer's sentences in order.
        kinds: Intent → kind, for the label of a whole turn.
    """
    examples = []
    for _, group in groupby(acts, key=lambda act: (act.dialogue, act.turn)):
        sentences = list(group)
        examples += [act_example(act) for act in sentences]
        if len(sentences) > 1:
            first = sentences[0]
            label = weightiest((act.label for act in sentences), kinds)
            whole = Example(
                " ".join(act.text for act in sentences), label, first.previous_agent_text, first.previous_customer_text,
                first.turn + 1, first.dialogue,
            )  # fmt: skip
            examples.append(whole)
    return examples


def head_key(data: CampaignData, embedder: str) -> str:
    """Return a hash of all that a head depends on, without reading the labelled calls line by line.

    Campaigns whose customers say the same things share a head.

    Args:
        data: The campaign; its languages, intents with kinds and examples, and labelled calls count.
        embedder: Name of the embedding model.
    """
    learnt = [(intent.name, intent.kind, intent.examples) for intent in data.intents]
    said = [CODE_VERSION, embedder, data.campaign.languages, learnt]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
    calls = CAMPAIGNS / data.campaign.name / "data" / ANNOTATED
    digest.update(calls.read_bytes() if calls.is_file() else b"")
    return digest.hexdigest()


def remembering(embedder: "Embedder", home: Path) -> Embed:
    """Return an embedding function for training that keeps its vectors in `home`.

    Args:
        embedder: Embeds what is not kept yet.
        home: Folder of what the program writes; the file holds hashes of texts, not the texts.
    """
    name = hashlib.sha256(embedder.name.encode()).hexdigest()[:12]
    path = home / "intent" / f"vectors-{name}.npz"

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        names = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
        known = _read_vectors(path)
        missing = [place for place, key in enumerate(names) if key not in known]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            vectors = embedder.query([texts[place] for place in batch])
            known.update(zip((names[place] for place in batch), vectors, strict=True))
        if missing:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez(file, names=np.array(list(known)), vectors=np.stack(list(known.values())).astype(np.float16))
            part.replace(path)
        return np.stack([known[key] for key in names])

    return embed


def _read_vectors(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            vectors = stored["vectors"].astype(np.float32)
            return dict(zip((str(name) for name in stored["names"]), vectors, strict=True))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return {}
