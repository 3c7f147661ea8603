"""Take scripts from a file: see what each row would do, then do all of it or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from graph.errors import BadInput
from scripts_library import store
from scripts_library.changes import Changes, Check, place, replaced_by, stamp, stamped
from scripts_library.loading import join_errors
from scripts_library.progress import Progress
from scripts_library.schema import Script
from scripts_library.transfer import FileRow

RowAction = Literal["add", "update", "unchanged", "error"]


@dataclass(frozen=True)
class PreviewRow:
    """What an import would do with one row of a file.

    number: as in `FileRow`. status: what the script is afterwards; a published one is heard at once. changed: names of the fields that an update changes. errors: why the row is refused, if it is.
    """

    number: int
    id: str
    title: str
    status: str
    action: RowAction
    changed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def preview_rows(connection: Connection, rows: Sequence[FileRow]) -> list[PreviewRow]:
    """Return what an import would do with each row; nothing is written."""
    known = store.find_heads(connection, [row.script.id for row in rows if row.script is not None])
    check, seen = Check(connection), dict[str, int]()
    found: list[PreviewRow] = []
    for row in rows:
        script_id, title = (str(row.data.get(field) or "") for field in ("id", "title"))
        old, new = known.get(script_id), row.script
        changed = store.changed_fields(old, new) if old is not None and new is not None else []
        status = new.status if new is not None else ""
        errors = [*row.errors, *(f"{place(problem)}: {problem.text()}" for problem in check(row.data))]
        if script_id in seen:
            errors.append(f"id: used in row {seen[script_id]} too ({script_id}) – remove one")
        seen.setdefault(script_id, row.number)
        if old is not None and new is not None and changed:
            errors += _refused(old, new, row)
        action: RowAction = "error" if errors else "add" if old is None else "update" if changed else "unchanged"
        found.append(PreviewRow(row.number, script_id, title, status, action, tuple(changed), tuple(errors)))
    return found


def to_publish(connection: Connection, path: Path, rows: Sequence[FileRow]) -> list[Script]:
    """Return the scripts that an import would put before customers.

    Raises:
        BadInput: Every error of every row.
    """
    done = {row.number: row.action for row in _checked(connection, path, rows)}
    scripts = [row.script for row in rows if row.script is not None and done[row.number] != "unchanged"]
    return [script for script in scripts if script.status == "published"]


def import_into(
    connection: Connection, path: Path, rows: Sequence[FileRow], author: str, progress: Progress
) -> Changes:
    """Insert and revise what the rows of a file say, or raise every error of every row."""
    actions = {row.number: row.action for row in _checked(connection, path, rows)}
    scripts = [(actions[row.number], row.script) for row in rows if row.script is not None]
    fresh = [stamped(script, stamp(author)) for action, script in scripts if action == "add"]
    store.insert_scripts(connection, fresh, author, "import")
    changed = [script for action, script in scripts if action == "update"]
    for number, script in enumerate(changed):
        progress(number, len(changed))
        store.change(connection, script.id, script.version, author, "import", replaced_by(script))
    progress(len(changed), len(changed))
    return Changes(len(fresh), len(changed), len(scripts) - len(fresh) - len(changed))


def _checked(connection: Connection, path: Path, rows: Sequence[FileRow]) -> list[PreviewRow]:
    found = preview_rows(connection, rows)
    errors = [f"{path}: row {row.number}: {error}" for row in found for error in row.errors]
    if errors:
        raise BadInput(join_errors(str(path), errors))
    return found


def _refused(old: Script, new: Script, row: FileRow) -> list[str]:
    """Return why a row may not revise a script, if it may not."""
    if "version" not in row.data:
        return [f"version: missing – script {old.id} exists; name the version that you edited"]
    if new.version != old.version:
        return [
            f"version: you edited version {new.version}, but {old.author or 'somebody'} has saved version "
            f"{old.version} ({', '.join(store.changed_fields(new, old))} differ) – export it again"
        ]
    if new.campaign != old.campaign:
        return [f"campaign: cannot change ({old.campaign} → {new.campaign}) – give the script a new id"]
    return []
