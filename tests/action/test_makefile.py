from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.action.support import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
DEV_LOCK = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("make") or "make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def _needs_make() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")


def test_help_is_the_default_and_lists_every_target() -> None:
    done = make()
    assert done.returncode == 0, done.stderr
    assert re.findall(r"make (\w+)", done.stdout) == ["help", "demo", "test", "check", "environment", "lock", "schema"]


def test_the_tests_are_lint_types_tests_and_coverage_in_this_order() -> None:
    done = make("--dry-run", "test")
    assert done.returncode == 0, done.stderr
    tools = re.findall(r"-m (ruff check|ruff format|mypy|coverage run|coverage report)", done.stdout)
    assert tools == ["ruff check", "ruff format", "mypy", "coverage run", "coverage report"]
    assert "--fail-under=95" in done.stdout


def test_python_can_be_chosen_and_arguments_reach_the_demo() -> None:
    done = make("--dry-run", "demo", "PYTHON=python3.99", "ARGS=--format json")
    assert "python3.99 -I coordinator/install.py --dev .venv" in done.stdout
    assert ".venv/bin/coordinator demo --format json" in done.stdout


def test_check_runs_no_tests() -> None:
    assert "pytest" not in make("--dry-run", "check").stdout


def test_ci_runs_the_tests_from_anywhere() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    fake = 'make() { pwd; echo "$@"; cat; }; exec() { "$@"; }; . '
    done = subprocess.run(
        ["/bin/bash", "-c", f"{fake} {script}"], cwd="/", check=True, capture_output=True, text=True, input="stdin"
    )
    assert done.stdout == f"{ROOT}\ntest\n"


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK], ids=["action", "development"])
def test_everything_in_the_lock_is_pinned_with_hashes_and_comes_from_no_named_index(lock: str) -> None:
    requirements = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) > 20
    for requirement in requirements:
        assert re.match(r"[a-z0-9.-]+==\S+( ; .+)? \\$", requirement), requirement
    assert "://" not in lock
    assert lock.count("--hash=sha256:") > len(requirements)
    assert "#    make lock" in lock


def test_the_lock_has_what_the_project_names() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = {name.lower() for name in re.findall(r'"([a-zA-Z0-9-]+)>=', project)} - {"python"}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", LOCK, re.MULTILINE))
    assert names <= locked


def test_only_the_tests_have_the_second_judge_and_all_else_is_the_same() -> None:
    pinned, more = (set(re.findall(r"^[a-z0-9.-]+==\S+", lock, re.MULTILINE)) for lock in (LOCK, DEV_LOCK))
    assert pinned < more
    assert {name.partition("==")[0] for name in more - pinned} == {"llmock", "python-multipart"}


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
