"""Train the heads that ship with the project, where they do not fit the campaigns any more: `python -m nodes.intent_heads`.

Run it after an edit of a bundled campaign's intents; without it the first start on every machine trains for itself.
"""

from graph.settings import get_settings
from graph.terminal import say
from nodes.intent_data import head_key
from nodes.intent_model import read_head, shipped_head, train_intent_model
from scripts_library.loading import bundled, load_campaign
from serving.embed import load_embedder


def main() -> None:
    """Train what is stale, and say so."""
    settings = get_settings()
    embedder = load_embedder(settings)
    for name, folder in bundled().items():
        data = load_campaign(folder)
        path = shipped_head(name)
        fresh = read_head(path, head_key(data, embedder.name)) is not None
        if not fresh:
            train_intent_model(data, embedder, settings.home, path)
        say(f"{name}: {'up to date' if fresh else 'trained'} ({path.name})")


if __name__ == "__main__":
    main()
