"""Signing in with a password: a plain form and a signed cookie, beside Streamlit's own routes."""

import html
import secrets
import time
from collections import OrderedDict

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from graph.settings import get_settings
from ui.users import password_fits

COOKIE = "salesman_session"
HOURS = 12
TRIES = 5
"""Wrong passwords a name may give within `WAIT_SECONDS`."""
WAIT_SECONDS = 60.0
_signer = URLSafeTimedSerializer(secrets.token_bytes(32), salt="session")
"""Signs with a key of this process: a restart of the server signs everybody out."""
_signed_out: set[str] = set()
_failures: OrderedDict[str, list[float]] = OrderedDict()

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


def session_user(cookie: str | None) -> str:
    """Return who a cookie was given to; empty when it is missing, forged, old, or signed out."""
    if not cookie or cookie in _signed_out:
        return ""
    try:
        return str(_signer.loads(cookie, max_age=HOURS * 3600))
    except BadSignature:
        return ""


async def _sign_in(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(_PAGE.format(problem=""))
    form = await request.form()
    name, password = str(form.get("name", "")), str(form.get("password", ""))
    if _tried_too_often(name):
        return _refused("Too many attempts; wait a minute. / 尝试次数过多，请一分钟后再试。", 429)
    if not await run_in_threadpool(password_fits, get_settings(), name, password):
        _failures.setdefault(name, []).append(time.monotonic())
        while len(_failures) > 10_000:
            _failures.popitem(last=False)
        return _refused("Name or password is wrong. / 用户名或密码不对。", 401)
    _failures.pop(name, None)
    answer = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, _signer.dumps(name), max_age=HOURS * 3600, httponly=True, samesite="strict", secure=secure
    )
    return answer


async def _sign_out(request: Request) -> Response:
    cookie = request.cookies.get(COOKIE, "")
    if session_user(cookie):
        _signed_out.add(cookie)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _tried_too_often(name: str) -> bool:
    since = time.monotonic() - WAIT_SECONDS
    recent = [at for at in _failures.get(name, []) if at > since]
    if name in _failures:
        _failures[name] = recent
    return len(recent) >= TRIES


def _refused(problem: str, status: int) -> Response:
    return HTMLResponse(_PAGE.format(problem=html.escape(problem)), status_code=status)


ROUTES = [Route("/sign-in", _sign_in, methods=["GET", "POST"]), Route("/sign-out", _sign_out, methods=["GET"])]
