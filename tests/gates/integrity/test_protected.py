"""Files that steer the checks, by name and place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.integrity.findings import Severity
from coordinator.gates.integrity.protected import ProtectedFiles
from tests.gates.integrity.support import a_tree

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"toy/__init__.py": "", "toy/part.py": "x = 1\n", "tests/test_toy.py": "", "pyproject.toml": ""}


def protected(folder: Path, head: dict[str, str], base: dict[str, str] | None = None) -> list[str]:
    tree = a_tree(folder, {**BASE, **(base or {})}, {**BASE, **head})
    assert tree.base is not None
    found = ProtectedFiles(tree, tree.base).find()
    assert {(finding.kind, finding.severity) for finding in found} <= {("protected-file", Severity.ATTENTION)}
    assert all(f"Gate-Allow: protected-file {finding.path}" == finding.waiver_line for finding in found)
    return [finding.path for finding in found]


@pytest.mark.parametrize(
    "path",
    [
        "conftest.py", "tests/conftest.py", "toy/deep/conftest.py", "pytest.ini", "pytest.toml", ".pytest.ini",
        "mypy.ini", ".mypy.ini", "toy/ruff.toml", ".ruff.toml", ".coveragerc", "sitecustomize.py",
        "src/usercustomize.py", "src/evil.pth", "src/toy-1.0.dist-info/entry_points.txt", "toy.egg-info/PKG-INFO",
        "toy/__pycache__/part.cpython-311.pyc", "toy/part.so", ".github/workflows/ci.yml", ".gitea/workflows/x.yaml",
        ".forgejo/anything", ".coordinator.yml", ".coordinator.yaml", "pytest.py", "_pytest/__init__.py", "mypy.py",
        "coverage/__init__.py", "coverage/inner/more.py", "random.py", "tests/unittest.py", "toy/part.pyi",
        "requests.pyi", "requests/__init__.pyi", "jest.config.ts", "web/vitest.config.mts", "vite.config.js",
        ".mocharc.json", "eslint.config.mjs", ".eslintrc", ".eslintrc.yml", ".eslintignore", "biome.jsonc",
        "tsconfig.json", "web/tsconfig.build.json", ".nycrc", ".c8rc.json", ".npmrc", ".yarnrc.yml", ".pnpmfile.cjs",
        "node_modules/jest/index.js", "web/node_modules/.bin/vitest", ".golangci.yml", ".golangci.toml",
        "staticcheck.conf", "clippy.toml", ".rustfmt.toml", "rust-toolchain.toml", ".cargo/config.toml",
        "crates/a/.cargo/config", ".config/nextest.toml",
    ],
)  # fmt: skip
def test_a_new_one_needs_a_person(tmp_path: Path, path: str) -> None:
    inner = {"coverage/__init__.py": "", "coverage/inner/__init__.py": ""} if path.startswith("coverage/inner") else {}
    assert path in protected(tmp_path, {path: "x", **inner})


@pytest.mark.parametrize(
    "path",
    [
        "toy/more.py", "tests/test_more.py", "README.md", "docs/conf.py", "toy/coverage.py", "toy/random.py",
        "examples/calendar.py", "packaging/wheel.py", "setup.cfg", "tox.ini", "pyproject.toml", "docs/.github/x",
        "toy/stub.pyi", "contest.py", "tests/helpers.py", "toy/pth", "package.json", "Cargo.toml", "go.mod",
        "config.toml", "random.json", "web/config.ts", "mytsconfig.json", "cargo/config.toml", "docs/jest.md",
    ],
)  # fmt: skip
def test_any_other_file_does_not(tmp_path: Path, path: str) -> None:
    assert protected(tmp_path, {path: "x"}) == []


def test_changed_and_deleted_ones_count_too(tmp_path: Path) -> None:
    head = {**BASE, "conftest.py": "c", "tests/conftest.py": "d"}
    tree = a_tree(tmp_path, {**BASE, "conftest.py": "a", "mypy.ini": "b"}, head)
    assert tree.base is not None
    found = ProtectedFiles(tree, tree.base).find()
    assert [finding.message.partition(",")[0] for finding in found] == [
        "conftest.py is changed", "mypy.ini is gone", "tests/conftest.py is new",
    ]  # fmt: skip


def test_a_module_that_was_there_before_takes_no_place(tmp_path: Path) -> None:
    here = {"random.py": "x", "coverage/__init__.py": "", "toy/part.pyi": "x: int"}
    head = {"random.py": "y", "coverage/__init__.py": "y", "coverage/new.py": "z", "toy/part.pyi": "x: str"}
    assert protected(tmp_path, head, here) == []
    assert protected(tmp_path / "gone", {}, here) == []


def test_a_source_root_counts_as_the_root(tmp_path: Path) -> None:
    base = {"src/toy/__init__.py": "", "pyproject.toml": "[project]\nname = 'toy'\nversion = '1'\n"}
    tree = a_tree(tmp_path, base, {**base, "src/pluggy.py": "", "scripts/pluggy.py": ""})
    assert tree.base is not None
    assert [finding.path for finding in ProtectedFiles(tree, tree.base).find()] == ["src/pluggy.py"]
