"""`salesman evaluate scenarios`: what there is to hold calls with, and what is wrong with a file of scenarios."""

from pathlib import Path
from typing import Annotated

import typer

from evaluation.telling import JsonOption
from graph.settings import get_settings
from graph.terminal import dump, say


def scenarios(
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            help="Check this file: own scenarios (YAML), also of the library's campaigns, or SalesLLM's (JSONL).",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the bundled scenarios, or check a file of scenarios.

    A check ends with exit code 0 also when it finds broken scenarios. A run leaves SalesLLM's broken rows out and counts
    them; own YAML with a broken scenario it refuses whole. A file that cannot be read at all is an error.
    """
    from evaluation.scenarios.check import check_file, count_bundled

    if check is None:
        counts = count_bundled()
        if as_json:
            dump(counts)
            return
        table: dict[tuple[str, str, str], dict[str, int]] = {}
        for count in counts:
            row = table.setdefault((count["campaign"], count["language"], count["tier"]), {})
            row[count["split"]] = count["scenarios"]
        say(f"{'campaign':18} {'language':9} {'tier':12} {'train':>5} {'dev':>5} {'test':>5}")
        for (campaign, language, tier), row in table.items():
            numbers = " ".join(f"{row.get(split, 0):5}" for split in ("train", "dev", "test"))
            say(f"{campaign:18} {language:9} {tier:12} {numbers}")
        return
    report = check_file(check, get_settings())
    if as_json:
        dump(report)
        return
    found, warned = len(report["sound"]), len(report["warnings"])
    say(f"{found} can run ({warned} of them with a warning), {len(report['broken'])} broken")
    for word, rows in (("broken", report["broken"]), ("warning", report["warnings"])):
        for finding in rows:
            for reason in finding["reasons"]:
                say(f"{word:8} {finding['id']}: {reason}")
