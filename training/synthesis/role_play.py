"""Role-play: a seller and a customer, two models, of which only the seller sees profile and strategy.

Source: TeleBot, section on role-playing simulation. Departures: (1) the whole seed transcript is in nobody's prompt: the customer
opens with its customer's first words and asks about what that customer asked (a small teacher reads 75 tokens a second);
(2) profile and strategy are the persona's and a drawn one, not extracted from the same seed: that would be one call more a
dialogue, and the persona must know of itself what the seller is told; (3) a reply that breaks a rule of the guardrails
is asked for once more, as the served graph does, and so is a customer's line that speaks as the seller; (4) a campaign without transcripts has its scripts' situations for seeds.
"""

from collections.abc import Iterator

from guardrails.privacy import find_names, find_personal
from training.corpus.schema import Dialogue, DialogueTurn
from training.synthesis.customer import Customer
from training.synthesis.hearing import Hearing
from training.synthesis.pools import pool_of
from training.synthesis.repair import LEAST_PLAYED, MOST, spoken
from training.synthesis.scene import Scene, Talk, Workshop
from training.synthesis.seller import TOKENS, conversation, sound_reply

PROMPTS = ("seller", "seller_turn")
OPENING_CHARS = 200


def scenes(shop: Workshop) -> Iterator[Scene]:
    """Yield a scene for each seed of role-play's own half, else for each situation of the campaign's scripts."""
    name, language = shop.data.campaign.name, shop.language
    seeds: list[tuple[str, Dialogue | None, str]] = [
        (one.id, one, "") for one in shop.transcripts if pool_of(one.id, shop.seed) == "role_play"
    ]
    if not shop.transcripts:
        held = [script for script in shop.data.scripts if script.language == language and script.status == "published"]
        seeds = [(f"{one.id}.{place}", None, line) for one in held for place, line in enumerate(one.situation)]
        shop.drawing("situations").shuffle(seeds)
    for seed, transcript, line in seeds:
        scene = f"role_play.{name}.{language}.{seed}"
        drawing = shop.drawing(scene)
        persona = drawing.choice(shop.personas)
        yield Scene(
            id=scene,
            profile=persona.profile,
            strategy=drawing.choice(shop.strategies),
            seeds=(seed,),
            split=transcript.split if transcript else "train",
            transcript=transcript,
            persona=persona,
            opening=line or _first_words(transcript),
        )


def _first_words(transcript: Dialogue | None) -> str:
    """Return what the customer of a seed said first; empty where that is private."""
    line = next((turn.text for turn in transcript.turns if turn.role == "customer"), "") if transcript else ""
    return "" if find_personal(line) or find_names(line) or len(line) > OPENING_CHARS else line


def make(shop: Workshop, scene: Scene) -> Talk:
    """Hold one call.

    Raises:
        Refused: One side said nothing.
        ModelUnavailable: A server does not answer.
    """
    drawing = shop.drawing(f"{scene.id}|length")
    most = drawing.randint(LEAST_PLAYED, MOST)
    customer = Customer(shop, scene, most)
    turns = [shop.greeting(scene)]
    hearing = Hearing(shop.data.campaign, shop.language, scene.profile)
    hearing.say(turns[0].text)
    while (line := customer.next_line(turns, hearing)) is not None:
        hearing.hear(line)
        prompt = conversation(shop, scene, turns, f"seller_turn.{shop.language}", said=line)
        turns.append(DialogueTurn(role="customer", text=line))
        reply = sound_reply(
            lambda seed, prompt=prompt: spoken(shop.teacher.say(prompt, tokens=TOKENS, seed=seed)),  # type: ignore[misc]
            str,
            hearing,
            drawing.randrange(2**20),
        )
        turns.append(DialogueTurn(role="agent", text=reply))
        hearing.say(reply)
    return Talk(turns, scene.profile, scene.strategy.id)
