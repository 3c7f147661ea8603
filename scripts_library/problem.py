"""What a check finds."""

from dataclasses import dataclass

from scripts_library.yaml_lines import Loc


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, with which value, and the way out."""

    loc: Loc
    message: str
    value: str
    way_out: str

    def text(self) -> str:
        """Return the problem without its place."""
        value = f" ({self.value})" if self.value else ""
        return f"{self.message}{value} – {self.way_out}"
