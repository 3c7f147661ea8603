"""Signing in with a password: a plain form and a signed cookie, beside Streamlit's own routes."""

import html
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

import anyio
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from graph.settings import get_settings
from ui.users import LONGEST_NAME, password_fits, password_mark

COOKIE = "salesman_session"
HOURS = 12
WAIT_SECONDS = 60.0
TRIES = 5
"""Wrong passwords that may be given for a name from one address within `WAIT_SECONDS`."""
TRIES_OF_ONE = 50
"""The same for a name from all addresses, and from an address for all names."""
PENDING = 50
"""Sign-ins whose password may be about to be checked; two are checked at a time."""
LONGEST_BODY = 10_000
"""Bytes of the form."""
_signer = URLSafeTimedSerializer(secrets.token_bytes(32), salt="session")
"""Signs with a key of this process: a restart of the server signs everybody out."""
_signed_out: set[str] = set()
_checks = anyio.CapacityLimiter(2)
_pending: set[Callable[[], None]] = set()
"""What takes back the tries that are about to be checked."""
_tries: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
"""When a password was tried: for a name from an address, for a name, and from an address; latest last.

None is thrown away within `WAIT_SECONDS`: only tries that are checked are counted, and checking them takes its time.
"""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>AI Salesman</title><style>
body{{font:16px system-ui,sans-serif;background:#f6f7f9;color:#1f2937;display:grid;place-items:center;min-height:90vh;margin:0}}
form{{background:#fff;padding:2rem;border-radius:12px;box-shadow:0 1px 6px #0002;display:grid;gap:.75rem;width:min(20rem,85vw)}}
input,button{{font:inherit;padding:.6rem;border-radius:8px;border:1px solid #cbd5e1}}
button{{background:#0f766e;color:#fff;border:0;cursor:pointer}}h1{{font-size:1.25rem;margin:0}}p{{color:#b91c1c;margin:0}}</style>
<form method="post"><h1>AI Salesman</h1><p role="alert">{problem}</p>
<label>Name / 用户名<br><input name="name" autocomplete="username" required autofocus></label>
<label>Password / 密码<br><input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in / 登录</button></form></html>"""
_WRONG = "Name or password is wrong. / 用户名或密码不对。"


def session_user(cookie: str | None) -> str:
    """Return who a cookie was given to.

    Empty when it is missing, forged, old, or signed out, or when the password has changed since.
    """
    if not cookie or cookie in _signed_out:
        return ""
    try:
        name, mark = _signer.loads(cookie, max_age=HOURS * 3600)
    except BadSignature:
        return ""
    return str(name) if mark == password_mark(get_settings(), name) else ""


async def _sign_in(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(_PAGE.format(problem=""))
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            return _refused("Too long. / 内容太长。", 413)
    form = parse_qs(body.decode("latin-1"))
    name, password = (form.get(field, [""])[0] for field in ("name", "password"))
    if not 1 <= len(name) <= LONGEST_NAME:
        return _refused(_WRONG, 401)
    if len(_pending) >= PENDING:
        return _refused("Many are signing in; try again. / 登录人数较多，请重试。", 503)
    release = _try_once(name, _network(request.client.host if request.client else "?"))
    if release is None:
        return _refused("Too many attempts; wait a minute. / 尝试次数过多，请一分钟后再试。", 429)
    settings = get_settings()
    mark = password_mark(settings, name)
    _pending.add(release)
    try:
        fits = await anyio.to_thread.run_sync(password_fits, settings, name, password, limiter=_checks)
    finally:
        _pending.discard(release)
    if not fits:
        return _refused(_WRONG, 401)
    release()
    answer = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https" or settings.public_url.lower().startswith("https:")
    kept = _signer.dumps([name, mark])
    answer.set_cookie(COOKIE, kept, max_age=HOURS * 3600, httponly=True, samesite="strict", secure=secure)
    return answer


async def _sign_out(request: Request) -> Response:
    cookie = request.cookies.get(COOKIE, "")
    if session_user(cookie):
        _signed_out.add(cookie)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _try_once(name: str, network: str) -> Callable[[], None] | None:
    """Count a try before its password is checked, so that many at once count too.

    Returns:
        What takes the try back, for the right password; None when there were too many.
    """
    now = time.monotonic()
    while _tries and next(iter(_tries.values()))[-1] <= now - WAIT_SECONDS:
        _tries.popitem(last=False)
    limits = {(name, network): TRIES, (name, ""): TRIES_OF_ONE, ("", network): TRIES_OF_ONE}
    recent = {key: [at for at in _tries.get(key, []) if at > now - WAIT_SECONDS] for key in limits}
    if any(len(recent[key]) >= limit for key, limit in limits.items()):
        return None
    for key in limits:
        _tries[key] = [*recent[key], now]
        _tries.move_to_end(key)

    def release() -> None:
        for key in limits:
            if now in (held := _tries.get(key, [])):
                held.remove(now)
            if not held:
                _tries.pop(key, None)

    return release


def _network(address: str) -> str:
    """Return an address; of an IPv6 address the first 64 bits, for whoever has one has all that begin so."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _refused(problem: str, status: int) -> Response:
    return HTMLResponse(_PAGE.format(problem=html.escape(problem)), status_code=status)


ROUTES = [Route("/sign-in", _sign_in, methods=["GET", "POST"]), Route("/sign-out", _sign_out, methods=["GET"])]
