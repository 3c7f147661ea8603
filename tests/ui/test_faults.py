"""What the library says is wrong reaches people in their language, without names of commands and of the code."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from streamlit.testing.v1 import AppTest

import ui.words
from graph.errors import BadInput
from scripts_library.loading import schema_problems
from scripts_library.problem import Problem
from scripts_library.schema import Campaign, Intent, Script
from scripts_library.transfer import read_rows
from tests.ui.app import SECONDS
from ui.faults import fault

ROOT = Path(__file__).parents[2]
MAKERS = ("checks", "claim_checks", "campaign_edits", "changes", "loading")
SAID = [
    Problem((), message, value, way)
    for message, value, way in (
        ("not this campaign", "tea", "write club"),
        ("language that the campaign does not speak", "zh", "one of en"),
        ("unknown intent", "pric", "did you mean price?"),
        ("unknown fact", "pric", "one of a, b"),
        ("unknown fact in a placeholder", "pric", "declare it first"),
        ("unknown slot", "x", "declare it first"),
        ("unknown campaign", "x", "declare it first"),
        ("unknown field", "tilte", "did you mean title?"),
        ("no text", "", "write it in one language at least"),
        ("reserved name", "any", "it means a stage's general scripts; rename the intent"),
        ("stage without a plan", "close", "add `close:` with goal and fallback"),
        ("stage that no move reaches from opening", "close", "add a move to it"),
        ("a choice without values", "size", "add `values:` with keywords per language"),
        ("a slot of kind intent without intents", "size", "add `intents:` (intent: value)"),
        ("minimum above maximum", "3 > 2", "swap them"),
        ("a fact is not filled in", "{x} (y)", "write it without { }"),
        ("placeholder that can never be filled", "{x}", "did you mean name?"),
        ("single brace", "a { b", "write placeholders as {name}, and no other { or }"),
        ("700 characters, longer than max_chars", "600", "shorten the line or raise max_chars"),
        ("nothing in a language that the campaign speaks", "zh", "add `zh:`"),
        ("id used twice", "a", "rename or remove one"),
        ("name used twice", "a", "rename or remove one"),
        ("longer than 1000 characters", "aaa", "write a plainer one"),
        ("no regular expression: missing ), unterminated subpattern", "(never", "escape signs such as ( [ * + ?"),
        ("matches even an empty line", "a*", "escape signs such as ( [ * + ?"),
        ("may take for ever on some lines", r"(\w+\s?)+$", "write a plainer one"),
        ("nothing to look for", "", "write a pattern, or make it a draft"),
        ("the patterns miss a line that they must catch", "so", "widen a pattern, or remove the line"),
        ("the patterns catch a line that they must let pass", "so", "narrow it, or remove the line"),
        ("a fact in use cannot be removed", "price", "used by a, b; change those first"),
        ("exists already", "a-1", "revise it, or choose another id"),
        ("missing", "", "add `title:`"),
    )
]
"""One of each message that the library's checks make; the test below holds that none is left out."""
LIBRARY = [
    "Script 'nope' is not in the library; `salesman scripts list` shows the ids",
    "Campaign 'nope' is not in the library – one of a, b",
    "Script 'a' has no version 7; the latest is 3",
    "Script 'a': version 3 says that already; nothing to save",
    "Script 'a' was saved by somebody else first. Yours, on version 1: x. Theirs, version 2: y. Nothing was saved",
    "Campaign 'a' was changed by somebody else first. Yours, on version 1: x. Nothing was saved",
    "Script 'a': status cannot be revised; a revision may change title",
    "Another process has the script library /x open, so nothing was written; end it, or set SALESMAN_CHROMA_URL",
    "The database does not answer (refused); check SALESMAN_DATABASE_URL and SALESMAN_HOME",
    "The Chroma server http://x does not answer (refused); start it with `chroma run`, or unset SALESMAN_CHROMA_URL",
    "The script index was built with embedding model 'a', but 'b' is in use; rebuild it with `salesman scripts reindex`",
    "Saved, but customers do not hear it yet, until the library is next opened: The Chroma server does not answer",
    "a.csv is not UTF-8; save it as `CSV UTF-8`",
    "a.yaml:1: file: cannot be read ('utf-8' codec) – save it as UTF-8 text",
    "a.csv cannot be read (denied); check the name",
    "a.yaml:1: file: missing – write it, or name another folder",
    "used in row 2 too (a) – remove one",
    "missing – script a exists; name the version that you edited",
    "you edited version 1, but jun has saved version 2 (title differ) – export it again",
    "cannot change (a → b) – give the script a new id",
]
CODE = ("`", "salesman ", "SALESMAN_", "should have", "validation", "instance of", "pydantic", "max_chars")


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(ui.words, "language", lambda: request.param)
    return str(request.param)


