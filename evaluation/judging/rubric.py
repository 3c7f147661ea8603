"""A rubric: what a judge is asked about a conversation, as a YAML file with choices ordered from worst to best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from evaluation.judging.transcript import Said
from evaluation.measures.metric import Group, Metric
from graph.errors import BadInput
from scripts_library.loading import field_name, join_errors, schema_problems
from scripts_library.schema import Campaign, Data, Language, Name
from scripts_library.yaml_lines import Document, read_yaml

FOLDER = Path(__file__).with_name("rubrics")
LANGUAGES: tuple[Language, ...] = ("en", "zh")
Side = Literal["customer", "agent"]
Words = dict[Language, str]
Background = Literal["goal", "facts", "strategy", "profile"]


class Choice(Data):
    """One answer to a criterion; several values make a band with one description."""

    values: list[float] = Field(min_length=1)
    text: Words
    cites: list[Name] = Field(default_factory=list, description="Kinds of evidence of which one must be shown for it.")


class Criterion(Data):
    """One question. Choices go from worst to best; whether numbers rise or fall on the way says which is better."""

    id: Name
    label: Words
    question: Words
    weight: float = Field(default=1.0, gt=0)
    evidence: Side | None = Field(default=None, description="Whose words are quoted for an answer.")
    kinds: dict[Name, Words] = Field(default_factory=dict, description="What a quote can show; each shows one.")
    quotes: int = Field(default=4, ge=1, le=8, description="Most quotes that are asked for.")
    choices: list[Choice] = Field(default_factory=list, description="Left out: the rubric's `scale`.")

    @property
    def values(self) -> list[float]:
        """All values, worst first."""
        return [value for choice in self.choices for value in choice.values]

    def cites(self, value: float) -> list[str]:
        """Return the kinds of evidence of which one must be shown for a value; empty: none is needed."""
        return next(choice.cites for choice in self.choices if value in choice.values)

    def share(self, value: float) -> float:
        """Return where a value stands between the worst (0) and the best (1)."""
        return self.values.index(value) / (len(self.values) - 1)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.choices:
            values = self.values
            if len(values) < 2 or values not in (sorted(set(values)), sorted(set(values), reverse=True)):
                raise ValueError("the values must rise or fall from choice to choice, worst first, and be two at least")
            unknown = [kind for choice in self.choices for kind in choice.cites if kind not in self.kinds]
            if unknown:
                raise ValueError(f"`cites` names {', '.join(unknown)}, which `kinds` does not")
        if bool(self.kinds) != (self.evidence is not None):
            raise ValueError("`evidence` (whose words) and `kinds` (what they show) need each other")
        return self


class Part(Data):
    """One thing of which every criterion is asked, such as a capability of a grid; asked in a request of its own."""

    id: Name
    label: Words
    question: Words


class Line(Data):
    """One turn of a sample."""

    customer: str = ""
    agent: str


class Sample(Data):
    """A conversation written to be good or bad in the eyes of the rubric."""

    background: dict[str, str] = Field(default_factory=dict)
    call: list[Line] = Field(min_length=1)

    def said(self) -> tuple[Said, ...]:
        """Return its words; turn 0 is the opening."""
        return tuple(Said(number, line.customer, line.agent) for number, line in enumerate(self.call))


class Rubric(Data):
    """What one judge is asked."""

    name: Name
    version: int = Field(ge=1)
    title: Words
    judges: Literal["call", "turn", "customer"] = Field(
        description="The agent in a whole call, each of its replies, or the simulated customer."
    )
    group: Group
    task: Words = Field(description="What the judge is told before the questions.")
    background: list[Background] = Field(default_factory=list, description="What the judge sees beside the call.")
    parts: list[Part] = Field(default_factory=list)
    scale: list[Choice] = Field(default_factory=list, description="Choices of criteria that have none of their own.")
    criteria: list[Criterion] = Field(min_length=1)
    gold: dict[Language, Sample] = Field(default_factory=dict)
    bad: dict[Language, Sample] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _scaled(cls, data: object) -> object:
        """Give the rubric's scale to criteria without choices."""
        if not isinstance(data, dict) or not isinstance(data.get("criteria"), list):
            return data
        scale = data.get("scale") or []
        criteria = [{"choices": scale, **one} if isinstance(one, dict) else one for one in data["criteria"]]
        return {**data, "criteria": criteria}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = [
            f"criterion '{one.id}' has no choices: write them, or a `scale`" for one in self.criteria if not one.choices
        ]
        for what, ids in (("criterion", [one.id for one in self.criteria]), ("part", [one.id for one in self.parts])):
            wrong += [f"{what} '{name}' is there twice" for name in dict.fromkeys(ids) if ids.count(name) > 1]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def requests(self) -> "list[Request]":
        """Return what is asked: all criteria at once, or once for each part."""
        if not self.parts:
            return [Request(None, tuple(self.criteria))]
        return [Request(part, tuple(self.criteria)) for part in self.parts]

    def asked(self) -> Iterator[tuple[str, str, Criterion]]:
        """Yield every question: its name in judgements, its English label, its criterion."""
        for request in self.requests():
            for one in request.criteria:
                label = one.label.get("en") or next(iter(one.label.values()))
                yield request.key(one), f"{request.part.label['en']}: {label}" if request.part else label, one

    def criterion(self, key: str) -> Criterion:
        """Return the criterion of a name in judgements, with or without its part."""
        return next(one for one in self.criteria if one.id == key.rpartition(".")[2])

    def score(self, values: dict[str, float | None]) -> float | None:
        """Return the weighted mean of where the values stand between worst (0) and best (1); None without any value."""
        known = [(self.criterion(key), value) for key, value in values.items() if value is not None]
        total = sum(one.weight for one, _ in known)
        return sum(one.weight * one.share(value) for one, value in known) / total if known else None


