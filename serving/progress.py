"""How far a download is: a bar on a terminal, a few plain lines elsewhere."""

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class DownloadProgress(Protocol):
    """What a download tells while it runs; every method is called in the downloading thread."""

    def start(self, name: str, total: int, done: int) -> None:
        """Begin (or begin anew) with `done` of `total` bytes at hand."""

    def advance(self, count: int) -> None:
        """Count further bytes."""

    def note(self, line: str) -> None:
        """Say one line: a source that failed, a lock that is waited for."""

    def stop(self) -> None:
        """End the display."""


class TerminalProgress:
    """A progress bar on standard error."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("", total=None, visible=False)

    def start(self, name: str, total: int, done: int) -> None:
        """Show the bar."""
        self._bar.start()
        self._bar.reset(self._task, description=name, total=total, completed=done, visible=True)

    def advance(self, count: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, count)

    def note(self, line: str) -> None:
        """Print the line above the bar."""
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


class PlainProgress:
    """A line at the start, at every fifth and at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name, self._total, self._done, self._told = "", 0, 0, 0

    def start(self, name: str, total: int, done: int) -> None:
        """Say what is fetched."""
        self._name, self._total, self._done = name, total, done
        self._told = 5 * done // total
        at_hand = f", {done / 1e6:.0f} MB at hand" if done else ""
        self.note(f"Fetching {name} ({total / 1e6:.0f} MB{at_hand})")

    def advance(self, count: int) -> None:
        """Say every fifth."""
        self._done += count
        if 5 * self._done // self._total > self._told:
            self._told = 5 * self._done // self._total
            self.note(f"{self._name}: {20 * self._told} %")

    def note(self, line: str) -> None:
        """Print the line."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Nothing is left open."""


def standard_progress() -> DownloadProgress:
    """Return the display that suits standard error."""
    console = Console(stderr=True)
    return TerminalProgress(console) if console.is_terminal else PlainProgress(console)
