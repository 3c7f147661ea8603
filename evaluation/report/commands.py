"""`salesman evaluate report|gate|ab`: what a run says, whether a candidate may replace the base, and online figures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evaluation.runs.commands import GATE
from evaluation.telling import JsonOption, Paced
from graph.errors import BadInput
from graph.terminal import dump, note, say

if TYPE_CHECKING:
    from evaluation.report.gate import Condition

DATA, PAGE = "report.json", "report.html"


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    as_json: JsonOption = False,
) -> None:
    """Write a run's report into its folder: `report.json`, and `report.html`, which works by a double click.

    With `LANGSMITH_API_KEY` set, the scenarios go to LangSmith as a data set, and the run as an experiment a variant.
    """
    from evaluation.report.build import HEADLINE, report_of
    from evaluation.report.experiment import send_experiments
    from evaluation.report.html import page_of
    from evaluation.report.table import read_table
    from evaluation.runs.store import read_run
    from graph.settings import get_settings
    from graph.trace_delivery import target

    run, paced = read_run(folder), Paced()
    table = read_table(run, lambda done, total: paced.say(f"{done}/{total} calls scored"))
    found = report_of(table, run, get_settings().home)
    (folder / DATA).write_text(json.dumps(found, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    (folder / PAGE).write_text(page_of(found, table, run.folder.resolve().name), encoding="utf-8")
    if as_json:
        dump(found)
    else:
        for line in _summary(found):
            say(line)
        say(f"{folder / DATA}, {folder / PAGE}")
    if to := target():
        note(f"LangSmith: experiments {', '.join(send_experiments(run, table, HEADLINE, to))}")


def _summary(found: dict[str, Any]) -> list[str]:
    """Return a run's main figures as lines."""
    from evaluation.judging.checked import TOLD
    from evaluation.report.numbers import interval, p_value
    from evaluation.report.statistics import FEW

    lines = [f"{found['calls']} calls, {found['finished']} finished"]
    lines += [
        f"broke at the {boundary}: {entry['calls']}"
        + (f", {entry['finished']} of them finished calls without a judgement" if entry["finished"] else "")
        for boundary, entry in found["failed"].items()
    ]
    lines += [
        f"rubric {rubric}: {one['judge']} {TOLD[one['check']]}"
        for rubric, one in found["judges"].items()
        if one["check"] != "passed"
    ]
    if few := found["few_scenarios"]:
        lines.append(f"scenarios: only {few}; intervals over fewer than {FEW} are too narrow")
    for name in found["by_tier"]:
        metric = found["metrics"][name]
        for variant, figure in metric["variants"].items():
            lines.append(f"{name:22} {variant:18} {interval(figure, metric['unit'])}  n={figure['n']}")
    for row in found["pairs"]:
        if row["metric"] in found["by_tier"] and not row["customer"]:
            shown = interval(row, row["unit"], "difference") if row["differ"] else "no pair differs"
            lines.append(
                f"{row['metric']:22} {row['b']} − {row['a']}: {shown}  p={p_value(row['p'])} Holm {p_value(row['p_holm'])}"
            )
    return lines


def gate(
    base: Annotated[str, typer.Option(help="Run that stands: its folder, or FOLDER:VARIANT.")],
    candidate: Annotated[str, typer.Option(help="Run that would replace it: the same.")],
    config: Annotated[Path, typer.Option(help="The gate's rules, unchanged since both runs began.")] = GATE,
    as_json: JsonOption = False,
) -> None:
    """Say whether a candidate is better on the held-out split and worse on no guardrail: exit code 0 if so, 1 if not."""
    from evaluation.report.gate import decide

    found = decide(base, candidate, config)
    passed = all(condition.passed for condition in found)
    if as_json:
        dump({"passed": passed, "conditions": [vars(condition) for condition in found]})
    else:
        for line in condition_lines(found):
            say(line)
        say("passed" if passed else "refused")
    if not passed:
        raise typer.Exit(1)


def condition_lines(found: "list[Condition]") -> list[str]:
    """Return the gate's conditions as lines to print."""
    return [f"{'ok' if one.passed else 'NO'}  {one.name}: {one.finding}" for one in found]


def ab(
    data: Annotated[
        Path | None,
        typer.Option(
            help="CSV, a row a conversation: arm, and some of seconds, high_intention, follow_up, visit (within 7 days), "
            "ai_suspicion, responded, task_success (1, 0, or empty where not known)."
        ),
    ] = None,
    baseline: Annotated[str, typer.Option(help="The arm that the others are held against; the file's first.")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Say how many conversations an experiment needs.")] = False,
    base: Annotated[float, typer.Option(help="With --plan: rate of the base, 0 to 1.")] = 0.2,
    lift: Annotated[float, typer.Option(help="With --plan: relative change to be found, e.g. 0.05.")] = 0.05,
    power: Annotated[float, typer.Option(help="With --plan: chance of finding it.")] = 0.8,
    as_json: JsonOption = False,
) -> None:
    """Compare the arms of an online experiment by TeleBot's and REPO's figures, or plan one."""
    from evaluation.report.ab import compare_arms, sample_size

    if plan == (data is not None):
        raise BadInput("Give either --data with a CSV of conversations, or --plan with --base and --lift.")
    if data is None:
        needed = sample_size(base, lift, power)
        if as_json:
            dump({"base": base, "lift": lift, "power": power, "alpha": 0.05, "per_arm": needed})
        else:
            say(
                f"{needed:,} conversations in each of two arms find {base:.1%} → {base * (1 + lift):.1%} in {power:.0%} of cases"
            )
        return
    found = compare_arms(data, baseline)
    if as_json:
        dump(found)
        return
    say(f"base {found['base']}; " + ", ".join(f"{arm}: {count} conversations" for arm, count in found["arms"].items()))
    for rate in found["rates"].values():
        for line in _rate(rate, found["base"]):
            say(line)
    for rate in found["left_out"].values():
        say(f"left out: {rate['label']}: {rate['reason']}")


def _rate(rate: dict[str, Any], base: str) -> list[str]:
    from evaluation.report.numbers import p_value

    stands = rate["arms"][base]
    lines = [f"{rate['label']} ({rate['better']} is better)", f"  {base}: {_share(stands)}"]
    for arm, test in rate["against_base"].items():
        difference, relative = test["difference"], test["lift"]
        more = (
            f", lift {relative['value']:+.1%} ({relative['low']:+.1%} to {relative['high']:+.1%})" if relative else ""
        )
        lines.append(
            f"  {arm}: {_share(rate['arms'][arm])}, {_points(difference['value'])} "
            f"({_points(difference['low'])} to {_points(difference['high'])}){more}, "
            f"p {p_value(test['p'])} ({test['test']}), Holm {p_value(test['p_holm'])}"
        )
    return lines


def _share(arm: dict[str, Any]) -> str:
    return f"{arm['rate']:.2%} ({arm['hits']} of {arm['of']})"


def _points(value: float) -> str:
    return f"{100 * value:+.2f} pp"
