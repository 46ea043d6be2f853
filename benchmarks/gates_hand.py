"""The tools of the gates as a person runs them in a checkout, one after another."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks.gates_timing import timed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.gates_subject import Subject
    from benchmarks.gates_timing import Taken

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def by_hand(subject: Subject, *, cold: bool) -> dict[str, Taken]:
    """Run the four tools one after another, as a person does in a checkout."""
    caches = subject.folder / "hand"
    if cold:
        shutil.rmtree(caches, ignore_errors=True)
    project, python = subject.project, str(subject.python)
    include = ",".join(f"{package}/*" for package in project.packages)
    mypy = ("-m", "mypy", "--strict", f"--cache-dir={caches / 'mypy'}", f"--python-executable={python}", *project.mypy)
    path = variables_by_hand(subject)
    return {
        "mypy": timed((sys.executable, *mypy), subject.repository, {}),
        "ruff": timed((sys.executable, "-m", "ruff", "check", "--no-fix", "--no-cache", "."), subject.repository, {}),
        "pytest": timed((python, *PYTEST), subject.repository, path),
        "covered": covered_by_hand(subject, {}, cold=False),
        "report": timed(
            (python, "-m", "coverage", "json", data_option(subject), f"--include={include}", "-q", "-o", os.devnull),
            subject.repository,
            path,
        ),
    }


def covered_by_hand(subject: Subject, core: Mapping[str, str], *, cold: bool) -> Taken:
    """Run the covered tests; cold is without what Python keeps compiled, as a clean export is."""
    if cold:
        shutil.rmtree(compiled(subject), ignore_errors=True)
    run = ("-m", "coverage", "run", data_option(subject), f"--source={','.join(subject.project.packages)}")
    return timed((str(subject.python), *run, *PYTEST), subject.repository, {**variables_by_hand(subject), **core})


def variables_by_hand(subject: Subject) -> Mapping[str, str]:
    """Return how a person's shell is set up; what Python compiles goes to a folder that a cold round deletes."""
    return {
        "PYTHONPATH": str(subject.repository / subject.project.root),
        "PYTHONPYCACHEPREFIX": str(compiled(subject)),
    }


def compiled(subject: Subject) -> Path:
    return subject.folder / "hand" / "compiled"


def data_option(subject: Subject) -> str:
    return f"--data-file={subject.folder / 'hand.data'}"
