import asyncio
import stat
import threading
from pathlib import Path

import httpx
import pytest
import yaml
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graph.errors import BadInput
from graph.settings import Settings, get_settings
from ui import signin
from ui.access import verified_email
from ui.users import add_user, known_roles, password_fits, roles_of

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(own_home: Path) -> Settings:
    return get_settings()


@pytest.fixture
def client(settings: Settings) -> TestClient:
    add_user(settings, "ada", "viewer, editor", PASSWORD)
    signin._tries.clear()
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


def tried_at_once(*tries: tuple[str, str, str]) -> list[int]:
    """Send name, password and client address of each try at the same moment; return what was answered."""

    async def one(name: str, password: str, address: str) -> int:
        transport = httpx.ASGITransport(Starlette(routes=signin.ROUTES), client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as client:
            return (await client.post("/sign-in", data={"name": name, "password": password})).status_code

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(one(*given) for given in tries))

    return asyncio.run(all_of_them())


def test_guessing_at_once_is_no_faster_and_does_not_shut_the_right_user_out(client: TestClient) -> None:
    answers = tried_at_once(*[("ada", f"guess {number}", "10.0.0.1") for number in range(20)])
    assert sorted(answers) == [401] * signin.TRIES + [429] * 15
    assert tried_at_once(("ada", PASSWORD, "10.0.0.2"), ("ada", PASSWORD, "10.0.0.1")) == [303, 429]


def test_a_name_guessed_from_many_addresses_and_many_names_from_one_are_slowed_down(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "TRIES_OF_ONE", 4)
    assert sorted(tried_at_once(*[("ada", "x", f"10.0.1.{n}") for n in range(6)])) == [401] * 4 + [429] * 2
    assert sorted(tried_at_once(*[(f"name{n}", "x", "10.0.2.1") for n in range(6)])) == [401] * 4 + [429] * 2
    assert sorted(tried_at_once(*[(f"six{n}", "x", f"2001:db8::{n}") for n in range(6)])) == [401] * 4 + [429] * 2


def test_two_passwords_are_checked_at_a_time_and_a_crowd_is_sent_away(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = threading.Semaphore(2), []

    def slow(*_: object) -> bool:
        most.append(running.acquire(blocking=False))
        threading.Event().wait(0.02)
        running.release()
        return False

    monkeypatch.setattr(signin, "password_fits", slow)
    monkeypatch.setattr(signin, "PENDING", 3)
    answers = tried_at_once(*[(f"name{number}", "x", f"10.0.3.{number}") for number in range(12)])
    assert all(most)
    assert sorted(answers) == [401] * 3 + [503] * 9


def test_the_right_password_uses_up_no_tries(client: TestClient) -> None:
    assert [sign_in(client, PASSWORD) for _ in range(3 * signin.TRIES)] == [303] * 15
    assert not signin._tries


def test_counters_go_when_their_time_is_over_and_not_before(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(signin.time, "monotonic", lambda: now[0])
    for _ in range(signin.TRIES):
        assert signin._try_once("ada", "net")
    for number in range(20_000):
        signin._try_once(f"name{number}", f"net{number}")
    assert signin._try_once("ada", "net") is None
    now[0] += signin.WAIT_SECONDS
    assert signin._try_once("ada", "net")
    assert len(signin._tries) == 3


def test_what_is_too_long_is_not_hashed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bcrypt.checkpw", lambda *_: pytest.fail("hashed"))
    assert sign_in(client, "é" * 37) == 401
    assert sign_in(client, "x", "n" * 101) == 401
    assert sign_in(client, "x", "") == 401
    assert sign_in(client, "x" * signin.LONGEST_BODY) == 413
    chunks = (b"password=" + b"x" * 1000 for _ in range(20))
    assert client.post("/sign-in", content=chunks).status_code == 413


def test_a_changed_password_or_a_removed_user_ends_the_sessions(client: TestClient, settings: Settings) -> None:
    sign_in(client, PASSWORD)
    cookie = client.cookies[signin.COOKIE]
    add_user(settings, "bob", "viewer", PASSWORD)
    assert signin.session_user(cookie) == "ada", "another user's entry is another matter"
    add_user(settings, "ada", "viewer", PASSWORD + "!")
    assert signin.session_user(cookie) == ""
    sign_in(client, PASSWORD + "!")
    cookie = client.cookies[signin.COOKIE]
    assert signin.session_user(cookie) == "ada"
    (settings.home / "users.yaml").unlink()
    assert signin.session_user(cookie) == ""


@pytest.mark.parametrize(
    ("public", "asked", "secure"),
    [
        ("http://localhost:8501", "http://testserver", False),
        ("https://sales.example", "http://testserver", True),
        ("http://localhost:8501", "https://testserver", True),
    ],
)
def test_the_cookie_of_an_encrypted_address_never_travels_in_clear(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, public: str, asked: str, secure: bool
) -> None:
    monkeypatch.setenv("SALESMAN_PUBLIC_URL", public)
    get_settings.cache_clear()
    answer = client.post(f"{asked}/sign-in", data={"name": "ada", "password": PASSWORD})
    assert ("secure" in answer.headers["set-cookie"].lower()) == secure


def test_the_users_file_is_parsed_once_until_it_changes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    add_user(settings, "ada", "viewer", "")
    parsed = []
    parse = yaml.safe_load
    monkeypatch.setattr("yaml.safe_load", lambda text: parsed.append(text) or parse(text))
    for _ in range(100):
        assert known_roles(settings, "ada") == {"viewer"}
    assert len(parsed) <= 1
    add_user(settings, "ada", "editor", "")
    assert known_roles(settings, "ada") == {"editor"}


def test_users_added_at_once_are_all_kept(settings: Settings) -> None:
    names = [f"user{number}@shop.example" for number in range(40)]
    workers = [threading.Thread(target=add_user, args=(settings, name, "viewer", "")) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [name for name in names if not known_roles(settings, name)] == []


@pytest.mark.parametrize("name", ["", "n" * 101])
def test_a_user_without_a_name_or_with_one_too_long_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(BadInput, match="take 1 to 100"):
        add_user(settings, name, "viewer", "")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "ada@shop.example", "email_verified": True}, "ada@shop.example"),
        ({"email": "ada@shop.example", "email_verified": "true"}, "ada@shop.example"),
        ({"email": "ada@shop.example"}, "ada@shop.example"),
        ({"email": "ada@shop.example", "email_verified": False}, ""),
        ({"email": "ada@shop.example", "email_verified": "false"}, ""),
        ({"email": "ada@shop.example", "email_verified": None}, ""),
        ({"sub": "1"}, ""),
    ],
)
def test_an_address_that_the_provider_has_not_verified_is_nobody(claims: dict[str, object], name: str) -> None:
    assert verified_email(claims) == name


def test_a_users_file_of_ours_is_plain_yaml_that_a_person_may_edit(settings: Settings) -> None:
    add_user(settings, "ada", "viewer", PASSWORD)
    file = settings.home / "users.yaml"
    known = yaml.safe_load(file.read_text())
    known["ada"]["roles"] = ["editor"]
    file.write_text(yaml.safe_dump(known))
    assert known_roles(settings, "ada") == {"editor"}
