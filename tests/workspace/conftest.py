from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import make_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A person's repository with one commit on `main`."""
    files = {
        "README.md": "# Sample\n",
        "src/app.py": "x = 1\n",
        "src/util.py": "y = 2\n",
        ".gitignore": "*.log\n/data/\n",
        ".gitea/workflows/ci.yml": "on: push\n",
        "build/keep.txt": "tracked\n",
    }
    return make_repository(tmp_path / "source", files)
