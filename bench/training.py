"""Seconds of a GRPO step on this machine: all rewards that are computed in the process against one trivial reward.

Both arms train by the recipe `grpo_cpu`, on the same rows and in turn, at a learning rate of zero: so the policy stays what it is, and both
score the very same completions.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.setting import fresh_home, settings_for, table
from graph.settings import Settings
from scripts_library.loading import bundled
from training.corpus.imported import CAMPAIGN, read_persuasion
from training.corpus.rows import write_rows
from training.corpus.to_rows import Tally, prompt_rows, served_turns
from training.rewards.registry import MAKERS
from training.run_file import LOG

ROWS, STEPS, ROUNDS = 24, 3, 2
"""Turns to answer; steps a run, of which the first one warms up; runs of each arm."""
ARMS = {"all": {name: 1.0 for name in MAKERS if name != "judge"}, "one": {"format": 1.0}}
"""A judge is another process, whose time is apart."""
SAME = f"--learning_rate 0 --max_steps {STEPS} --save_strategy no --stop {{}}"
BAYES = ("bayesian_prior", "bayesian_likelihood")
Steps = list[dict[str, Any]]
"""Lines of runs' logs."""


def run(*more: str) -> None:
    """Measure and print.

    Args:
        more: `--key value` pairs for every run, e.g. `--model` with a smaller one.
    """
    with fresh_home() as home:
        _write_rows(home, settings_for(home))
        # What a reward model has learnt does not change its speed.
        _train(
            home, "reward-model", "reward_model_tiny", "--rows", home / "pairs.jsonl", "--output_dir", home / "judge"
        )
        steps: dict[str, Steps] = {arm: [] for arm in ARMS}
        for at in range(ROUNDS):
            for arm, rewards in ARMS.items():
                out = home / f"{arm}{at}"
                given = ["--rows", home / "rows.jsonl", "--rewards", json.dumps(rewards), "--output_dir", out, *more]
                _train(home, "grpo", "grpo_cpu", *given, "--reward_model", home / "judge", *SAME.split())
                steps[arm] += _steps(out)
    table(f"A GRPO step: {len(ARMS['all'])} rewards in the process against one", _figures(steps))


def _write_rows(home: Path, settings: Settings) -> None:
    """Write turns of recorded calls, and pairs of their replies: each is better than the one to the turn before."""
    calls = [call for call in read_persuasion(bundled()[CAMPAIGN] / "data") if call.split == "train"]
    rows = list(islice(prompt_rows(served_turns(calls, settings, Tally(), seed=0), think=True), ROWS))
    write_rows(home / "rows.jsonl", rows)
    pairs = [
        {
            **row,
            "chosen": [{"role": "assistant", "content": row["reference"]}],
            "rejected": [{"role": "assistant", "content": rows[at - 1]["reference"]}],
            "pool": "outcomes",
            "split": "dev" if at % 3 == 0 else "train",
        }
        for at, row in enumerate(rows)
    ]
    write_rows(home / "pairs.jsonl", pairs)


def _train(home: Path, trainer: str, recipe: str, *given: object) -> None:
    own = ["--report_to", "none", "--disable_tqdm", "true"]
    command = [sys.executable, "-m", "cli", "train", trainer, "--config", recipe, *map(str, given), *own]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SALESMAN_HOME": str(home)})
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command[3:6])} failed: {done.stderr[-2000:]}")


def _steps(out: Path) -> Steps:
    lines = [json.loads(line) for line in (out / LOG).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "step_time" in line][1:]


def _figures(steps: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[str, object]]:
    whole, trivial = (median(step["step_time"] for step in steps[arm]) for arm in ARMS)
    pairs = [one["step_time"] / other["step_time"] for one, other in zip(steps["all"], steps["one"], strict=True)]
    lengths = [[step["completions/mean_length"] for step in steps[arm]] for arm in ARMS]
    spent = fmean(step["step_time"] for step in steps["all"])
    shares = {name: fmean(step[f"seconds/{name}"] for step in steps["all"]) / spent for name in ARMS["all"]}
    return [
        ("all rewards, s a step, median", whole),
        ("one trivial reward, s a step, median", trivial),
        ("all against one", whole / trivial),
        ("the same step by step, lowest", min(pairs)),
        ("the same step by step, highest", max(pairs)),
        *((f"{name}, % of a step", 100 * share) for name, share in shares.items()),
        ("R_bayes, both terms, % of a step", 100 * sum(shares[name] for name in BAYES)),
        ("steps measured of each", len(lengths[0])),
        ("same completions in both", lengths[0] == lengths[1]),
    ]


if __name__ == "__main__":
    run()
