"""The application under `AppTest`: every page on the test's own home."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
PAGES = {"desk": "scripts_library/page.py", "calls": "graph/page.py", "quality": "evaluation/page.py"}
SECONDS = 60
UNTRUSTED = "<script>alert(1)</script> ![x](http://evil.example/x.png) [go](http://evil.example) **b** :smile:"


def opened(page: str, **address: str) -> AppTest:
    """Open a page in English.

    Args:
        page: `chat`, `desk`, `calls` or `quality`.
        address: Query parameters.
    """
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=SECONDS)
    app.session_state["interface_language"] = "en"
    if page != "chat":
        app.run()
        app.switch_page(PAGES[page])
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, [entry.value for entry in app.exception]
    return app


def shown(app: AppTest) -> str:
    """Return all words that the page shows."""
    kinds = (
        app.text,
        app.markdown,
        app.caption,
        app.title,
        app.subheader,
        app.info,
        app.success,
        app.warning,
        app.error,
        app.toast,
    )
    return "\n".join(str(entry.value) for kind in kinds for entry in kind)
