"""Read YAML with the line of every value, and with every scalar as the text that its author wrote.

Plain scalars stay text (``no``, ``24/7`` and ``1.50`` mean what they say); the schema turns them into numbers and dates.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import yaml

from graph.errors import BadInput

Loc = tuple[str | int, ...]
"""Way to a value: keys and list indices from the top of the file."""

_DEPTH = 40
"""Lists and maps within each other that a file may have; the parser itself falls over at some ten thousand."""
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data, and the line (from 1) on which each value begins."""

    path: Path
    data: object
    lines: dict[Loc, int]

    def line(self, loc: Loc) -> int:
        """Return the line of a value, or of the nearest thing around it that the file has."""
        while loc not in self.lines and loc:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


def read_yaml(path: Path) -> Document:
    """Read one YAML file.

    Args:
        path: The file, UTF-8.

    Returns:
        Its data: dicts, lists, `str` and `None` only.

    Raises:
        BadInput: The file is missing, is not UTF-8 or not YAML, refers to its own values (``*name``: a few lines would
            unfold to gigabytes), or is nested too deeply; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}:1: file: missing – write it, or name another folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}:1: file: cannot be read ({error}) – save it as UTF-8 text") from None
    try:
        _check_shape(path, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadInput(f"{path}:{line}: file: not YAML ({problem}) – check indentation, colons and quotes") from None
    if node is None:
        return Document(path, None, {})
    reader = _Reader(path)
    return Document(path, reader.value(node, ()), reader.lines)


def _check_shape(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(f"{path}:{line}: *{event.anchor}: refers to another value – write that value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise BadInput(f"{path}:{line}: file: more than {_DEPTH} lists and maps in each other – check its brackets")


class _Reader:
    """Turns nodes into plain data; refuses repeated keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Loc, int] = {}

    def value(self, node: yaml.Node, loc: Loc) -> object:
        line = node.start_mark.line + 1
        self.lines.setdefault(loc, line)
        if isinstance(node, yaml.ScalarNode):
            return None if node.tag == "tag:yaml.org,2002:null" else node.value
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*loc, index)) for index, item in enumerate(node.value)]
        data: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            key_line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise BadInput(
                    f"{self.path}:{key_line}: file: a key must be a word – quote texts that hold {{ }} or [ ]"
                )
            if key in data:
                raise BadInput(f"{self.path}:{key_line}: {key}: written twice – keep one of them")
            self.lines[(*loc, key)] = key_line
            data[key] = self.value(value_node, (*loc, key))
        return data
