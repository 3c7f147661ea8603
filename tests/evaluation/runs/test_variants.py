"""The variants file, and what each variant changes."""

from pathlib import Path

import pytest

from evaluation.runs.units import plan
from evaluation.runs.variants import Variant, load_variants
from evaluation.scenarios.schema import Scenario, Success
from graph.errors import BadInput
from graph.settings import Settings

HERE = Settings(llm_base_url="", llm="qwen2.5-coder-0.5b-instruct", _env_file=None)  # type: ignore[call-arg]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_yamls_bare_booleans_are_read_as_on_and_off(tmp_path: Path) -> None:
    path = write(
        tmp_path / "v.yaml", "- {name: a, scripts: on}\n- {name: b, scripts: off}\n- {name: c, scripts: fewshot}\n"
    )
    assert [variant.scripts for variant in load_variants(path, HERE)] == ["on", "off", "fewshot"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {name: a, scirpts: off}", "scirpts"),
        ("- {name: a, scripts: maybe}", "scripts"),
        ("- {name: a, intent_noise: 1.5}", "intent_noise"),
        ("- {name: a}\n- {name: a}", "a named twice"),
        ("- {scripts: on}", "name"),
        ("[]", "empty"),
        ("name: a", "list"),
        ("- {name: a, model: gpt-9}", "variant a: Model 'gpt-9'"),
        ("- {name: a, adapter: gone.gguf}", "variant a: adapter gone.gguf"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load_variants(write(tmp_path / "v.yaml", text), HERE)


def test_a_server_of_ones_own_may_have_any_model_and_adapter(tmp_path: Path) -> None:
    path = write(tmp_path / "v.yaml", "- {name: a, model: gpt-9}\n- {name: b, adapter: tuned}\n")
    remote = HERE.model_copy(update={"llm_base_url": "http://h/v1"})
    assert [variant.model or variant.adapter for variant in load_variants(path, remote)] == ["gpt-9", "tuned"]


def test_a_variant_changes_only_what_it_names() -> None:
    base = Settings(llm="fake/echo", _env_file=None)  # type: ignore[call-arg]
    assert Variant(name="a").settings(base) == base
    changed = Variant(name="a", model="smollm2-135m-instruct", adapter="x.gguf", think=True).settings(base)
    assert (changed.llm, changed.llm_adapter, changed.think) == ("smollm2-135m-instruct", "x.gguf", True)
    thinking = base.model_copy(update={"think": True})
    assert [
        Variant.model_validate({"name": "a"} | told).settings(thinking).think for told in ({}, {"think": False})
    ] == [True, False]
    remote = base.model_copy(update={"llm_base_url": "http://h/v1", "llm_model": "m"})
    assert Variant(name="a").settings(remote).llm_model == "m"
    assert Variant(name="a", adapter="tuned").settings(remote).llm_model == "tuned"


def test_variants_share_their_customers_seeds_and_no_two_units_share_a_name() -> None:
    def scenario(name: str) -> Scenario:
        return Scenario(
            id=name, campaign="c1", language="en", tier="easy", propensity=0.8, persona="x", reason="y",
            success=Success(outcomes=["won"]), checks=["outcome"],
        )  # fmt: skip

    units = plan([Variant(name="a"), Variant(name="b")], [scenario("s1"), scenario("s2")], ["rule", "x"], 2, 5)
    assert len({unit.name for unit in units}) == len(units) == 16
    seeds: dict[tuple[str, str, int], set[int]] = {}
    for unit in units:
        seeds.setdefault((unit.scenario.id, unit.customer, unit.trial), set()).add(unit.seed)
    assert all(len(found) == 1 for found in seeds.values())
    assert len({seed for found in seeds.values() for seed in found}) == 8
    assert [unit.variant.name for unit in units[:2]] == ["a", "b"], "variants of a pair stand together"
