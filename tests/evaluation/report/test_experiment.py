"""A run sent to LangSmith as experiments, against a receiver that speaks its wire format."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.experiment import send_experiments
from evaluation.report.table import Table, read_table
from evaluation.runs.store import Run, read_run
from graph.errors import SalesmanError
from graph.trace_delivery import Target
from tests.evaluation import made_calls as made

DATASET = {
    "id": "5f0c1e5d-0b5f-4a4e-9c43-6f7a3c2b1d00", "name": "x", "created_at": "2026-01-01T00:00:00", "data_type": "kv",
    "description": "", "modified_at": "2026-01-01T00:00:00", "tenant_id": "7d3a9f10-2b44-4c55-8e66-1a2b3c4d5e6f",
    "example_count": 0, "session_count": 0,
}  # fmt: skip
SESSION = {
    "id": "0b5f3c1e-5d0e-4a4e-9c43-6f7a3c2b1d00", "tenant_id": DATASET["tenant_id"], "name": "x",
    "start_time": "2026-01-01T00:00:00", "reference_dataset_id": DATASET["id"],
}  # fmt: skip


GRETA: dict[str, Any] = {
    "persona": "I am Greta Miller, 44, a baker.",
    "if_asked": {"contact_name": "Greta Miller it is.", "contact_phone": "138 0000 1234"},
}


class LangSmith(ThreadingHTTPServer):
    """Takes data sets, examples, experiments, runs and feedback; `refuses` answers 500."""

    daemon_threads = True

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuses = refuses
        self.taken: list[tuple[str, str]] = []
        self.known: list[dict[str, Any]] = []
        self.examples: list[dict[str, Any]] = []

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self.server_port}", "key", "default")

    def bodies(self, end: str) -> list[str]:
        return [body for path, body in self.taken if path.split("?")[0].endswith(end)]


class _Handler(BaseHTTPRequestHandler):
    server: LangSmith

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        if "/examples" in self.path:
            self._answer(self.server.examples)
        else:
            self._answer(self.server.known if "/datasets" in self.path else {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.taken.append((self.path, body))
        if self.path.endswith("/datasets"):
            self.server.known = [{**DATASET, "name": json.loads(body)["name"]}]
            self._answer(self.server.known[0])
        elif "/sessions" in self.path:
            self._answer(SESSION)
        elif "/examples" in self.path:
            self._answer([])
        else:
            self._answer({})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(500 if self.server.refuses else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def langsmith() -> Iterator[LangSmith]:
    server = LangSmith()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def scored(folder: Path) -> tuple[Run, Table]:
    turns = [made.turn("I am Greta Miller, call me at 138 0000 1234.", "Thank you.")]
    results = [made.result(turns, variant=name) for name in ("a", "b")]
    run = read_run(made.run_folder(folder, results, [made.scenario(**GRETA)]))
    return run, read_table(run)


def test_scenarios_become_a_data_set_and_each_variant_an_experiment_on_it(langsmith: LangSmith, tmp_path: Path) -> None:
    run, table = scored(tmp_path / "first")
    names = send_experiments(run, table, ["success"], langsmith.target)
    assert [json.loads(body)["name"] for body in langsmith.bodies("/sessions")] == names
    assert {json.loads(body)["reference_dataset_id"] for body in langsmith.bodies("/sessions")} == {DATASET["id"]}
    assert len(langsmith.bodies("/examples/bulk")) == 1 and "lantern-1" in langsmith.bodies("/examples/bulk")[0]
    runs = "".join(langsmith.bodies("/runs/multipart"))
    assert runs.count("reference_example_id") == 2 and all(name in runs for name in names)
    told = [json.loads(body) for body in langsmith.bodies("/feedback")]
    assert [(one["key"], one["score"]) for one in told] == [("success", table.rows[0].value("success"))] * 2


def test_names_and_numbers_are_masked_and_a_second_sending_has_the_same_ids(
    langsmith: LangSmith, tmp_path: Path
) -> None:
    run, table = scored(tmp_path / "first")
    send_experiments(run, table, ["success"], langsmith.target)
    first = [json.loads(body)["id"] for body in langsmith.bodies("/feedback")]
    send_experiments(run, table, ["success"], langsmith.target)
    assert [json.loads(body)["id"] for body in langsmith.bodies("/feedback")] == first * 2
    assert len(langsmith.bodies("/datasets")) == 1, "the data set is there"
    sent = json.dumps(langsmith.taken)
    assert "Greta" not in sent and "0000 1234" not in sent


def test_a_data_set_that_a_killed_process_left_empty_is_filled(langsmith: LangSmith, tmp_path: Path) -> None:
    run, table = scored(tmp_path / "first")
    send_experiments(run, table, [], langsmith.target)
    send_experiments(run, table, [], langsmith.target)
    assert len(langsmith.bodies("/examples/bulk")) == 2, "none of it had come"


def test_a_refusal_is_one_clear_line(langsmith: LangSmith, tmp_path: Path) -> None:
    langsmith.refuses = True
    run, table = scored(tmp_path / "first")
    with pytest.raises(SalesmanError, match="did not take the run"):
        send_experiments(run, table, [], langsmith.target)
