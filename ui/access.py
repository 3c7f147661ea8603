"""Who uses this session, and what they may do; checked where things are done, not only where they are shown."""

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from graph.errors import BadInput
from graph.settings import get_settings
from ui.signin import COOKIE, session_user
from ui.text import plain
from ui.users import Role, known_roles, roles_of
from ui.words import t


@dataclass(frozen=True)
class User:
    """Somebody who uses the application; `name` is the author of what they save."""

    name: str
    roles: frozenset[Role]


def user() -> User | None:
    """Return who uses this session, asked anew each time; None for somebody who has not signed in."""
    settings = get_settings()
    if settings.auth == "password":
        name = session_user(st.context.cookies.get(COOKIE))
    elif settings.auth == "oidc":
        name = verified_email(st.user.to_dict()) if st.user.is_logged_in else ""
    else:
        return User(_login_name(), roles_of(settings.roles))
    return User(name, known_roles(settings, name)) if name else None


def verified_email(claims: Mapping[str, Any]) -> str:
    """Return the e-mail address by which an identity provider knows somebody; empty if it has not verified it.

    Some providers give addresses out themselves and send no `email_verified`; such an address is taken. One that the
    provider calls anything but verified is not: whoever registers there could give somebody else's.

    Args:
        claims: Of the provider's ID token (OpenID Connect Core 1.0, section 5.1).
    """
    return str(claims.get("email") or "") if claims.get("email_verified", True) in (True, "true") else ""


def may(role: Role) -> bool:
    """Say whether the session's user has a role."""
    known = user()
    return known is not None and role in known.roles


def require(role: Role) -> User:
    """Return the session's user, or stop the page with a line that says what is missing.

    Args:
        role: What the page, or the action that is about to write, needs.
    """
    known = user()
    if known is None:
        _ask_to_sign_in()
        st.stop()
    if role not in known.roles:
        st.error(t("common.role_missing", name=plain(known.name), role=t(f"common.role_{role}")))
        st.stop()
    return known


def guarded(role: Role, make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return what makes a file only as long as the user of this moment may have it: a download is made outside the session.

    Args:
        role: What the file needs.
        make: Makes it.
    """
    settings, known = get_settings(), user()
    cookie = st.context.cookies.get(COOKIE)

    def checked() -> bytes:
        gone = settings.auth == "password" and not session_user(cookie)
        roles = known_roles(settings, known.name) if settings.auth and known else known.roles if known else frozenset()
        if gone or role not in roles:
            raise BadInput(f"This file needs the role {role}; sign in again.")
        return make()

    return checked


def _ask_to_sign_in() -> None:
    st.subheader(t("common.sign_in_title"))
    if get_settings().auth == "oidc":
        if st.button(t("common.sign_in"), key="sign_in", type="primary"):
            st.login()
    else:
        st.html(f'<a href="/sign-in" target="_self">{t("common.sign_in")}</a>')


def sign_out_button() -> None:
    """Show who is signed in, and the way out."""
    settings, known = get_settings(), user()
    if not settings.auth or known is None:
        return
    st.caption(t("common.signed_in", name=plain(known.name)))
    if settings.auth == "oidc":
        if st.button(t("common.sign_out"), key="sign_out"):
            st.logout()
    else:
        st.html(f'<a href="/sign-out" target="_self">{t("common.sign_out")}</a>')


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
