"""`salesman train …`: from recorded calls to a promoted model. Only what a command needs is imported, when it runs."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import note, say
from training import promote_commands
from training.corpus.commands import app as corpus_app
from training.rewards import commands as reward_commands
from training.synthesis import commands as synthesis_commands

if TYPE_CHECKING:
    from training.run_file import RunFile

CONFIGS = Path(__file__).with_name("configs")
EXTRA = {"accelerate", "datasets", "gguf", "peft", "tensorboard", "torch", "transformers", "trl"}
"""Packages of the extra `training`."""
PAIRS = {"allow_extra_args": True, "ignore_unknown_options": True}
ConfigOption = Annotated[
    str, typer.Option(metavar="FILE", help="Recipe: a YAML file, or the name of a shipped one, e.g. grpo_cpu.")
]

app = typer.Typer(help="Make the agent's model better on your own calls.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")
app.command()(synthesis_commands.synthesise)
app.command()(reward_commands.probes)
app.command()(promote_commands.export)
app.command()(promote_commands.promote)


@app.command(context_settings=PAIRS)
def sft(context: typer.Context, config: ConfigOption) -> None:
    """Fine-tune on replies. Any key of the recipe may follow as --key value: ours, or of TRL's SFTConfig."""
    with _ready():
        from training.sft import train_sft

        _tell(train_sft(recipe_file(config), context.args, get_settings()))


@app.command("reward-model", context_settings=PAIRS)
def reward_model(context: typer.Context, config: ConfigOption) -> None:
    """Train a model that says which of two replies is better. --key value: ours, or of TRL's RewardConfig."""
    with _ready():
        from training.reward_model import train_reward_model

        _tell(train_reward_model(recipe_file(config), context.args, get_settings()))


@app.command(context_settings=PAIRS)
def grpo(context: typer.Context, config: ConfigOption) -> None:
    """Train by GRPO on turns of real calls. --key value: ours, or of TRL's GRPOConfig."""
    with _ready():
        from training.grpo import train_grpo

        _tell(train_grpo(recipe_file(config), context.args, get_settings()))


@app.command(context_settings=PAIRS)
def dpo(context: typer.Context, config: ConfigOption) -> None:
    """Train on pairs of a better and a worse reply. --key value: ours, or of TRL's DPOConfig."""
    with _ready():
        from training.dpo import train_dpo

        _tell(train_dpo(recipe_file(config), context.args, get_settings()))


@app.command(context_settings=PAIRS)
def intent(context: typer.Context, config: ConfigOption) -> None:
    """Fine-tune a small encoder to tell what customers mean. --key value: ours, or of transformers' TrainingArguments."""
    with _ready():
        from training.intent import train_intent

        _tell(train_intent(recipe_file(config), context.args, get_settings(), note))


def recipe_file(name: str) -> Path:
    """Return the file of a recipe.

    Args:
        name: A file, or the name of one that ships with the project, without its ending.

    Raises:
        BadInput: Neither.
    """
    for path in (Path(name), CONFIGS / f"{name}.yaml"):
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml")))
    raise BadInput(f"Recipe {name} does not exist; name a YAML file, or one of {shipped}.")


@contextmanager
def _ready() -> Iterator[None]:
    """Let a command train, or say in one line what it lacks."""
    # TRL's own defaults use names that transformers has deprecated.
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise BadInput(
            f"Training needs the package {error.name}; install the extra `training`: make train-env."
        ) from error


def _tell(run: "RunFile") -> None:
    """Say what a run came to; exit with 1 when a monitor stopped it."""
    about = run.about
    say(f"{run.folder}: {about['steps']} steps, {about['seconds']:.0f} s, finished {about['finished']}")
    if about["stopped"]:
        note(f"stopped: {about['stopped']}")
        raise typer.Exit(1)
