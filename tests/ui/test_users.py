import stat
from pathlib import Path

import pytest
import yaml
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graph.errors import BadInput
from graph.settings import Settings, get_settings
from ui import signin
from ui.users import add_user, known_roles, password_fits, roles_of

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(own_home: Path) -> Settings:
    return get_settings()


@pytest.fixture
def client(settings: Settings) -> TestClient:
    add_user(settings, "ada", "viewer, editor", PASSWORD)
    signin._failures.clear()
    return TestClient(Starlette(routes=signin.ROUTES), follow_redirects=False)


def sign_in(client: TestClient, password: str, name: str = "ada") -> int:
    return client.post("/sign-in", data={"name": name, "password": password}).status_code


def test_a_user_is_kept_with_roles_and_a_hash_in_a_file_that_only_the_owner_reads(settings: Settings) -> None:
    add_user(settings, "ada", "viewer, editor", PASSWORD)
    file = settings.home / "users.yaml"
    assert PASSWORD not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert known_roles(settings, "ada") == {"viewer", "editor"}
    assert known_roles(settings, "bob") == frozenset()
    assert password_fits(settings, "ada", PASSWORD)
    assert not password_fits(settings, "ada", PASSWORD + "x")
    assert not password_fits(settings, "bob", "nobody")


def test_an_oidc_user_has_roles_and_no_password_that_fits(settings: Settings) -> None:
    add_user(settings, "ada@shop.example", "supervisor", "")
    assert known_roles(settings, "ada@shop.example") == {"supervisor"}
    assert not password_fits(settings, "ada@shop.example", "")


@pytest.mark.parametrize("roles", ["admin", "viewer, boss"])
def test_an_unknown_role_is_refused_and_nothing_is_saved(settings: Settings, roles: str) -> None:
    with pytest.raises(BadInput, match="expected viewer, editor, supervisor"):
        add_user(settings, "ada", roles, PASSWORD)
    assert not (settings.home / "users.yaml").exists()
    assert roles_of("") == frozenset()


@pytest.mark.parametrize("password", ["short", "x" * 73])
def test_a_password_too_short_or_longer_than_bcrypt_reads_is_refused(settings: Settings, password: str) -> None:
    with pytest.raises(BadInput, match="take 10 to 72"):
        add_user(settings, "ada", "viewer", password)


def test_the_right_password_gives_a_cookie_that_scripts_cannot_read(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 303
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert signin.session_user(client.cookies[signin.COOKIE]) == "ada"


def test_a_forged_or_signed_out_cookie_is_nobody(client: TestClient) -> None:
    sign_in(client, PASSWORD)
    cookie = client.cookies[signin.COOKIE]
    assert signin.session_user(cookie[:-2] + "zz") == ""
    assert signin.session_user("ada") == ""
    client.get("/sign-out")
    assert signin.session_user(cookie) == ""


def test_guessing_is_slowed_down_and_the_name_is_never_shown_as_html(client: TestClient) -> None:
    assert [sign_in(client, "wrong") for _ in range(signin.TRIES + 1)] == [401] * signin.TRIES + [429]
    assert sign_in(client, PASSWORD) == 429
    assert "<script>" not in client.post("/sign-in", data={"name": "<script>", "password": "x"}).text


def test_a_users_file_of_ours_is_plain_yaml_that_a_person_may_edit(settings: Settings) -> None:
    add_user(settings, "ada", "viewer", PASSWORD)
    file = settings.home / "users.yaml"
    known = yaml.safe_load(file.read_text())
    known["ada"]["roles"] = ["editor"]
    file.write_text(yaml.safe_dump(known))
    assert known_roles(settings, "ada") == {"editor"}
