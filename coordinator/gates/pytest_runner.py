"""Starts pytest so that the judged sources win over an installed copy of the project.

It is copied out of this package, alone, into a folder that the tests can only read, and runs as the main module; so it
uses the standard library and pytest only. What it needs stands in the environment variable `VARIABLE` as JSON with the
keys ``roots`` (absolute folders of sources), ``names`` (top-level modules found there), ``path`` (what commands started
by the tests get as ``PYTHONPATH``) and ``progress`` (a file that always holds the id of the test that runs).

From the start on, before pytest looks for plugins or resolves a warning class named in the configuration, the project's
own modules, and nothing else below the roots, come from there. A ``dist-info`` folder or a module named like one of
pytest's that lies in the tree is thus not found while pytest starts; later the roots are ordinary entries of the search
path.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

VARIABLE = "COORDINATOR_SOURCES"


class SourceFinder(MetaPathFinder):
    """Finds the named top-level modules below the roots."""

    def __init__(self, names: list[str], roots: list[str]) -> None:
        self.names = frozenset(names)
        self.roots = roots

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the project, None for all others."""
        if path is None and fullname in self.names:
            return PathFinder.find_spec(fullname, self.roots, target)
        return None


def main(arguments: list[str]) -> int:
    """Run pytest and return its exit code."""
    known = json.loads(os.environ.pop(VARIABLE))
    sys.meta_path.insert(0, SourceFinder(known["names"], known["roots"]))

    import pytest  # noqa: PLC0415  (only now may it import anything of the project)

    class SourcesPlugin:
        """The hooks."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_load_initial_conftests(self) -> None:
            """Put the roots on the search path, here and for the commands that the tests start."""
            sys.path[:0] = known["roots"]
            os.environ["PYTHONPATH"] = known["path"]

        def pytest_runtest_logstart(self, nodeid: str) -> None:
            """Note which test runs now."""
            Path(known["progress"]).write_text(nodeid, encoding="utf-8")

    return int(pytest.main(arguments, plugins=[SourcesPlugin()]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
