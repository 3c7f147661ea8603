from pathlib import Path

import pytest

from graph.errors import BadInput
from serving.catalogue import find_model, load_catalogue

GOOD = {
    "file": '"a.gguf"',
    "size": "100",
    "sha256": f'"{"0" * 64}"',
    "licence": '"MIT"',
    "context": "2048",
    "hub": '"http://h/a"',
}


def written(folder: Path, **changes: str | None) -> Path:
    fields = {**GOOD, **changes}
    path = folder / "models.toml"
    path.write_text("[tiny]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items() if value is not None))
    return path


def test_the_bundled_catalogue_holds_the_agent_the_judge_and_the_test_model() -> None:
    entries = load_catalogue()
    assert [(e.name, e.size) for e in entries.values()] == [
        ("qwen2.5-coder-0.5b-instruct", 491_400_064),
        ("qwen2.5-coder-1.5b-instruct", 1_117_320_768),
        ("smollm2-135m-instruct", 98_362_432),
    ]
    assert all(e.hub and e.packages and e.licence == "Apache-2.0" for e in entries.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": '"abc"'}, "model 'tiny', sha256"),
        ({"size": "-1"}, "model 'tiny', size"),
        ({"file": '"../../etc/passwd"'}, "model 'tiny', file"),
        ({"hub": '"ftp://h/a"'}, "model 'tiny', hub"),
        ({"hub": None}, "no source"),
        ({"flavour": '"sweet"'}, "model 'tiny', flavour"),
        ({"packages": '{requirement = "a>=1", member = "a", parts = 1, part_size = 100}'}, "packages.requirement"),
        ({"packages": '{requirement = "a==1", member = "a", parts = 2, part_size = 100}'}, "cannot make 100 bytes"),
        ({"size": "["}, "cannot be read"),
    ],
)
def test_a_wrong_entry_is_refused_by_name_and_field(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("(", r"\(")):
        load_catalogue(written(tmp_path, **changes))


def test_all_errors_of_a_catalogue_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_catalogue(written(tmp_path, sha256='"x"', context="1"))
    assert "sha256" in str(caught.value)
    assert "context" in str(caught.value)


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"'gpt-9'.*expected one of qwen2\.5-coder-0\.5b-instruct"):
        find_model("gpt-9")
