"""`salesman app` and `salesman users …`."""

import getpass
from typing import Annotated

import typer

from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import say

users = typer.Typer(help="Who may sign in to the application, and what they may do.", no_args_is_help=True)


def serve_app(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines too.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")] = 8501,
) -> None:
    """Open the application: chat demo, script desk, calls, quality."""
    from ui.server import serve

    settings = get_settings()
    if host not in ("127.0.0.1", "localhost", "::1") and not settings.auth:
        say("Everyone who reaches this address may use the application: SALESMAN_AUTH=password asks them to sign in.")
    serve(settings, host, port)


@users.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What the user signs in with; for OIDC the e-mail address.")],
    roles: Annotated[str, typer.Option("--roles", help="Some of viewer, editor, supervisor.")] = "viewer",
) -> None:
    """Add a user, or change one; the password is asked for (empty for OIDC users)."""
    from ui.users import add_user

    first = getpass.getpass("Password: ")
    if first and getpass.getpass("Again: ") != first:
        raise BadInput("The two passwords differ; nothing was saved.")
    add_user(get_settings(), name, roles, first)
    say(f"{name}: {roles}")
