"""Make dialogues and filter them; killed at any point, the same call goes on, and nothing is made twice."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import cast

from pydantic import ValidationError

from evaluation.runs.store import append_line, locked
from graph.errors import BadInput, ModelUnavailable
from training.corpus.schema import Dialogue, Method, Origin, write_dialogues
from training.synthesis import extraction, prefix, role_play, simulation
from training.synthesis.filters.chain import Retention, sift
from training.synthesis.filters.stage import Stage
from training.synthesis.made import FILE, Made, read_made
from training.synthesis.prompting import templates_hash
from training.synthesis.scene import Scene, Talk, Workshop
from training.synthesis.teacher import Refused

METHODS: Mapping[str, ModuleType] = {
    "simulation": simulation,
    "extraction": extraction,
    "role_play": role_play,
    "prefix": prefix,
}
"""Each has `PROMPTS`, `scenes(shop)` and `make(shop, scene)`."""
PLAYED = ("simulation", "role_play")
"""Those with a prompted customer."""
KEPT, RETENTION = "kept.jsonl", "retention.json"
ASKED = "asked.json"
"""What a folder's dialogues are made of."""
GONE = 3
"""After so many dialogues in a row that a server did not answer, nothing more is asked of it."""
Progress = Callable[[int, int, float], None]
"""Told dialogues done, dialogues in all, and the seconds that the rest will take."""


def synthesise(
    shop: Workshop,
    out: Path,
    methods: Sequence[str],
    limit: int,
    chain: Sequence[Stage],
    *,
    at_once: int = 2,
    progress: Progress = lambda _done, _total, _left: None,
) -> dict[str, Retention]:
    """Make what is not made yet, then filter everything in the folder.

    Args:
        shop: Campaign, language, teacher and seeds.
        out: Folder of `made.jsonl` (grows line by line), `kept.jsonl` (a corpus) and `retention.json`.
        methods: Of `METHODS`.
        limit: Dialogues to make of each method, those in the folder counted.
        chain: Filters, `schema` first.
        at_once: Dialogues under way at a time.
        progress: Told after each dialogue.

    Returns:
        The figures of each method; see `Retention`.

    Raises:
        BadInput: A method is unknown or has nothing to make dialogues from, or the folder is in use or broken.
        ModelUnavailable: A server is gone; what was made is kept, and the same call goes on.
    """
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, "synthesis"):
        _take_up(out, shop)
        done = {one.id for one in read_made(out)}
        todo = [(name, scene) for name in methods for scene in _scenes(shop, name, limit) if scene.id not in done]
        missing = _make_all(shop, out / FILE, todo, at_once, progress)
        kept, found = sift(read_made(out), chain)
        write_dialogues(out / KEPT, kept)
        (out / RETENTION).write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if missing:
        raise missing
    return found


def _take_up(out: Path, shop: Workshop) -> None:
    """Begin a folder, or make sure that what lies there was made alike: another seed would draw other pools.

    Raises:
        BadInput: It was made otherwise.
    """
    asked = {
        "campaign": shop.data.campaign.name,
        "language": shop.language,
        "seed": shop.seed,
        "teacher": shop.teacher.name,
        "customer": shop.customer,
        "manager": shop.manager,
    }
    path = out / ASKED
    if not path.is_file():
        path.write_text(json.dumps(asked, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    other = [
        f"{name} {before.get(name)!r} there, {value!r} now"
        for name, value in asked.items()
        if before.get(name) != value
    ]
    if other:
        raise BadInput(f"{out} was made otherwise ({'; '.join(other)}); give another --out.")


def _scenes(shop: Workshop, method: str, limit: int) -> Iterator[Scene]:
    """Return the first scenes of a method.

    Raises:
        BadInput: There are none.
    """
    if method not in METHODS:
        raise BadInput(f"Method '{method}' is unknown; expected some of {', '.join(METHODS)}.")
    scenes = list(islice(METHODS[method].scenes(shop), limit))
    if not scenes:
        what = {
            "extraction": "transcripts: give --seeds with more of them",
            "role_play": "transcripts or scripts: give --seeds with more of them",
            "prefix": "expert answers",
            "simulation": "personas",
        }
        raise BadInput(
            f"Method '{method}' has nothing to make dialogues from in campaign '{shop.data.campaign.name}' "
            f"({shop.language}); it needs {what[method]}."
        )
    return iter(scenes)


class _Ledger:
    """Appends what is made, from many threads, and sees when the server is gone."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._failed = 0
        self.written = 0
        self.error: ModelUnavailable | None = None

    @property
    def gone(self) -> bool:
        """Whether a server has not answered so often in a row that nothing more is asked of it."""
        return self._failed >= GONE

    def write(self, made: Made) -> None:
        with self._lock:
            append_line(self._path, made.model_dump())
            self.written += 1
            self._failed = 0

    def fail(self, error: ModelUnavailable) -> None:
        with self._lock:
            self._failed += 1
            self.error = error


def _make_all(
    shop: Workshop, path: Path, todo: Sequence[tuple[str, Scene]], at_once: int, progress: Progress
) -> ModelUnavailable | None:
    """Make scenes, many at once, and append each as it ends; return why some are missing.

    Raises:
        ModelUnavailable: The server is gone, or nothing was made.
    """
    ledger = _Ledger(path)

    def work(method: str, scene: Scene) -> None:
        if ledger.gone:
            return
        try:
            ledger.write(make_one(shop, method, scene))
        except ModelUnavailable as error:
            ledger.fail(error)

    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(work, *one) for one in todo]
        try:
            for count, future in enumerate(as_completed(futures), start=1):
                future.result()
                if ledger.gone:
                    break
                progress(count, len(todo), (time.monotonic() - started) / count * (len(todo) - count))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if ledger.error is None:
        return None
    missing = ModelUnavailable(
        f"{ledger.error} {len(todo) - ledger.written} of {len(todo)} dialogues are missing; what was made is kept in {path}, and once "
        "the server answers, the same command goes on."
    )
    if ledger.gone or not ledger.written:
        raise missing from ledger.error
    return missing


def make_one(shop: Workshop, method: str, scene: Scene) -> Made:
    """Make one dialogue, or say why there is none.

    Raises:
        ModelUnavailable: A server does not answer: no fault of the scene, which stays to be made.
    """
    started = time.monotonic()
    dialogue, failure = None, ""
    try:
        dialogue = _dialogue(shop, method, scene, METHODS[method].make(shop, scene))
    except (Refused, ValidationError) as error:
        failure = " ".join(str(error).split())[:300]
    seconds = round(time.monotonic() - started, 3)
    return Made(id=scene.id, method=cast(Method, method), dialogue=dialogue, failure=failure, seconds=seconds)


def _dialogue(shop: Workshop, method: str, scene: Scene, talk: Talk) -> Dialogue:
    played = method in PLAYED
    model = shop.teacher.name
    if played and shop.customer and shop.customer != model:
        model += f"; customer: {shop.customer}"
    origin = Origin(
        method=cast(Method, method),
        seeds=list(scene.seeds),
        model=model,
        prompt_hash=templates_hash(METHODS[method].PROMPTS, shop.language, customer=played),
    )
    return Dialogue(
        id=scene.id,
        campaign=shop.data.campaign.name,
        language=shop.language,
        profile=talk.profile,
        strategy=talk.strategy,
        turns=talk.turns,
        outcome=talk.outcome,
        source=origin,
        split=scene.split,
    )
