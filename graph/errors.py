"""Every exception a person can meet; each message names the thing, the value and the way out.

This module imports nothing of the project and may be imported from anywhere.
"""


class SalesmanError(Exception):
    """Base: the command line prints the message as one line and exits with code 2."""


class BadInput(SalesmanError):
    """Seen by whoever wrote a file, an argument or a setting; lists every error at once."""


class StaleEdit(SalesmanError):
    """Seen by the second of two editors of one script; the message shows both versions."""


class LibraryBusy(SalesmanError):
    """Seen by a writer beside another process on the embedded Chroma; names ``SALESMAN_CHROMA_URL``."""


class ModelUnavailable(SalesmanError):
    """Seen at start-up when weights or a model server cannot be had; never by a customer."""


class CallBusy(SalesmanError):
    """Seen by a second writer of one call whose lease did not come free in time."""


class CallEnded(SalesmanError):
    """Seen by whoever continues a call that an opt-out ended for good."""


class Cancelled(SalesmanError):
    """Raised inside long work whose user has cancelled it; nothing was changed."""
