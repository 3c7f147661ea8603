"""`salesman train probes`: rewards against replies that only try to please them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from graph.settings import get_settings
from graph.terminal import dump, say
from training.extra import training_ready


def probes(
    config: Annotated[str, typer.Option(metavar="FILE", help="Recipe for GRPO: a YAML file, or a shipped one's name.")],
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Only turns of this one; by default all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether hacking replies (long, flattering, parroting, …) lose against honest ones: exit code 0 if so, 1 if one wins."""
    with training_ready():
        from trl.trainer.grpo_config import GRPOConfig

        from training.commands import recipe_file
        from training.grpo import GRPORecipe
        from training.recipes import read_recipe
        from training.rewards.probes import check_probes

        recipe, _, _ = read_recipe(recipe_file(config), [], GRPORecipe, GRPOConfig)
        verdicts = check_probes(
            recipe.rewards,
            get_settings().model_copy(update={"think": recipe.think}),
            combine=recipe.combine,
            reward_model=Path(recipe.reward_model) if recipe.reward_model else None,
            campaign=campaign,
        )
    won = [verdict for verdict in verdicts if not verdict.holds]
    if as_json:
        dump([{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts])
    else:
        for one in verdicts:
            say(
                f"{'ok' if one.holds else 'NO'}  {one.case:16} {one.probe:22} {one.hack:7.2f} against {one.honest:6.2f}"
            )
        say(f"{len(won)} of {len(verdicts)} probes are not beaten by the honest reply")
    if won:
        raise typer.Exit(1)
