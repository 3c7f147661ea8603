"""The page "Quality": runs, for who may see them and for who may rate them."""

from pathlib import Path

import pytest

from graph.settings import get_settings
from tests.evaluation import made_calls as made
from tests.ui.app import opened, shown

pytestmark = pytest.mark.usefixtures("loaded_home")


def a_run() -> Path:
    folder = get_settings().home / "runs" / "first"
    return made.run_folder(folder, [made.result(variant=name) for name in ("a", "b")], [made.scenario()])


def test_without_a_run_the_page_says_how_to_make_one() -> None:
    assert "salesman evaluate run --out" in shown(opened("quality"))


def test_a_supervisor_may_rate_a_run_and_a_viewer_only_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    a_run()
    app = opened("quality")
    app.segmented_control(key="run_way").set_value("rating").run()
    assert app.radio(key="rating_what").value == "one"
    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    app = opened("quality")
    assert not app.exception
    assert "run_way" not in [control.key for control in app.get("segmented_control")]