@dataclass(frozen=True)
class Request:
    """What one question to the judge holds."""

    part: Part | None
    criteria: tuple[Criterion, ...]

    def key(self, criterion: Criterion) -> str:
        """Return a criterion's name in judgements."""
        return f"{self.part.id}.{criterion.id}" if self.part else criterion.id


def load_rubric(path: Path) -> Rubric:
    """Read and check a rubric file.

    Raises:
        BadInput: One line per error, all at once: `file:line: field: message (value) – way out`.
    """
    document = read_yaml(path)
    try:
        rubric = TypeAdapter(Rubric).validate_python(document.data)
    except ValidationError as error:
        lines = [
            f"{path}:{document.line(problem.loc)}: {field_name(document.data, problem.loc)}: {problem.text()}"
            for problem in schema_problems(error)
        ]
        raise BadInput(join_errors(f"Rubric {path.name}", lines)) from None
    missing = [*_untranslated(document, rubric), *_unsampled(document, rubric)]
    if rubric.name != path.stem:
        missing.append(f"{path}:1: name: '{rubric.name}' is not the file's – call the file {rubric.name}.yaml")
    if missing:
        raise BadInput(join_errors(f"Rubric {path.name}", missing))
    return rubric


def _untranslated(document: Document, rubric: Rubric) -> list[str]:
    """Name what a judge reads and that a language lacks."""
    texts = [("title", rubric.title), ("task", rubric.task)]
    for part in rubric.parts:
        texts += [(f"{part.id}.label", part.label), (f"{part.id}.question", part.question)]
    for one in rubric.criteria:
        texts += [(f"{one.id}.label", one.label), (f"{one.id}.question", one.question)]
        texts += [(f"{one.id}.choices[{number}].text", choice.text) for number, choice in enumerate(one.choices)]
        texts += [(f"{one.id}.kinds.{name}", text) for name, text in one.kinds.items()]
    return [
        f"{document.path}:1: {where}.{language}: missing – write it in both languages"
        for where, text in texts
        for language in LANGUAGES
        if not text.get(language, "").strip()
    ]


def _unsampled(document: Document, rubric: Rubric) -> list[str]:
    return [
        f"{document.path}:1: {kind}.{language}: missing – write a conversation that must score {must}"
        for kind, samples, must in (("gold", rubric.gold, "high"), ("bad", rubric.bad, "low"))
        for language in LANGUAGES
        if language not in samples
    ]


@lru_cache(maxsize=1)
def bundled_rubrics() -> dict[str, Rubric]:
    """Return the rubrics that ship with the project, by name."""
    return {path.stem: load_rubric(path) for path in sorted(FOLDER.glob("*.yaml"))}


def find_rubrics(names: Sequence[str]) -> list[Rubric]:
    """Return rubrics by name, or by the path of a file.

    Raises:
        BadInput: Names all that are unknown.
    """
    known = bundled_rubrics()
    unknown = [name for name in names if name not in known and not Path(name).is_file()]
    if unknown:
        raise BadInput(f"Rubrics {', '.join(unknown)} are unknown; expected {', '.join(known)}, or a rubric file.")
    return [known[name] if name in known else load_rubric(Path(name)) for name in names]


def campaign_rubric(campaign: Campaign) -> Rubric | None:
    """Return a campaign's published rubric lines as a rubric of replies; None where it has none.

    A line that is written in one language only is asked in that language in every call.
    """
    lines = [line for line in campaign.rubric if line.status == "published"]
    if not lines:
        return None
    yes: Words = {"en": "the reply does this", "zh": "这句回复做到了"}
    no: Words = {"en": "the reply does not do this", "zh": "这句回复没有做到"}
    return Rubric(
        name=f"campaign-{campaign.name}"[:63],
        version=1,
        title={"en": f"Rubric of {campaign.name}", "zh": f"{campaign.name} 的评分标准"},
        judges="turn",
        group="repo",
        task={
            "en": "Judge the agent's last reply by what this campaign asks of a good reply.",
            "zh": "请按本活动对好回复的要求，评判助手的最后一句回复。",
        },
        background=["goal", "facts"],
        criteria=[
            Criterion(
                id=line.id,
                label={language: line.id for language in LANGUAGES},
                question={
                    language: line.text.get(language) or next(iter(line.text.values())) for language in LANGUAGES
                },
                choices=[Choice(values=[0], text=no), Choice(values=[1], text=yes)],
            )
            for line in lines
        ],
    )


def metrics_of(rubric: Rubric) -> list[Metric]:
    """Return a metric for each question of a rubric, `rubric.criterion`."""
    return [
        Metric(
            name=f"{rubric.name}.{key}",
            group=rubric.group,
            label=f"{rubric.title['en']}: {label}",
            better="higher" if one.values[-1] > one.values[0] else "lower",
            unit="share" if set(one.values) == {0.0, 1.0} else "points",
        )
        for key, label, one in rubric.asked()
    ]
