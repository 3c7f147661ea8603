"""Rewards by name: from a recipe's names and weights to what TRL is given."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from graph.errors import BadInput
from graph.settings import Settings
from training.rewards.format import FormatReward
from training.rewards.repo import ENHANCING, RepoReward, Reward
from training.rewards.timing import timed

Combine = Literal["sum", "repo"]


def _prior(settings: Settings, model: Path | None) -> Reward:
    from training.rewards.bayesian import BayesianPrior

    return BayesianPrior()


def _likelihood(settings: Settings, model: Path | None) -> Reward:
    from training.rewards.bayesian import BayesianLikelihood

    return BayesianLikelihood()


def _rules(settings: Settings, model: Path | None) -> Reward:
    from nodes.resources import get_resources
    from training.corpus.guarded import rule_hits
    from training.rewards.rules import RulesReward

    return RulesReward(partial(rule_hits, resources=get_resources(settings)))


def _format(settings: Settings, model: Path | None) -> Reward:
    return FormatReward(think=settings.think)


def _similarity(settings: Settings, model: Path | None) -> Reward:
    from serving.embed import load_embedder
    from training.rewards.similarity import SimilarityReward

    return SimilarityReward(load_embedder(settings))


def _heard(settings: Settings, model: Path | None) -> Reward:
    from nodes.resources import get_resources
    from training.rewards.heard import HeardReward

    return HeardReward(get_resources(settings).campaign)


def _judge(settings: Settings, model: Path | None) -> Reward:
    from evaluation.judging.model import load_judge
    from evaluation.judging.rubric import bundled_rubrics
    from nodes.resources import get_resources
    from training.rewards.judge import JudgeReward

    resources = get_resources(settings)
    return JudgeReward(
        lambda: load_judge(settings), bundled_rubrics()["reply"], lambda name: resources.campaign(name).campaign
    )


def _preference(settings: Settings, model: Path | None) -> Reward:
    from training.rewards.preference import PreferenceReward

    if model is None:
        raise BadInput("Reward preference needs the recipe's reward_model: a folder of `salesman train reward-model`.")
    return PreferenceReward(model, settings)


MAKERS: dict[str, Callable[[Settings, Path | None], Reward]] = {
    "bayesian_prior": _prior,
    "bayesian_likelihood": _likelihood,
    "rules": _rules,
    "format": _format,
    "similarity": _similarity,
    "heard": _heard,
    "judge": _judge,
    "preference": _preference,
}
"""Name in recipes → how the reward is made. A new reward is a file beside this one, and a line here."""


def build_rewards(
    chosen: Mapping[str, float], settings: Settings, *, combine: Combine = "sum", reward_model: Path | None = None
) -> tuple[list[Any], list[float]]:
    """Make a recipe's rewards, each of which logs its seconds; those with a `bind` are to be given the trainer before it trains.

    Args:
        chosen: Name → weight.
        settings: Say which campaigns, embedder and judge there are, and with `think` that a thought comes first.
        combine: `sum`: TRL adds what the functions give, by their weights. `repo`: one function, REPO's combination of them.
        reward_model: Folder of the reward model, for `preference`.

    Returns:
        The functions, and TRL's `reward_weights` for them.

    Raises:
        BadInput: A bad choice, see `check_choice`, or a reward that lacks its model.
    """
    check_choice(chosen, combine)
    return combined({timed(MAKERS[name](settings, reward_model)): weight for name, weight in chosen.items()}, combine)


def check_choice(chosen: Mapping[str, float], combine: Combine) -> None:
    """Refuse a bad choice of rewards.

    Raises:
        BadInput: An unknown name, nothing chosen, or nothing but judge, rules and format to be combined as REPO does.
    """
    unknown = [name for name in chosen if name not in MAKERS]
    if unknown:
        raise BadInput(f"Rewards {', '.join(unknown)} are unknown; expected some of {', '.join(MAKERS)}.")
    if not chosen:
        raise BadInput(f"The recipe chooses no rewards; write `rewards: {{name: weight}}` with {', '.join(MAKERS)}.")
    if combine == "repo" and ENHANCING.issuperset(chosen):
        raise BadInput(
            f"`combine: repo` strengthens a main reward, and {', '.join(chosen)} are none; add preference or another reward."
        )


def combined(parts: Mapping[Reward, float], combine: Combine) -> tuple[list[Any], list[float]]:
    """Return what TRL is given for rewards with their weights: themselves, or REPO's combination of them."""
    if combine == "repo":
        return [RepoReward(parts)], [1.0]
    return list(parts), [float(weight) for weight in parts.values()]
