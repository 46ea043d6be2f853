"""Sandboxes for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from tests.sandbox import measuring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sandbox.confined import ConfinedSandbox
    from coordinator.sandbox.running import Launcher


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Give the launcher, measured where coverage is."""
    yield measuring.launcher()
    measuring.merge()


@pytest.fixture(scope="session")
def sandbox(launcher: Launcher) -> Iterator[ConfinedSandbox]:
    """Give the sandbox that this machine allows; one for all tests, as in a run of the coordinator."""
    with open_sandbox(visible=interpreter_paths(), launcher=launcher, processes=128) as opened:
        yield opened
