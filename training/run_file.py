"""A training run's folder: `run.json` says what made it and what it came to, `log.jsonl` how it went.

Beside them lie the checkpoints and at the end the result, `adapter/` or `model/`.
The same command on the same folder goes on from the last whole checkpoint; another recipe or other data there is refused.
"""

import hashlib
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from graph.errors import BadInput

RUN, LOG = "run.json", "log.jsonl"
ADAPTER, MODEL = "adapter", "model"
"""Where the result lies: a LoRA, or all weights."""
WEIGHTS = ("adapter", "reward_model")
"""Keys of a recipe that name weights which another run made."""
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
STATE = "trainer_state.json"
"""Written last in a checkpoint: one without it was cut short."""


class RunFile(TrainerCallback):
    """The record of one run; told by the trainer how it goes.

    Args:
        folder: The run's folder.
        about: What `run.json` says so far.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder, self.about = folder, about
        self._spent = float(about["seconds"])
        self._begun = time.perf_counter()

    @classmethod
    def open(cls, folder: Path, trainer: str, recipe: Mapping[str, Any], files: Iterable[Path]) -> Self:
        """Begin a run, or take up the one that lies there.

        Args:
            folder: The run's folder.
            trainer: Its kind, e.g. `sft`.
            recipe: What was given, as it decides the result.
            files: The data.

        Raises:
            BadInput: There lies a run of another recipe, other data or other weights under the same name, or some are missing.
        """
        made_of = {
            "trainer": trainer,
            "recipe": dict(recipe),
            "data": [_described(file) for file in files],
            "weights": {key: _weights(key, Path(recipe[key])) for key in WEIGHTS if recipe.get(key)},
        }
        path = folder / RUN
        if path.is_file():
            about = json.loads(path.read_text(encoding="utf-8"))
            other = [name for name, value in made_of.items() if about.get(name, {}) != value]
            if other:
                told = _difference(about.get(other[0], {}), made_of[other[0]])
                raise BadInput(
                    f"Run {folder} was made with another {other[0]} ({told}); name another folder by --output_dir."
                )
            return cls(folder, about)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        run = cls(folder, {**made_of, "started": started, "finished": "", "stopped": "", "seconds": 0.0, "steps": 0})
        folder.mkdir(parents=True, exist_ok=True)
        run.write(versions={name: version(name) for name in PACKAGES}, commit=_commit())
        return run

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, or was stopped by a monitor, so that nothing is left to do."""
        return bool(self.about["finished"])

    def write(self, **more: Any) -> None:
        """Add to the record and write it whole; of several processes only the first one writes."""
        self.about |= more
        if not _is_main():
            return
        part = self.folder / f"{RUN}.part"
        part.write_text(json.dumps(self.about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self.folder / RUN)

    def checkpoint(self) -> Path | None:
        """Return the last whole checkpoint."""
        whole = [path for path in self.folder.glob("checkpoint-*") if (path / STATE).is_file()]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Drop lines of steps that are taken again."""
        log = self.folder / LOG
        if log.is_file() and _is_main():
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= state.global_step]
            log.write_text("".join(kept), encoding="utf-8")
        self._begun = time.perf_counter()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add a line."""
        if not _is_main():
            return
        line = {"step": state.global_step, "seconds": self._seconds(), **{k: _json(v) for k, v in (logs or {}).items()}}
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep what was spent up to this checkpoint."""
        self.write(seconds=self._seconds(), steps=state.global_step)

    def finish(self, steps: int, stopped: str = "") -> None:
        """Write how the run ended.

        Args:
            steps: Steps taken.
            stopped: Why a monitor stopped it; empty when it came to its end.
        """
        log = self.folder / LOG
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
        metrics = {name: value for line in lines for name, value in line.items() if name not in ("step", "seconds")}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.write(finished=now, stopped=stopped, seconds=self._seconds(), steps=steps, metrics=metrics)

    def _seconds(self) -> float:
        return round(self._spent + time.perf_counter() - self._begun, 1)


def conduct(trainer: Any, run: RunFile, model: str, stopped_by: Any = None) -> None:
    """Train from the last checkpoint on, keep the result and finish the record.

    Args:
        trainer: Any of transformers' trainers, ready.
        run: Its record.
        model: Name of the base model, by which a result finds it on another machine.
        stopped_by: A callback whose `reason` says why it stopped the run.

    Raises:
        BadInput: Another process trains this very run.
    """
    with _alone(run.folder):
        _conduct(trainer, run, model, stopped_by)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    if not _is_main():
        yield
        return
    lock = FileLock(folder / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BadInput(f"Run {folder} is being trained by another process; wait for it, or end it.") from error
    try:
        yield
    finally:
        lock.release()


def _conduct(trainer: Any, run: RunFile, model: str, stopped_by: Any) -> None:
    policy = trainer.accelerator.unwrap_model(trainer.model)
    run.write(base=_base(policy, model), trainable=sum(p.numel() for p in policy.parameters() if p.requires_grad))
    checkpoint = run.checkpoint()
    trainer.add_callback(run)
    before = TrainerState.load_from_json(str(checkpoint / STATE)) if checkpoint else TrainerState()
    if checkpoint and before.global_step >= before.max_steps:
        # Killed after its last step: transformers would take another one.
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = before
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    target = run.folder / (ADAPTER if hasattr(policy, "peft_config") else MODEL)
    part = target.with_name(f"{target.name}.part")
    if _is_main():
        shutil.rmtree(part, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(part))
    trainer.accelerator.wait_for_everyone()
    if _is_main():
        (part / "training_args.bin").unlink(missing_ok=True)
        # TRL's frozen copy of the adapter that the run began with.
        shutil.rmtree(part / "ref", ignore_errors=True)
        _name_base(part / "adapter_config.json", model)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
        run.finish(trainer.state.global_step, getattr(stopped_by, "reason", ""))
    trainer.accelerator.wait_for_everyone()


def _name_base(config: Path, model: str) -> None:
    """Let an adapter name its base model as the recipe does, and not by a folder of this machine."""
    if config.is_file():
        content = json.loads(config.read_text(encoding="utf-8")) | {"base_model_name_or_path": model}
        config.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _is_main() -> bool:
    """Tell whether this is the only process of the run, or the first one."""
    return os.environ.get("RANK", "0") == "0"


def _described(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise BadInput(f"Data {file} does not exist.")
    lines = sum(1 for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    return {"file": str(file), "sha256": _sha256([file]), "rows": lines}


def _weights(key: str, folder: Path) -> dict[str, str]:
    """Return what identifies weights that another run made: their folder and their hash."""
    weights = [path for part in ("", ADAPTER, MODEL) for path in sorted((folder / part).glob("*.safetensors"))]
    if not weights:
        raise BadInput(f"{key}: {folder} holds no weights (*.safetensors); name the result of a finished run.")
    return {"folder": str(folder), "sha256": _sha256(weights)}


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _base(policy: Any, model: str) -> dict[str, str]:
    """Return the base model's name and what identifies its weights: a hash of the files, or the hub's revision."""
    folder = Path(policy.config._name_or_path)
    weights = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    known = {"sha256": _sha256(weights)} if weights else {"revision": str(policy.config._commit_hash)}
    return {"name": model, **known}


def _commit() -> str:
    """Return git's name of this code, `-dirty` where it was changed since; empty without git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _difference(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in (*before, *now):
            if before.get(key) != now.get(key):
                return f"{key}: {before.get(key)} there, {now.get(key)} now"
    return f"{before} there, {now} now"


def _json(value: Any) -> Any:
    """Return a value as JSON has it: no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
