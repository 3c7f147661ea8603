"""`salesman evaluate judge|rubrics|bad-cases|agreement|preference`: judges, and how far they can be trusted."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evaluation.telling import JsonOption, Paced
from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import dump, say

if TYPE_CHECKING:
    from evaluation.judging.batch import Job
    from evaluation.judging.rubric import Rubric
    from evaluation.scenarios.schema import Scenario

HIGH, LOW = 0.6, 0.4
"""A judge separates a rubric's samples when gold scores at least `HIGH` and bad at most `LOW` of the way to the best."""


def judge(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    rubrics: Annotated[
        str,
        typer.Option(
            help="Names or files, e.g. `process,telebot`, or `role_inversion,persona_drift` for the customers. What a judge is "
            "good for, `salesman evaluate rubrics --check` tells."
        ),
    ] = "process",
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most so many requests.")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Requests under way at a time.")] = 4,
    as_json: JsonOption = False,
) -> None:
    """Judge the calls of a run by rubrics; stopped or killed, the same command goes on.

    Answers stand in the run's `judged.jsonl`. The judge is `SALESMAN_JUDGE`; the campaigns' own rubric lines are judged as
    `campaign`, together with any other rubric.
    """
    from evaluation.judging.batch import FILE, jobs, judge_calls, judged_scores
    from evaluation.judging.model import load_judge
    from evaluation.judging.rubric import campaign_rubric, find_rubrics
    from evaluation.judging.telebot import agreement_with_judge, computed
    from evaluation.measures.replay import Replay
    from evaluation.runs.store import locked, read_lines, read_run

    run, settings = read_run(folder), get_settings()
    names = [name.strip() for name in rubrics.split(",") if name.strip()]
    campaigns = {name: data.campaign for name, data in run.campaigns.items()}
    chosen: list[Rubric] = find_rubrics([name for name in names if name != "campaign"])
    people = {result["unit"]: run.scenarios[result["scenario"]] for result in run.results}
    wanted = [_of_customer(job, people[job.unit]) for job in jobs(run.results, chosen, campaigns)]
    if "campaign" in names:
        for name, campaign in campaigns.items():
            own = campaign_rubric(campaign)
            held = [
                result for result in run.results if result["sessions"] and result["sessions"][0]["campaign"] == name
            ]
            wanted += jobs(held, [own] if own else [], campaigns)
    if not wanted:
        raise BadInput(
            f"--rubrics {rubrics!r} asks nothing about the calls of {folder}; `salesman evaluate rubrics` lists names."
        )
    path = folder / FILE
    with locked(folder, "judge"):
        summary: dict[str, Any] = dict(
            judge_calls(
                wanted,
                path,
                load_judge(settings),
                settings.judge,
                at_once=at_once,
                limit=limit,
                progress=_teller("requests judged"),
            )
        )
    if "telebot" in names:
        scores = judged_scores(read_lines(path))  # type: ignore[arg-type]
        for result in run.results:
            if result["error"] is None and result["unit"] in scores:
                scenario = run.scenarios[result["scenario"]]
                scores[result["unit"]] += computed(Replay(result, scenario, run.campaigns[scenario.campaign]))
        summary["telebot_computed_and_judged"] = agreement_with_judge(scores)
    if as_json:
        dump(summary)
        return
    say(f"{summary['asked']} requests in {summary['seconds']:.0f} s; {summary['stood']} stood already")
    for boundary, count in summary["failed"].items():
        say(f"{count} of {summary['answers']} answers failed: {boundary}")
    for name, both in summary.get("telebot_computed_and_judged", {}).items():
        say(
            f"{name}: computed and judged alike in {_share(both['share'])} of {both['n']} calls, kappa {_figure(both['kappa'])}"
        )


def _of_customer(job: "Job", scenario: "Scenario") -> "Job":
    """Show a judge of the customer who the customer was told to be; judges of the agent see what the agent knew."""
    from evaluation.customers.persona import told_of_itself

    if job.rubric.judges != "customer":
        return job
    background = {**job.judged.background, "profile": told_of_itself(scenario)}
    return replace(job, judged=replace(job.judged, background=background))


