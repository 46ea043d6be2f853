from __future__ import annotations

import pytest

from tests.cheats.judging import Bench


@pytest.fixture(scope="package")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return what judges changes; they share the repository, the environment and what is known of the base."""
    return Bench(tmp_path_factory.mktemp("cheats"))
