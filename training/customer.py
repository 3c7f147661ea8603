"""CustomerLM: a customer's model learns what real customers say, then not to fall into the seller's part.

Source: SalesLLM, arXiv 2604.07054 (supervised fine-tuning on the customer's side of real calls, then DPO on pairs of inverted and repaired
replies). Departures: those of `customer_rows.py`, and LoRA by default where the paper trains all weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from trl.trainer.sft_config import SFTConfig

from evaluation.customers.persona import MAX_TOKENS, TEMPERATURE
from evaluation.intent import find_campaign
from evaluation.runs.store import append_line, read_lines
from graph.errors import BadInput
from graph.settings import Settings
from training.corpus.rows import read_rows, write_rows
from training.corpus.schema import read_dialogues
from training.customer_rows import customer_rows, inverted_pair
from training.dpo import train_dpo
from training.models import ready
from training.recipes import machine_defaults, read_recipe
from training.run_file import ADAPTER, MODEL, RunFile
from training.sampling import Asked, sample
from training.sft import SFTRecipe, train_sft

ROWS, HEARD, PAIRS, REPAIRED = "rows.jsonl", "heard.jsonl", "pairs.jsonl", "dpo"
"""In the run's folder: what was learnt, what was said then, the pairs, and the second stage's own folder."""
Told = Callable[[str], None]


def write_customer_rows(corpus: Path, out: Path, settings: Settings) -> int:
    """Write the customer's side of a corpus as rows, but for test dialogues, and return how many.

    Args:
        corpus: Dialogues.
        out: File of rows.
        settings: Where campaigns lie.

    Raises:
        BadInput: No such corpus, or an unknown campaign.
    """
    dialogues = [one for one in read_dialogues(corpus) if one.split != "test"]
    campaigns = {name: find_campaign(name, settings) for name in sorted({one.campaign for one in dialogues})}
    return write_rows(out, (row for one in dialogues for row in customer_rows(one, campaigns[one.campaign])))


def train_customer(corpus: Path, config: Path, arguments: Sequence[str], settings: Settings) -> RunFile:
    """Teach a model what real customers say, or go on with the run that lies in the output folder.

    Args:
        corpus: Dialogues with real customers.
        config: Recipe, as of `salesman train sft`.
        arguments: `--key value` pairs, which win over it.
        settings: Where weights and campaigns lie.

    Returns:
        The finished run; its rows lie in its folder.

    Raises:
        BadInput: A bad corpus or recipe.
    """
    _, of_trl, _ = read_recipe(config, arguments, SFTRecipe, SFTConfig)
    rows = Path(of_trl.output_dir) / ROWS
    with of_trl.main_process_first(local=False):
        if of_trl.process_index == 0:
            _write_once(corpus, rows, settings)
    return train_sft(config, [*arguments, "--rows", str(rows)], settings)


def _write_once(corpus: Path, rows: Path, settings: Settings) -> None:
    """Write the run's rows; where they lie already, they must be these."""
    fresh = rows.with_name(f"{rows.name}.fresh")
    write_customer_rows(corpus, fresh, settings)
    if rows.is_file() and rows.read_bytes() != fresh.read_bytes():
        fresh.unlink()
        raise BadInput(
            f"Run {rows.parent} was made of another corpus than {corpus}; name another folder by --output_dir."
        )
    fresh.replace(rows)


def write_pairs(
    run: RunFile, settings: Settings, *, contexts: int, seed: int = 0, told: Told = lambda _: None
) -> Path | None:
    """Listen to a trained customer and write down where it fell out of its part; what was heard before is not asked again.

    Args:
        run: The finished first stage; what is heard, and the pairs, go into its folder.
        settings: Where weights lie.
        contexts: Real customers' turns of the train split on which it is heard; more of them begin with the same ones.
        seed: Draws them, and the replies.
        told: Hears what is done.

    Returns:
        The file of pairs; None where no reply fell out of the part.
    """
    rows = [row for row in read_rows(run.folder / ROWS, "prompt", "completion") if row["split"] == "train"]
    Random(seed).shuffle(rows)
    rows = rows[:contexts]
    heard = {_place(line): str(line["text"]) for line in read_lines(run.folder / HEARD)}
    missing = [row for row in rows if _place(row) not in heard]
    for batch in _said(run, missing, settings, seed):
        for at, text in batch:
            place = _place(missing[at])
            append_line(run.folder / HEARD, {"dialogue": place[0], "turn": place[1], "text": text})
            heard[place] = text
        told(f"{sum(_place(row) in heard for row in rows)} of {len(rows)} replies heard")
    pairs = [pair for row in rows if (pair := inverted_pair(row, heard[_place(row)]))]
    write_rows(run.folder / PAIRS, pairs)
    told(f"{len(pairs)} of {len(rows)} replies fell out of the part")
    return run.folder / PAIRS if pairs else None


def repair(run: RunFile, pairs: Path, config: Path, settings: Settings) -> RunFile:
    """Teach a customer, by DPO, what real customers said where it fell out of its part.

    Args:
        run: The finished first stage; the second goes into its folder.
        pairs: Of `write_pairs`.
        config: Recipe of `salesman train dpo`.
        settings: Where weights lie.

    Returns:
        The finished second stage.

    Raises:
        BadInput: A bad recipe.
    """
    model, adapter = _result(run)
    given = ["--model", model, *(["--adapter", adapter] if adapter else [])]
    return train_dpo(config, [*given, "--rows", str(pairs), "--output_dir", str(run.folder / REPAIRED)], settings)


def _result(run: RunFile) -> tuple[str, str]:
    """Return the model that a run made, and its adapter; of one that trained all weights there is none."""
    adapter = run.folder / ADAPTER
    return (run.about["base"]["name"], str(adapter)) if adapter.is_dir() else (str(run.folder / MODEL), "")


def _said(
    run: RunFile, rows: Sequence[dict[str, Any]], settings: Settings, seed: int
) -> Iterator[list[tuple[int, str]]]:
    """Yield what a customer says to rows, batch by batch, as (place in `rows`, text): as evaluation has customers answer."""
    if not rows:
        return
    name, adapter = _result(run)
    model, tokenizer = ready(name, settings, dtype=machine_defaults({}, ["dtype"])["dtype"], adapter=adapter)
    asked = [
        Asked(
            tuple(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]),
            Random(f"{seed} {_place(row)}").getrandbits(60),
        )
        for row in rows
    ]
    yield from sample(model, tokenizer, asked, temperature=TEMPERATURE, most=MAX_TOKENS)


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["dialogue"], row["turn"]
