from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.target.packages import find_sources
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def tree(*names: str, **contents: str) -> dict[str, str]:
    """Return empty files by name, and files with content: `pyproject` and `setup` stand for the usual two."""
    files = dict.fromkeys(names, "")
    known = {"pyproject": "pyproject.toml", "setup": "setup.cfg"}
    return files | {known[name]: content for name, content in contents.items()}


HATCH = '[tool.hatch.build.targets.wheel]\npackages = ["src/one", "src/two"]\n'
HATCH_ONLY = '[tool.hatch.build]\nonly-include = ["lib/one"]\nsources = ["lib"]\n'
HATCH_SOURCES = '[tool.hatch.build.targets.wheel]\nonly-include = ["lib/one"]\nsources = {"lib" = ""}\n'
SETUPTOOLS = '[tool.setuptools]\npackages = ["one", "one.sub"]\npackage-dir = {"" = "lib"}\n'
SETUPTOOLS_FIND = '[tool.setuptools.packages.find]\nwhere = ["lib"]\ninclude = ["one*"]\n'
SETUPTOOLS_MODULES = '[tool.setuptools]\npy-modules = ["tool"]\n'
CFG_FIND = "[options]\npackages = find:\npackage_dir =\n    = lib\n[options.packages.find]\nwhere = lib\n"
CFG_NAMES = "[options]\npackages =\n    one\n    one.sub\npy_modules = tool\n"
CFG_BARE = "[options]\npackages = find:\n"
FLIT = '[tool.flit.module]\nname = "one"\n'
POETRY = '[tool.poetry]\nname = "x"\npackages = [{include = "one", from = "lib"}, "odd"]\n'
UV = '[project]\nname = "My-One"\n[tool.uv.build-backend]\nmodule-root = ""\n'
UV_SRC = '[project]\nname = "one"\n[tool.uv.build-backend]\nsource-include = []\n'
PDM = '[tool.pdm.build]\npackage-dir = "lib"\n'
PDM_INCLUDES = '[tool.pdm.build]\nincludes = ["one/", "data/*.txt"]\n'
MATURIN = '[tool.maturin]\npython-source = "lib"\n'
NAMED = '[project]\nname = "My.One"\n'


@pytest.mark.parametrize(
    ("files", "places", "roots"),
    [
        (tree("src/one/a.py", "src/two/a.py", "one/a.py", pyproject=HATCH), ("src/one", "src/two"), ("src",)),
        (tree("lib/one/a.py", pyproject=HATCH_ONLY), ("lib/one",), ("lib",)),
        (tree("lib/one/a.py", pyproject=HATCH_SOURCES), ("lib/one",), ("lib",)),
        (tree("lib/one/__init__.py", "lib/one/sub/__init__.py", pyproject=SETUPTOOLS), ("lib/one",), ("lib",)),
        (tree("lib/one/__init__.py", "lib/two/__init__.py", pyproject=SETUPTOOLS_FIND), ("lib/one",), ("lib",)),
        (tree("tool.py", "other.py", pyproject=SETUPTOOLS_MODULES), ("tool.py",), (".",)),
        (tree("lib/one/__init__.py", "lib/tests/__init__.py", "lib/x.txt", setup=CFG_FIND), ("lib/one",), ("lib",)),
        (tree("one/__init__.py", "tool.py", "more/__init__.py", setup=CFG_NAMES), ("one", "tool.py"), (".",)),
        (tree("one/__init__.py", setup=CFG_BARE), ("one",), (".",)),
        (tree("src/one/__init__.py", pyproject=FLIT), ("src/one",), ("src",)),
        (tree("one.py", "two.py", pyproject=FLIT), ("one.py",), (".",)),
        (tree("lib/one/__init__.py", pyproject=POETRY), ("lib/one",), ("lib",)),
        (tree("my_one/__init__.py", "other/__init__.py", pyproject=UV), ("my_one",), (".",)),
        (tree("src/one/__init__.py", "other/__init__.py", pyproject=UV_SRC), ("src/one",), ("src",)),
        (tree("lib/one/__init__.py", pyproject=PDM), ("lib/one",), ("lib",)),
        (tree("one/__init__.py", "two/__init__.py", pyproject=PDM_INCLUDES), ("one",), (".",)),
        (tree("lib/one/__init__.py", "rust/a.py", pyproject=MATURIN), ("lib/one",), ("lib",)),
        (tree("one/__init__.py", pyproject=MATURIN), ("one",), (".",)),
        (tree("src/one/__init__.py", "src/two.py", "three/__init__.py"), ("src/one", "src/two.py"), ("src",)),
        (tree("src/space/deep/a.py", "src/data/x.txt"), ("src/space",), ("src",)),
        (tree("src/__init__.py", "src/a.py"), ("src",), (".",)),
        (tree("my_one/__init__.py", "other/__init__.py", pyproject=NAMED), ("my_one",), (".",)),
        (tree("my_one/sub/a.py", "helper.py", pyproject=NAMED), ("my_one",), (".",)),
        (tree("my_one.py", "other/__init__.py", pyproject=NAMED), ("my_one.py",), (".",)),
        (tree("one/__init__.py", "two/__init__.py", "tests/__init__.py", "docs/__init__.py"), ("one", "two"), (".",)),
        (tree("tool.py", "setup.py", "conftest.py", "noxfile.py", "test_tool.py"), ("tool.py",), (".",)),
        (tree("one/__init__.py", pyproject="[tool.hatch.build]\npackages = 'gone'\n"), ("one",), (".",)),
        (tree("one/__init__.py", pyproject="not toml ["), ("one",), (".",)),
        (tree("README.md", "tests/test_a.py"), (), ()),
        (tree("one/__init__.py", setup="[metadata]\nname = one\n"), ("one",), (".",)),
    ],
)
def test_packages(tmp_path: Path, files: Mapping[str, str], places: tuple[str, ...], roots: tuple[str, ...]) -> None:
    write_files(tmp_path, files)
    sources = find_sources(tmp_path)
    assert (sources.places, sources.roots) == (places, roots)


def test_names_are_those_of_the_modules(tmp_path: Path) -> None:
    write_files(tmp_path, tree("src/one/__init__.py", "src/two.py"))
    assert find_sources(tmp_path).names == ("one", "two")


def test_links_are_no_packages(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_files(outside, {"one/__init__.py": ""})
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "one").symlink_to(outside / "one")
    (checkout / "pyproject.toml").write_text(FLIT)
    (checkout / "two.py").symlink_to(outside / "one" / "__init__.py")
    assert find_sources(checkout).places == ()
