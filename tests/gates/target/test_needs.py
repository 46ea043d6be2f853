from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.target.needs import Needs, find_needs
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROJECT = '[project]\nname = "Toy.Box"\nversion = "1"\n'
GROUPS = """
[dependency-groups]
Test = ["pytest<9", {include-group = "base"}, "toy-box[full]", {odd = 1}]
base = ["a", {include-group = "Test"}]
typing = ["types-a"]
dev = ["b"]
broken = "no list"
"""
POETRY = """
[tool.poetry]
name = "toy"
[tool.poetry.dependencies]
python = "^3.11"
[tool.poetry.group.test.dependencies]
a = "^1.2"
b = "*"
c = {version = "~2", extras = ["x", "y"]}
d = {git = "https://example.invalid"}
e = {path = "x", version = 3}
f = "1.0"
"""
POETRY_OLD = '[tool.poetry]\nname = "toy"\n[tool.poetry.dev-dependencies]\npytest = "*"\n'
CFG = "[metadata]\nname = a\n[options]\ninstall_requires = b\n[options.extras_require]\ntest = c\n"
HATCH = '[tool.hatch.envs.default]\ndependencies = ["a"]\n[tool.hatch.envs.hatch-test]\nextra-dependencies = ["b"]\n'
PDM = '[tool.pdm.dev-dependencies]\ntest = ["a"]\n'
UV = '[tool.uv]\ndev-dependencies = ["a"]\n'
EXTRAS = '[project.optional-dependencies]\ntests = ["x"]\ndev = ["y"]\ndocs = ["z"]\n'


@pytest.mark.parametrize(
    ("files", "needs"),
    [
        ({}, Needs(project=False)),
        ({"pyproject.toml": "[tool.ruff]\n"}, Needs(project=False)),
        ({"pyproject.toml": PROJECT}, Needs(project=True)),
        ({"setup.py": ""}, Needs(project=True, has_dependencies=True)),
        ({"setup.cfg": "[metadata]\nname = toy\n"}, Needs(project=True)),
        (
            {"setup.cfg": CFG},
            Needs(project=True, extras=("test",), has_dependencies=True),
        ),
        ({"pyproject.toml": f'{PROJECT}dependencies = ["a"]\n'}, Needs(project=True, has_dependencies=True)),
        ({"pyproject.toml": f'{PROJECT}dynamic = ["dependencies"]\n'}, Needs(project=True, has_dependencies=True)),
        (
            {"pyproject.toml": PROJECT + GROUPS},
            Needs(project=True, extras=("full",), requirements=("pytest<9", "a", "types-a")),
        ),
        ({"pyproject.toml": PROJECT + EXTRAS}, Needs(project=True, extras=("tests", "dev"))),
        ({"pyproject.toml": POETRY}, Needs(project=True, requirements=("a>=1.2", "b", "c[x,y]>=2", "f==1.0"))),
        ({"pyproject.toml": POETRY_OLD}, Needs(project=True, requirements=("pytest",))),
        ({"pyproject.toml": PROJECT + HATCH}, Needs(project=True, requirements=("a", "b"))),
        ({"pyproject.toml": PROJECT + PDM}, Needs(project=True, requirements=("a",))),
        ({"pyproject.toml": PROJECT + UV}, Needs(project=True, requirements=("a",))),
        (
            {"requirements.txt": "a\n", "requirements/tests.txt": "b\n", "requirements-dev.txt": "c\n"},
            Needs(project=False, files=("requirements.txt", "requirements/tests.txt")),
        ),
        (
            {"pyproject.toml": f'{PROJECT}dependencies = ["a"]\n', "requirements.txt": "b\n"},
            Needs(project=True, has_dependencies=True),
        ),
        ({"requirements-dev.txt": "c\n"}, Needs(project=False, files=("requirements-dev.txt",))),
    ],
)
def test_needs(tmp_path: Path, files: Mapping[str, str], needs: Needs) -> None:
    write_files(tmp_path, files)
    assert find_needs(tmp_path) == needs


def test_the_command_line(tmp_path: Path) -> None:
    assert Needs(project=False).arguments() == ()
    assert not Needs(project=True).others
    needs = Needs(project=True, extras=("a", "b"), requirements=("x>1",), files=("r.txt",))
    assert needs.arguments() == (".[a,b]", "x>1", "-r", "r.txt")
    assert needs.others
    assert not find_needs(tmp_path).others