def in_words(text: str, language: str) -> None:
    said = fault(text)
    assert said != text
    assert not [code for code in CODE if code in said], said
    if language == "zh":
        assert any("\u4e00" <= sign <= "\u9fff" for sign in said)


@pytest.mark.parametrize("problem", SAID, ids=lambda problem: problem.message[:40])
def test_each_problem_is_said_in_words_with_its_value(problem: Problem, language: str) -> None:
    in_words(problem.text(), language)
    if problem.message not in ("nothing in a language that the campaign speaks", "longer than 1000 characters"):
        assert problem.value in fault(problem.text())


def test_no_message_of_a_check_is_left_out() -> None:
    known = [problem.message for problem in SAID]
    made = [begin for maker in MAKERS for begin in messages(ROOT / "scripts_library" / f"{maker}.py")]
    assert len(made) > 20
    assert not [begin for begin in made if not any(begin in message for message in known)]


def messages(path: Path) -> list[str]:
    """Return the fixed part of each message of a `Problem` that a module makes."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            message = node.args[1]
            parts = message.values if isinstance(message, ast.JoinedStr) else [message]
            found += [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return found


def schema_faults() -> list[Problem]:
    script: dict[str, Any] = {"id": "Ä b", "campaign": 3, "stage": "middle", "intent": "A", "language": "fr"}
    script |= {"title": "", "situation": [], "outline": "x", "say": ["x" * 700], "version": "two", "author": "x" * 101}
    script |= {"valid_until": "soon", "updated_at": "soon", "tilte": "x"}
    found: list[Problem] = []
    tried: list[tuple[Any, Any]] = [(Script, script), (Script, {"version": 0, "valid_until": "2030-01-01T10:00:00Z"})]
    for model, data in [*tried, (Campaign, {"facts": [], "sop": 3, "languages": "en"}), (Intent, {"kind": "x"})]:
        with pytest.raises(ValidationError) as caught:
            model.model_validate(data)
        found += schema_problems(caught.value)
    return found


def test_what_does_not_fit_the_schema_is_said_in_words(language: str) -> None:
    for problem in schema_faults():
        in_words(problem.text(), language)


@pytest.mark.parametrize("line", LIBRARY)
def test_what_the_library_refuses_is_said_in_words(line: str, language: str) -> None:
    in_words(line, language)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "id: x"),
        ("b.yaml", "- [a"),
        ("c.yaml", "- id: a\n  id: b"),
        ("d.csv", "a;b\n1;2"),
        ("e.csv", 'id,title\na,"b'),
        ("f.txt", "x"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_words(tmp_path: Path, name: str, text: str, language: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_rows(path)
    in_words(str(caught.value), language)


def test_several_errors_are_said_one_by_one(language: str) -> None:
    said = fault("Script 'a': 2 errors, nothing was changed:\nscript a: say[0]: single brace (a {) – x\nunheard of")
    assert len(said.splitlines()) == 3
    assert said.splitlines()[2] == "unheard of"
    assert "nothing was changed" not in said and "single brace" not in said


def nothing_there() -> None:
    from scripts_library.page_edit import edit_script

    edit_script("nope")


def a_new_one() -> None:
    from scripts_library.page_edit import new_script

    new_script("lantern_local")


@pytest.mark.usefixtures("loaded_home")
def test_the_desk_and_its_form_speak_chinese() -> None:
    apps = [AppTest.from_function(page, default_timeout=SECONDS) for page in (nothing_there, a_new_one)]
    for app in apps:
        app.session_state["interface_language"] = "zh"
        app.run()
    apps[1].text_input(key="new_title").set_value("标题")
    apps[1].text_area(key="new_say").set_value("你好{").run()
    said = [entry.value for app in apps for entry in app.error]
    assert not [app for app in apps if app.exception]
    assert len(said) == 4
    assert not [line for line in said if re.search("[a-z]{3}", line.replace("nope", ""))], said
