"""The tools of the gates as a person runs them in a checkout, one after another.

A person types what the project's own configuration completes: mypy checks and coverage measures what that, or a script
of the project's own, names, which is the tests too in both projects. The suite checks the same files and measures the
packages alone, which is a part of what it gains. Where the covered run is compared by itself, the one by hand measures
the packages alone as well.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.gates_timing import timed
from tests.support import git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.gates_subject import Subject
    from benchmarks.gates_timing import Taken

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def by_hand(subject: Subject, *, cold: bool) -> dict[str, Taken]:
    """Run the four tools one after another, as a person does in a checkout; cold is in a new one."""
    folder = subject.folder / "hand"
    checkout = folder / "checkout"
    if cold:
        shutil.rmtree(folder, ignore_errors=True)
        check_out(subject, checkout)
    project, python = subject.project, str(subject.python)
    mypy = ("-m", "mypy", "--strict", f"--cache-dir={folder / 'mypy'}", f"--python-executable={python}", *project.mypy)
    path = {"PYTHONPATH": str(checkout / project.root)}
    return {
        "mypy": timed((sys.executable, *mypy), checkout, {}),
        "ruff": timed((sys.executable, "-m", "ruff", "check", "--no-fix", "--no-cache", "."), checkout, {}),
        "pytest": timed((python, *PYTEST), checkout, path),
        "covered": timed((python, *covered(subject), *PYTEST), checkout, path),
        "report": timed((python, *report(subject)), checkout, path),
    }


@dataclass(frozen=True)
class Covered:
    """The covered tests and their report, by themselves."""

    tests: Taken
    report: Taken

    @property
    def seconds(self) -> float:
        """Of both together."""
        return self.tests.seconds + self.report.seconds


def covered_by_hand(subject: Subject, core: Mapping[str, str]) -> Covered:
    """Run the covered tests and their report in a new checkout, for the packages alone and with a core of coverage."""
    checkout = subject.folder / "covered"
    shutil.rmtree(checkout, ignore_errors=True)
    check_out(subject, checkout)
    packages, python = subject.project.packages, str(subject.python)
    path = {"PYTHONPATH": str(checkout / subject.project.root)}
    run = (python, *covered(subject), f"--source={','.join(packages)}", *PYTEST)
    include = ",".join(f"{package}/*" for package in packages)
    return Covered(
        timed(run, checkout, {**path, **core}),
        timed((python, *report(subject), f"--include={include}"), checkout, path),
    )


def check_out(subject: Subject, folder: Path) -> None:
    """Make a checkout in which nothing was run yet: nothing is compiled, as in the clean export of the suite."""
    folder.parent.mkdir(exist_ok=True)
    git(subject.repository, "clone", "--quiet", "--local", ".", str(folder))


def covered(subject: Subject) -> tuple[str, ...]:
    return ("-m", "coverage", "run", data_option(subject))


def report(subject: Subject) -> tuple[str, ...]:
    return ("-m", "coverage", "json", data_option(subject), "-q", "-o", os.devnull)


def data_option(subject: Subject) -> str:
    return f"--data-file={subject.folder / 'hand.data'}"
