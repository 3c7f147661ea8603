"""Who may do what: `HOME/users.yaml`, one entry a user, passwords as bcrypt hashes."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal, cast, get_args

import bcrypt
import yaml

from graph.errors import BadInput
from graph.settings import Settings
from scripts_library.locks import one_process

Role = Literal["viewer", "editor", "supervisor"]
ROLES: tuple[Role, ...] = get_args(Role)
SHORTEST = 10
"""Characters of the shortest password that is taken."""
LONGEST_NAME = 100
"""Characters of the longest name: as many as an author of a mark may have."""
LONGEST_PASSWORD = 72
"""Bytes of the longest password: bcrypt reads no more."""
_Users = dict[str, dict[str, object]]
_known: dict[Path, tuple[tuple[int, int, int], _Users]] = {}
"""What each users file said, and the inode, the time and the size that it had."""
_NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt())


def roles_of(text: str) -> frozenset[Role]:
    """Read a list of roles such as "viewer, editor".

    Raises:
        BadInput: Names every word that is no role.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in ROLES]
    if wrong:
        raise BadInput(f"Role {', '.join(wrong)!r} is not known; expected {', '.join(ROLES)}")
    return frozenset(cast(list[Role], names))


def add_user(settings: Settings, name: str, roles: str, password: str) -> None:
    """Add a user, or give one another password and other roles.

    Args:
        settings: Names the home.
        name: What the user signs in with; for OIDC the e-mail address.
        roles: As in `roles_of`.
        password: In clear; empty for OIDC, where the provider asks for it.

    Raises:
        BadInput: Unknown role, or a name or a password that is too short or too long.
        LibraryBusy: Another process has been changing the users for a minute.
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadInput(f"The name has {len(name)} characters; take 1 to {LONGEST_NAME}")
    entry: dict[str, object] = {"roles": sorted(roles_of(roles))}
    if password:
        if len(password) < SHORTEST or len(password.encode()) > LONGEST_PASSWORD:
            raise BadInput(f"The password has {len(password)} characters; take {SHORTEST} to {LONGEST_PASSWORD}")
        entry["password"] = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
    path = _file(settings)
    with one_process(path.with_suffix(".lock")):
        known = {**_read(settings), name: entry}
        handle, fresh = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            yaml.safe_dump(known, out, allow_unicode=True)
        os.replace(fresh, path)


def known_roles(settings: Settings, name: str) -> frozenset[Role]:
    """Return a user's roles; none for somebody who is not listed."""
    entry = _read(settings).get(name, {})
    return frozenset(cast(list[Role], entry.get("roles", [])))


def password_fits(settings: Settings, name: str, password: str) -> bool:
    """Say whether a password is this user's; it takes as long for a user that there is not."""
    if len(password.encode()) > LONGEST_PASSWORD:
        return False
    kept = _hash(settings, name)
    fits = bcrypt.checkpw(password.encode(), kept or _NOBODY)
    return fits and bool(kept)


def password_mark(settings: Settings, name: str) -> str:
    """Return what changes with a user's password and does not tell it; empty for a user that there is not."""
    kept = _hash(settings, name)
    return hashlib.sha256(kept).hexdigest()[:16] if kept else ""


def _hash(settings: Settings, name: str) -> bytes:
    return str(_read(settings).get(name, {}).get("password", "")).encode()


def _file(settings: Settings) -> Path:
    return settings.home / "users.yaml"


def _read(settings: Settings) -> _Users:
    """Read the file anew if it has changed: pages ask who may do what many times a second."""
    path = _file(settings)
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    version = (state.st_ino, state.st_mtime_ns, state.st_size)
    if path not in _known or _known[path][0] != version:
        _known[path] = (version, cast(_Users, yaml.safe_load(path.read_text(encoding="utf-8")) or {}))
    return _known[path][1]
