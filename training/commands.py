"""`salesman train …`: from recorded calls to a promoted model. Only what a command needs is imported, when it runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import note, say
from training import measure_commands, promote_commands
from training.corpus.commands import app as corpus_app
from training.extra import training_ready
from training.rewards import commands as reward_commands
from training.synthesis import commands as synthesis_commands

if TYPE_CHECKING:
    from training.run_file import RunFile

CONFIGS = Path(__file__).with_name("configs")
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
app.command()(measure_commands.measure)
app.command()(measure_commands.curves)
app.command()(promote_commands.ship)


@app.command(context_settings=PAIRS)
def sft(context: typer.Context, config: ConfigOption) -> None:
    """Fine-tune on replies. Any key of the recipe may follow as --key value: ours, or of TRL's SFTConfig."""
    with training_ready():
        from training.sft import train_sft

        _tell(train_sft(recipe_file(config), context.args, get_settings()))


@app.command("reward-model", context_settings=PAIRS)
def reward_model(context: typer.Context, config: ConfigOption) -> None:
    """Train a model that says which of two replies is better. --key value: ours, or of TRL's RewardConfig."""
    with training_ready():
        from training.reward_model import train_reward_model

        _tell(train_reward_model(recipe_file(config), context.args, get_settings()))


@app.command(context_settings=PAIRS)
def grpo(context: typer.Context, config: ConfigOption) -> None:
    """Train by GRPO on turns of real calls. --key value: ours, or of TRL's GRPOConfig."""
    with training_ready():
        from training.grpo import train_grpo

        _tell(train_grpo(recipe_file(config), context.args, get_settings()))


@app.command(context_settings=PAIRS)
def dpo(context: typer.Context, config: ConfigOption) -> None:
    """Train on pairs of a better and a worse reply. --key value: ours, or of TRL's DPOConfig."""
    with training_ready():
        from training.dpo import train_dpo

        _tell(train_dpo(recipe_file(config), context.args, get_settings()))


@app.command(context_settings=PAIRS)
def customer(
    context: typer.Context,
    config: ConfigOption,
    corpus: Annotated[Path, typer.Option(help="Dialogues with real customers, of `salesman train corpus`.")],
    contexts: Annotated[
        int, typer.Option(min=0, help="Turns on which the result is heard, for pairs; 0: the first stage alone.")
    ] = 0,
    repair: Annotated[
        str,
        typer.Option(metavar="FILE", help="Recipe of the second stage, e.g. customer_dpo_cpu; it needs --contexts."),
    ] = "",
) -> None:
    """Train a customer's model: what real customers say, then, by DPO, not to speak as the seller. --key value as for sft."""
    if repair and not contexts:
        raise BadInput("--repair needs pairs: say by --contexts on how many turns the first stage is heard, e.g. 400.")
    with training_ready():
        from training.customer import repair as train_again
        from training.customer import train_customer, write_pairs

        settings = get_settings()
        run = train_customer(corpus, recipe_file(config), context.args, settings)
        _tell(run)
        pairs = write_pairs(run, settings, contexts=contexts, told=note) if contexts else None
        if repair and pairs:
            _tell(train_again(run, pairs, recipe_file(repair), settings))
        elif repair:
            say("no reply fell out of the part: there is nothing to repair")


@app.command(context_settings=PAIRS)
def intent(context: typer.Context, config: ConfigOption) -> None:
    """Fine-tune a small encoder to tell what customers mean. --key value: ours, or of transformers' TrainingArguments."""
    with training_ready():
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


def _tell(run: "RunFile") -> None:
    """Say what a run came to; exit with 1 when a monitor stopped it."""
    about = run.about
    say(f"{run.folder}: {about['steps']} steps, {about['seconds']:.0f} s, finished {about['finished']}")
    if about["stopped"]:
        note(f"stopped: {about['stopped']}")
        raise typer.Exit(1)
