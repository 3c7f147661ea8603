"""Files of one JSON object a line: read by line feeds alone, written whole or not at all."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from graph.errors import BadInput

SHOWN = 20
"""Faults of a file that are told at once."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers, from 1; a line ends at a line feed and nowhere else.

    Raises:
        BadInput: It cannot be read, or is no UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); give a UTF-8 file.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines and return how many; an earlier file is replaced whole, and kept where making a line fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def refuse(what: str, faults: Sequence[str]) -> None:
    """Raise the faults of a file, a line each; nothing where there are none.

    Args:
        what: Kind and path of the file, which begins every line.
        faults: Each with its place.

    Raises:
        BadInput: There is a fault; names the first `SHOWN` of them.
    """
    if faults:
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise BadInput("\n".join(f"{what}, {fault}" for fault in [*faults[:SHOWN], *more]))
