"""What is personal in a call, looked up so that whatever leaves the process can be masked."""

from graph.settings import Settings
from graph.trace_masking import Masker, forms, introduced, known_values
from scripts_library.schema import Campaign


def campaign_of(settings: Settings, name: str) -> Campaign | None:
    """Return a campaign; None when it is gone, and everything in profile and slots is then taken for personal."""
    from graph.errors import SalesmanError
    from nodes.resources import get_resources

    try:
        return get_resources(settings).campaign(name).campaign
    except SalesmanError:
        return None


def said_before(settings: Settings, call: str) -> set[str]:
    """Return the names by which customers introduced themselves in the turns that were kept, by whichever process."""
    from graph.calls import CallStore
    from scripts_library.database import engine_for

    store = CallStore(engine_for(settings))
    return introduced(store.record(call)["turns"]) if store.exists(call) else set()


def call_masker(settings: Settings, call: str) -> Masker:
    """Return what masks the personal data of a call that was kept.

    Raises:
        BadInput: There is no such call.
    """
    from graph.calls import CallStore
    from scripts_library.database import engine_for

    record = CallStore(engine_for(settings)).record(call)
    slots: dict[str, str] = {}
    for turn in record["turns"]:
        slots |= turn["why"].get("slots", {})
    known = known_values(record["profile"], slots, campaign_of(settings, record["campaign"]))
    names = [form for name in introduced(record["turns"]) for form in forms(name)]
    return Masker([*known, *names])
