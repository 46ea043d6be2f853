"""What holds for every test."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Undo an ignored Ctrl-C: shells start what runs in the background with one, and every child would inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
