"""The application's server: Streamlit with a Chroma server beside it, warm before the first page is asked for."""

import gc
import logging
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from graph.errors import SalesmanError
from graph.outbox import start_outbox
from graph.settings import Settings
from graph.terminal import note
from scripts_library.server import chroma_server
from ui.shared import calls
from ui.signin import ROUTES

log = logging.getLogger(__name__)

SCRIPT = Path(__file__).parents[1] / "app.py"


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve the application until it is stopped.

    Args:
        settings: The process's own.
        host: Address to listen on.
        port: TCP port.

    Raises:
        LibraryBusy: Another process has the embedded script index open.
        BadInput: OIDC or the webhook is asked for and not described, or the Chroma server did not start.
    """
    identity = _identity(settings)
    with chroma_server(settings):
        calls()
        outbox = start_outbox(settings)

        @asynccontextmanager
        async def lifespan(_app: Any) -> AsyncIterator[None]:
            yield
            if outbox:
                outbox.stop()
            calls().close()

        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
        st.App(SCRIPT, routes=ROUTES, lifespan=lifespan, secrets=identity).run(
            config={
                "server.address": host,
                "server.port": port,
                "server.headless": True,
                "server.fileWatcherType": "none",
                "server.maxUploadSize": 20,
                "browser.gatherUsageStats": False,
                "client.showErrorDetails": "none",
                "client.toolbarMode": "minimal",
                "theme.primaryColor": "#0f766e",
                "theme.headingFontSizes": ["2rem", "1.5rem", "1.2rem", "1.1rem", "1rem", "1rem"],
            }
        )


def _warm_up() -> None:
    """Load the model and every campaign's classifier, so that no customer waits for them.

    What lives as long as the process is then left out of Python's search for garbage: it took 0.15 s each time that a page read 5,000 scripts.
    """
    for campaign in calls().resources.library.campaigns():
        try:
            calls().warm_up(campaign)
        except SalesmanError as error:
            log.warning("%s", error)
            note(f"AI Salesman: {error}")
            break
    gc.collect()
    gc.freeze()


def _identity(settings: Settings) -> dict[str, Any] | None:
    """Return Streamlit's description of the identity provider."""
    if settings.auth != "oidc":
        return None
    from graph.errors import BadInput

    missing = [
        f"SALESMAN_{name.upper()}" for name in ("oidc_metadata_url", "oidc_client_id") if not getattr(settings, name)
    ]
    if missing:
        raise BadInput(f"SALESMAN_AUTH is oidc, but {', '.join(missing)} is empty; take it from your identity provider")
    return {
        "auth": {
            "redirect_uri": f"{settings.public_url.rstrip('/')}/oauth2callback",
            "cookie_secret": secrets.token_urlsafe(32),
            "client_id": settings.oidc_client_id,
            "client_secret": settings.oidc_client_secret.get_secret_value(),
            "server_metadata_url": settings.oidc_metadata_url,
        }
    }
