"""Who may do what: `HOME/users.yaml`, one entry a user, passwords as bcrypt hashes."""

import os
import tempfile
from pathlib import Path
from typing import Literal, cast, get_args

import bcrypt
import yaml

from graph.errors import BadInput
from graph.settings import Settings

Role = Literal["viewer", "editor", "supervisor"]
ROLES: tuple[Role, ...] = get_args(Role)
SHORTEST = 10
"""Characters of the shortest password that is taken."""
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
        BadInput: Unknown role, or a password that is too short or too long.
    """
    entry: dict[str, object] = {"roles": sorted(roles_of(roles))}
    if password:
        if len(password) < SHORTEST or len(password.encode()) > 72:
            raise BadInput(f"The password has {len(password)} characters; take {SHORTEST} to 72")
        entry["password"] = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
    known = _read(settings)
    known[name] = entry
    path = _file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    entry = _read(settings).get(name, {})
    kept = str(entry.get("password", "")).encode()
    fits = bcrypt.checkpw(password.encode()[:72], kept or _NOBODY)
    return fits and bool(kept)


def _file(settings: Settings) -> Path:
    return settings.home / "users.yaml"


def _read(settings: Settings) -> dict[str, dict[str, object]]:
    path = _file(settings)
    if not path.is_file():
        return {}
    return cast(dict[str, dict[str, object]], yaml.safe_load(path.read_text(encoding="utf-8")) or {})
