"""The published projects of `benchmarks.gates`: their sources, their environments, and a small change to each."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coordinator.gates.python.coverage_core import PYTHON_CHOOSES, PYTHON_SINCE, core_variables
from coordinator.gates.rules import rules_of
from coordinator.gates.target.needs import find_needs
from tests.gates.published import CLICK, STARLETTE, NotAvailable, Published, unpacked
from tests.support import git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INSTALL_SECONDS = 600

PROJECTS = {project.name: project for project in (CLICK, STARLETTE)}

CHANGES = {
    "click": (
        "src/click/utils.py",
        '    return "-".join(name.split()).lower()\n',
        '    words = name.split()\n    return "-".join(words).lower()\n',
    ),
    "starlette": (
        "starlette/routing.py",
        '    return "".join(parts), path_params\n',
        '    whole = "".join(parts)\n    return whole, path_params\n',
    ),
}
"""File, old and new lines: an honest change, which the tests run through and notice when it is wrong."""


@dataclass(frozen=True)
class Subject:
    """One project with its environment, ready to be judged."""

    project: Published
    repository: Path
    base: str
    """The release; the head has the change."""
    python: Path
    version: tuple[int, int]
    measures_branches: bool
    folder: Path

    @property
    def is_served(self) -> bool:
        """Whether the fast core of coverage serves it: for branches from Python 3.14 on, for lines from 3.12 on."""
        return self.version >= (PYTHON_CHOOSES if self.measures_branches else PYTHON_SINCE)

    @property
    def core(self) -> Mapping[str, str]:
        """The variables by which the gates choose the core."""
        rules = rules_of(self.repository, "coverage")
        return core_variables(self.version, None, rules.options if rules is not None else {})

    @property
    def environment(self) -> Path:
        """The environment of its tests."""
        return self.python.parent.parent


def prepared(project: Published, python: Path, folder: Path) -> Subject:
    """Download a project and make an environment with what its tests need. Raises `NotAvailable`."""
    (folder / "source").mkdir()
    repository = unpacked(project, folder / "source")
    environment = folder / "environment"
    subprocess.run([str(python), "-m", "venv", str(environment)], check=True, capture_output=True)
    own = environment / "bin" / "python"
    needs = find_needs(repository).arguments()
    command = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pytest", "coverage", *needs]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotAvailable(f"its environment cannot be prepared: {last}")
    git(repository, "clean", "-fdxq")
    said = subprocess.run(
        [str(own), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    major, minor = map(int, said.stdout.split())
    branches = "branch = true" in (repository / "pyproject.toml").read_text(encoding="utf-8")
    base = git(repository, "rev-parse", "HEAD")
    return changed(Subject(project, repository, base, own, (major, minor), branches, folder))


def changed(subject: Subject) -> Subject:
    """Commit the small change, so that there is something to compare."""
    name, old, new = CHANGES[subject.project.name]
    path = subject.repository / name
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise NotAvailable(f"{name} is not as it was: the change of this benchmark does not fit")
    path.write_text(text.replace(old, new), encoding="utf-8")
    git(subject.repository, "commit", "--quiet", "--all", "--message", "A change")
    return subject


def by_lines(subject: Subject) -> Subject:
    """Measure lines alone from here on, which is what the fast core serves before Python 3.14."""
    git(subject.repository, "reset", "--quiet", "--hard", subject.base)
    path = subject.repository / "pyproject.toml"
    path.write_text(re.sub("branch = true", "branch = false", path.read_text(encoding="utf-8")), encoding="utf-8")
    git(subject.repository, "commit", "--quiet", "--all", "--message", "Lines alone")
    base = git(subject.repository, "rev-parse", "HEAD")
    return changed(replace(subject, base=base, measures_branches=False))
