"""Variants: the ways of the agent that a run compares, as data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from graph.context import IntentBy, Understanding
from graph.errors import BadInput
from graph.records import Answering
from graph.session import Calls
from graph.settings import Settings
from scripts_library.loading import join_errors
from scripts_library.yaml_lines import read_yaml
from serving.catalogue import find_model

ANSWERING: dict[str, Answering] = {"on": "scripts", "off": "goals", "fewshot": "few_shot"}


def _word(value: Any) -> Any:
    """Read YAML's bare `on` and `off`, which are booleans there, as the words that they look like."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


class Variant(BaseModel):
    """One way of the agent. What is left out is as it is served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")
    scripts: Annotated[Literal["on", "off", "fewshot"], BeforeValidator(_word)] = "on"
    """`on`: each turn's scripts lead the model. `off`: the stage's goal alone. `fewshot`: the same few examples in every turn."""
    intent: IntentBy = "usual"
    """Who names the customer's intent: the classifier and below its threshold the model, or one of them alone."""
    intent_noise: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of intents that are replaced by a wrong one."""
    think: bool = False
    """Left out: as the settings say; with an adapter of the variant's own, or `none`, it does not think."""
    model: str = ""
    """A name of the catalogue, or of the server of `SALESMAN_LLM_BASE_URL`; empty: the settings'."""
    adapter: str = ""
    """A LoRA adapter: a GGUF file for the embedded server, a name that the server of `SALESMAN_LLM_BASE_URL` serves; `none`: none.
    Empty: the settings', where the model is theirs too."""

    def settings(self, base: Settings) -> Settings:
        """Return the settings under which this variant holds its calls."""
        changes: dict[str, Any] = {"think": self.think} if "think" in self.model_fields_set or self.adapter else {}
        if base.llm_base_url:
            changes["llm_model"] = self.adapter or self.model or base.llm_model
        else:
            theirs = base.llm_adapter if self.model in ("", base.llm) else ""
            adapter = "" if self.adapter == "none" else self.adapter or theirs
            changes |= {"llm": self.model or base.llm, "llm_adapter": adapter}
        return base.model_copy(update=changes)

    def calls(self, base: Settings) -> Calls:
        """Open the door to the graph for this variant."""
        understanding = Understanding(self.intent, self.intent_noise)
        return Calls(self.settings(base), answering=ANSWERING[self.scripts], understanding=understanding)


AS_SERVED = Variant(name="served")
_VARIANTS = TypeAdapter(list[Variant])


def load_variants(path: Path, settings: Settings) -> tuple[Variant, ...]:
    """Read a YAML list of variants.

    Args:
        path: The file.
        settings: Say which models and adapters there are: the catalogue's and files, or those of a server, which has its own names.

    Raises:
        BadInput: No list, an unknown field or value, a name twice, or a model or adapter that there is not; every error with its place.
    """
    document = read_yaml(path)
    try:
        variants = _VARIANTS.validate_python(document.data)
    except ValidationError as error:
        found = [f"{path}: variant {_place(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False)]
        raise BadInput(join_errors(f"Variants {path}", found)) from error
    names = [variant.name for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not variants:
        raise BadInput(
            f"Variants {path}: " + (f"{', '.join(twice)} named twice" if twice else "the list is empty") + "."
        )
    if missing := [f"{path}: variant {one.name}: {fault}" for one in variants if (fault := _missing(one, settings))]:
        raise BadInput(join_errors(f"Variants {path}", missing))
    return tuple(variants)


def _missing(variant: Variant, settings: Settings) -> str:
    """Return what a variant needs and this machine has not; empty where nothing lacks."""
    if settings.llm_base_url or (variant.model or settings.llm).startswith("fake/"):
        return ""
    if variant.adapter not in ("", "none") and not Path(variant.adapter).is_file():
        return f"adapter {variant.adapter} is no file – give a GGUF file, or `none`"
    try:
        find_model(variant.model or settings.llm)
    except BadInput as error:
        return str(error)
    return ""


def _place(location: Sequence[str | int]) -> str:
    return " ".join(str(part + 1) if isinstance(part, int) else part for part in location) or "list"
