r"""Scripts as files that people edit: YAML, or CSV for spreadsheets; both give back exactly what was written.

* YAML: a list of scripts, as in a campaign's `scripts.yaml`.
* CSV (UTF-8 with a byte-order mark): one row a script, one column a field. A list is a cell with one item a line; inside
  an item a line break is written ``\n`` and a backslash ``\\``. A cell that a spreadsheet would take for a formula (it
  begins with ``=``, ``+``, ``-``, ``@`` or a tab) gets an apostrophe in front, which reading takes off again.
"""

import csv
import io
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from graph.errors import BadInput
from scripts_library.loading import schema_problems
from scripts_library.schema import Script
from scripts_library.yaml_lines import read_yaml

_LISTS = frozenset(name for name, field in Script.model_fields.items() if get_origin(field.annotation) is list)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\\\": "\\"}
_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class FileRow:
    """One script of a file: its row (in CSV 1 is the header; in YAML the first script is 1) and its data as written.

    `script` is None when the data do not have a script's shape; `errors` says why.
    """

    number: int
    data: dict[str, Any]
    script: Script | None
    errors: tuple[str, ...]


def read_rows(path: Path) -> list[FileRow]:
    """Read a `.yaml`, `.yml` or `.csv` file of scripts; what is wrong with a row is kept with the row.

    Raises:
        BadInput: The file as a whole cannot be read.
    """
    if path.suffix == ".csv":
        return _read_csv(path)
    if path.suffix not in (".yaml", ".yml"):
        raise _ending(path)
    data = read_yaml(path).data
    if not isinstance(data, list):
        raise BadInput(f"{path}:1: file: not a list of scripts – begin each script with `- id:`")
    return [_row(number, item if isinstance(item, dict) else {}, ()) for number, item in enumerate(data, 1)]


def write_file(path: Path, scripts: Sequence[Script]) -> None:
    """Write scripts to a `.yaml`, `.yml` or `.csv` file, replacing it in one step.

    Raises:
        BadInput: The ending is another, or the file cannot be written.
    """
    rows = [script.model_dump(mode="json") for script in scripts]
    if path.suffix == ".csv":
        text = _csv_text(rows)
    elif path.suffix in (".yaml", ".yml"):
        text = yaml.dump(rows, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
    else:
        raise _ending(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); choose another place") from None


def _read_csv(path: Path) -> list[FileRow]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8; save it as `CSV UTF-8`") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the name") from None
    csv.field_size_limit(10_000_000)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise BadInput(f"{path} is no CSV ({error}); save it again from the spreadsheet, with commas") from None
    header = [name.strip() for name in lines[0]] if lines else []
    unknown = [name for name in header if name not in Script.model_fields]
    if not lines or unknown or len(set(header)) != len(header) or "id" not in header:
        shown = ", ".join(unknown or header) or "nothing"
        raise BadInput(
            f"{path}: row 1: header ({shown[:200]}) – expected columns out of {', '.join(Script.model_fields)}"
        )
    rows: list[FileRow] = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        surplus = cells[len(header) :]
        errors = (f"more cells than columns ({surplus[0]}) – quote cells that hold a comma",) if any(surplus) else ()
        data = {name: _cell(name, cell) for name, cell in zip(header, cells, strict=False) if cell != ""}
        rows.append(_row(number, data, errors))
    return rows


def _row(number: int, data: dict[str, Any], errors: tuple[str, ...]) -> FileRow:
    try:
        return FileRow(number, data, Script.model_validate(data), errors)
    except ValidationError as error:
        found = (f"{''.join(_part(p) for p in item.loc).lstrip('.')}: {item.text()}" for item in schema_problems(error))
        return FileRow(number, data, None, (*errors, *found))


def _part(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _csv_text(rows: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(Script.model_fields)
    for row in rows:
        writer.writerow([_guarded(_text(row[name])) for name in Script.model_fields])
    return "\ufeff" + out.getvalue()


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(item.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") for item in value)
    return "" if value is None else str(value)


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _cell(name: str, cell: str) -> str | list[str]:
    if cell.startswith("'") and _FORMULA.match(cell):
        cell = cell[1:]
    if name not in _LISTS:
        return cell
    items = re.split(r"\r?\n", cell)
    return [re.sub(r"\\[nr\\]", lambda found: _ESCAPES[found.group()], item) for item in items if item.strip()]


def _ending(path: Path) -> BadInput:
    return BadInput(f"{path} ends with {path.suffix or 'nothing'!r}; expected .yaml, .yml or .csv")
