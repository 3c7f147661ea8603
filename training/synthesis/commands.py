"""`salesman train synthesise`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from evaluation.telling import JsonOption, Paced
from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import dump, say

LanguageChoice = Literal["en", "zh"]
ManagerChoice = Literal["graph", "model"]


def synthesise(
    out: Annotated[Path, typer.Option(help="Folder of what is made; with one that holds dialogues, goes on.")],
    campaign: Annotated[str, typer.Option(help="Campaign of the dialogues.")] = "save_the_children",
    language: Annotated[LanguageChoice, typer.Option(help="Of the dialogues.")] = "en",
    methods: Annotated[
        str, typer.Option(help="Some of simulation, extraction, role_play, prefix.")
    ] = "simulation,extraction,role_play,prefix",
    limit: Annotated[int, typer.Option(min=1, help="Dialogues to make of each method, before the filters.")] = 20,
    seeds: Annotated[
        str, typer.Option(help="Transcripts: a corpus, or `persuasion` (the bundled calls of save_the_children).")
    ] = "",
    teacher: Annotated[str, typer.Option(help="Model that writes; by default SALESMAN_JUDGE, on its server.")] = "",
    customer: Annotated[str, typer.Option(help="Model that plays the customer, on the same server.")] = "",
    manager: Annotated[
        ManagerChoice, typer.Option(help="Who adjudicates stages in simulation: the graph's rules, or the teacher.")
    ] = "graph",
    filters: Annotated[
        str, typer.Option(help="By default all but `judge`: schema, privacy, safety, inversion, coherence, …")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    at_once: Annotated[
        int,
        typer.Option(
            min=1,
            max=256,
            help="Dialogues under way at a time; a played one keeps two slots of an embedded server warm (SALESMAN_LLM_PARALLEL).",
        ),
    ] = 2,
    as_json: JsonOption = False,
) -> None:
    """Let a teacher make dialogues to train on, and filter them; stopped or killed, the same command goes on.

    The corpus is OUT/kept.jsonl; what each filter dropped is in OUT/retention.json.
    """
    from dataclasses import replace

    from evaluation.judging.model import load_judge
    from nodes.resources import get_resources
    from training.synthesis.filters.chain import USUAL, reasons, stages, table
    from training.synthesis.filters.judge import FILE, JudgeFilter
    from training.synthesis.pools import read_transcripts
    from training.synthesis.run import synthesise as run
    from training.synthesis.scene import Workshop
    from training.synthesis.teacher import Teacher

    settings = get_settings()
    if teacher:
        settings = settings.model_copy(update={"judge": teacher})
    resources = get_resources(settings)
    data = resources.campaign(campaign)
    if language not in data.campaign.languages:
        raise BadInput(
            f"Campaign '{campaign}' has no '{language}'; expected one of {', '.join(data.campaign.languages)}."
        )
    scripts = resources.library.list(campaign=campaign, language=language, status="published")
    transcripts = read_transcripts(seeds, campaign, language) if seeds else []
    chain = stages(
        _names(filters) or USUAL,
        lambda name: resources.campaign(name).campaign,
        lambda: JudgeFilter(load_judge(get_settings()), get_settings().judge, out / FILE),
    )
    shop = Workshop(
        data=replace(data, scripts=tuple(scripts)),
        language=language,
        teacher=Teacher(lambda: load_judge(settings), settings.judge),
        settings=settings,
        customer=customer,
        manager=manager,
        seed=seed,
        transcripts=transcripts,
    )
    paced = Paced()

    def told(done: int, total: int, left: float) -> None:
        paced.say(f"{done} of {total} dialogues made, about {left / 60:.0f} minutes left", last=done == total)

    found = run(shop, out, _names(methods), limit, chain, at_once=at_once, progress=told)
    if as_json:
        dump(found)
        return
    for line in [*table(found), "", *reasons(found), "", f"corpus: {out / 'kept.jsonl'}"]:
        say(line)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
