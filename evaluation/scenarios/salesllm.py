"""SalesLLM's public scenarios (JSONL, MIT), unchanged: each product block becomes a campaign on the fly."""

from pathlib import Path

from evaluation.scenarios.scenario_set import ScenarioSet


def read_salesllm(path: Path) -> ScenarioSet:
    raise NotImplementedError
