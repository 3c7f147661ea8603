"""What has happened in the home whose pictures the README shows: `python -m tests.ui.story HOME`, with the default model."""

import sys
from pathlib import Path

from evaluation.customers.recorded import customers_for
from graph.marks import add_mark
from graph.session import Calls
from graph.settings import Settings
from scripts_library.schema import Script

CAMPAIGN = "lantern_local"
WHOLE = "c0ffee000001"
WAITING = "c0ffee000003"
SCRIPT = "lantern_local-en-objection-bad_reviews-01"
FEAR = "I'm afraid of bad reviews, one bad review and my shop is finished"


def tell(home: Path) -> None:
    """Hold three calls, write a draft, and mark an answer."""
    calls = Calls(Settings(home=home))
    calls.start(CAMPAIGN, call=WHOLE, language="en", profile={"shop_type": "bakery", "shop_name": "Rosa's Bakery"})
    customer = customers_for(CAMPAIGN, "en")[0]
    while (line := customer.next_line(calls.record(WHOLE))) is not None:
        calls.turn(WHOLE, line)
    calls.start(CAMPAIGN, call="c0ffee000002", language="en")
    calls.turn("c0ffee000002", "We run a small noodle shop")
    calls.turn("c0ffee000002", FEAR)
    add_mark(calls.engine, "c0ffee000002", 2, "bad", "It did not answer the fear of bad reviews.", "", "sue")
    calls.start(CAMPAIGN, call=WAITING, language="en")
    calls.turn(WAITING, "What does it cost?")
    calls.turn(WAITING, "I want to speak to a real person about the contract")
    draft = Script(
        id=SCRIPT,
        campaign=CAMPAIGN,
        stage="objection",
        intent="bad_reviews",
        language="en",
        title="Answer the fear of bad reviews",
        situation=[FEAR, "What if a rival leaves fake one-star ratings"],
        outline=["Take the fear seriously", "Offer to look at the dashboard together"],
        say=[
            "That worry makes sense. An adviser can show you the dashboard of a similar shop first. Shall we do that?"
        ],
        facts=["proof"],
    )
    saved = calls.resources.library.add(draft, "ada")
    calls.resources.library.revise(
        saved.id, saved.version, "bob", outline=["Take the fear seriously", "Offer proof from a similar shop"]
    )
    calls.idle()
    calls.close()


if __name__ == "__main__":
    tell(Path(sys.argv[1]))
