"""A browser, and a home to serve, for the tests that drive the application."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.ui.browser import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def home(template_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template_home, tmp_path / "served"))