def rubrics(
    names: Annotated[list[str] | None, typer.Argument(help="Names or files; all bundled ones by default.")] = None,
    check: Annotated[bool, typer.Option(help="Ask the judge about each rubric's gold and bad conversation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the rubrics; with --check, say whether the judge tells their gold conversations from the bad ones.

    What a check finds is kept in the home, and reports of runs say it.
    """
    from evaluation.judging.checked import keep_checks
    from evaluation.judging.model import load_judge
    from evaluation.judging.rubric import bundled_rubrics, find_rubrics

    chosen = find_rubrics(names or list(bundled_rubrics()))
    if not check:
        rows = [
            {"rubric": one.name, "version": one.version, "judges": one.judges, "questions": len(list(one.asked()))}
            for one in chosen
        ]
        if as_json:
            dump(rows)
        for row in [] if as_json else rows:
            say(f"{row['rubric']:16} v{row['version']}  {row['judges']:8}  {row['questions']} questions")
        return
    settings = get_settings()
    model, found = load_judge(settings), []
    for rubric in chosen:
        for language in rubric.gold:
            result = separates(model, rubric, language)
            found.append(result)
            keep_checks(settings.home, settings.judge, [result])
            if not as_json:
                mark = "ok" if result["separates"] else "NO"
                say(
                    f"{mark}  {rubric.name} {language}: gold {_figure(result['gold'])}, bad {_figure(result['bad'])}, {result['seconds']:.0f} s"
                )
                for fault in result["faults"]:
                    say(f"    {fault}")
    if as_json:
        dump({"judge": settings.judge, "rubrics": found})


def separates(model: Any, rubric: "Rubric", language: Any) -> dict[str, Any]:
    """Let a judge score a rubric's gold and bad conversation, 0 (worst) to 1 (best); None where it failed."""
    from evaluation.judging.judge import judge as ask
    from evaluation.judging.transcript import Judged

    started, scores, faults = time.monotonic(), list[float | None](), list[str]()
    for sample in (rubric.gold[language], rubric.bad[language]):
        said = sample.said()
        judged = Judged(language, said, dict(sample.background), said[-1].turn if rubric.judges == "turn" else None)
        answers = ask(model, rubric, judged)
        scores.append(rubric.score({one.criterion: one.value for one in answers}))
        faults += [f"{one.error['boundary']}: {one.error['message']}" for one in answers if one.error]
    gold, bad = scores
    return {
        "rubric": rubric.name,
        "version": rubric.version,
        "language": language,
        "gold": gold,
        "bad": bad,
        "separates": gold is not None and bad is not None and gold >= HIGH and bad <= LOW,
        "faults": list(dict.fromkeys(faults)),
        "seconds": round(time.monotonic() - started, 1),
    }


def bad_cases(
    bank: Annotated[
        Path | None, typer.Option(help="YAML, or marks exported for evaluation; the bundled bank by default.")
    ] = None,
    campaign: Annotated[str, typer.Option("--campaign", "-c", help="Only cases of this campaign.")] = "",
    language: Annotated[str, typer.Option("--language", "-l", help="Only cases in `en` or `zh`.")] = "",
    answering: Annotated[
        Literal["scripts", "goals", "few_shot"], typer.Option(help="What the agent's prompt is made of.")
    ] = "scripts",
    adapter: Annotated[
        str, typer.Option(help="Ask the agent with this LoRA adapter, or `none`; as a variant's. By default as served.")
    ] = "",
    think: Annotated[
        bool, typer.Option("--think", help="Let it think; with an adapter named here it does not otherwise.")
    ] = False,
    ask_judge: Annotated[
        bool,
        typer.Option(
            "--judge", help="Ask the judge where words alone do not tell, and for the share of excellent replies."
        ),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="What --json printed of another agent on the same cases, to compare with case by case."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the agent again where it once failed: fix, clean fix, what is left wrong by severity, and excellent replies.

    The share of excellent replies needs --judge; without it there is none.
    """
    from evaluation.judging import bad_cases as room
    from evaluation.judging.answer_again import answering as answers_of
    from evaluation.judging.model import load_judge
    from evaluation.judging.rubric import bundled_rubrics
    from evaluation.report.numbers import interval, p_value
    from evaluation.runs.variants import Variant
    from graph.session import Calls

    cases = [
        case
        for case in room.load_cases(bank or room.BANK)
        if campaign in ("", case.campaign) and language in ("", case.language)
    ]
    if not cases:
        raise BadInput(f"No case of campaign '{campaign}' in language '{language}'; leave one of them away.")
    asked = Variant(name="asked", adapter=adapter, think=True) if think else Variant(name="asked", adapter=adapter)
    settings = asked.settings(get_settings())
    model = load_judge(settings) if ask_judge else None
    calls, tell, outcomes = Calls(settings, answering=answering), _teller("cases answered"), []
    answer, started = answers_of(calls), time.monotonic()
    for done, case in enumerate(cases, start=1):
        reply, own = answer(case)["reply"], calls.resources.campaign(case.campaign).campaign
        outcome = room.score(case, reply, own, model)
        if model is not None:
            best = room.excellent(case, reply, own, bundled_rubrics()["reply"], model)
            outcome = replace(outcome, excellent=best)
        outcomes.append(outcome)
        tell(done, len(cases), (time.monotonic() - started) / done * (len(cases) - done))
    calls.close()
    summary = room.summarise(outcomes)
    less = room.compared(outcomes, against) if against else {}
    rows = [
        {"id": one.case.id, "error": one.case.error, "severity": one.case.severity, "reply": one.reply, "fixed": one.fixed,
         "clean": one.clean, "left": one.left, "why": one.why, "excellent": one.excellent}
        for one in outcomes
    ]  # fmt: skip
    if as_json:
        dump({**summary, "outcomes": rows, **({"less": less} if against else {})})
        return
    for row in rows:
        if not row["clean"]:
            say(f"{row['left'] or 'undecided':9} {row['id']} ({row['error']}): {row['why']} – “{row['reply']}”")
    shares = {name: summary[name] for name in ("fix", "clean_fix")}
    shares |= {f"left {severity}": summary["left"][severity] for severity in reversed(room.SEVERITIES)}
    for name, share in ({**shares, "excellent": summary["excellent"]} if model else shares).items():
        say(
            f"{name:12} {share['hits']} of {share['of']}: {_share(share['value'])}  [{share['low']:.0%}, {share['high']:.0%}]"
        )
    if model is None:
        say("excellent    not told: --judge asks for it")
    for name, figure in less.items():
        told = f"{interval(figure, value='difference')}, p {p_value(figure['p'])}"
        say(f"{name:12} less {against}, {figure['cases']} cases: {told}")


def agreement(
    data: Annotated[
        Path,
        typer.Option(
            help="CSV of item, rater, rating (and tier, criterion); or the folder of a run, or its ratings.csv: both are "
            "joined with the run's judgements."
        ),
    ],
    judge: Annotated[
        str,
        typer.Option(
            help="Name of the judge among the raters; of a run, `judge` for its newest answers, or its model's name."
        ),
    ] = "judge",
    criterion: Annotated[str, typer.Option(help="Which, where there are several.")] = "",
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare a judge with people: Pearson, Spearman, ICC(2,1), Krippendorff's α, with bootstrap intervals."""
    from evaluation.judging.agreement import agreement as compare
    from evaluation.judging.agreement import find_ratings

    result = compare(find_ratings(data, judge), judge, criterion, seed)
    if as_json:
        dump(result)
        return
    say(f"{result['items']} items, rated by '{judge}' and {result['people']} people")
    for name, figure in result.items():
        if isinstance(figure, dict) and "value" in figure:
            say(f"{name:15} {_figure(figure['value'])}  [{_figure(figure['low'])}, {_figure(figure['high'])}]")
    for tier, value in result["within_tier"]["tiers"].items():
        say(f"pearson within {tier}: {_figure(value)}")


def preference(
    folder: Annotated[Path, typer.Argument(help="Folder of a run whose pairs people have compared.")],
    as_json: JsonOption = False,
) -> None:
    """Say how often people preferred each variant in blind pairs of calls and of replies, ties half, with the 95 % interval."""
    from evaluation.judging.pairs import win_rates

    rates = win_rates(folder)
    if as_json:
        dump(rates)
        return
    for row in rates:
        counts = f"{row['wins']} won, {row['ties']} tied, {row['losses']} lost"
        say(
            f"{row['kind']:6} {row['variant']:16} {_share(row['rate'])}  [{_share(row['low'])}, {_share(row['high'])}]  {counts}"
        )


def _teller(what: str) -> Callable[[int, int, float | None], None]:
    """Return what says how far a batch is, every few seconds."""
    paced = Paced()

    def tell(done: int, total: int, left: float | None) -> None:
        paced.say(f"{done} of {total} {what}, about {(left or 0) / 60:.1f} minutes left", last=done == total)

    return tell


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
