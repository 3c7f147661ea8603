"""The generated parts of the README: `python -m bench.readme` rewrites them, a test checks that they are current."""

import re
from pathlib import Path

from graph.build import build_graph
from graph.settings import Settings

README = Path(__file__).parents[1] / "README.md"


def picture() -> str:
    """Return the graph as a Mermaid drawing."""
    drawing = build_graph().get_graph().draw_mermaid()
    body = re.sub(r"---\n.*?---\n", "", drawing, flags=re.DOTALL)
    body = re.sub(r"^\s*classDef.*\n", "", body, flags=re.MULTILINE)
    return f"```mermaid\n{body.strip()}\n```"


def settings() -> str:
    """Return the table of settings."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    shown = {
        "home": "the user's data folder",
        "cache": "the user's cache folder",
        "llm_adapter": "the promoted one",
        "think": "as the adapter's",
    }
    for name, field in Settings.model_fields.items():
        default = shown.get(name) or str(
            getattr(field.default, "get_secret_value", lambda value=field.default: value)()
        )
        rows.append(f"| `SALESMAN_{name.upper()}` | {default or 'empty'} | {field.description} |")
    return "\n".join(rows)


PARTS = {"picture": picture, "settings": settings}


def current(text: str) -> str:
    """Return the README with its generated parts made anew."""
    for name, make in PARTS.items():
        marks = (f"<!-- generated: {name} -->", f"<!-- end: {name} -->")
        before, _, rest = text.partition(marks[0])
        _, _, after = rest.partition(marks[1])
        text = f"{before}{marks[0]}\n{make()}\n{marks[1]}{after}"
    return text


if __name__ == "__main__":
    README.write_text(current(README.read_text("utf-8")), encoding="utf-8")
