from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.target.environment_stamp import environment_stamp
from tests.support import write_files

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.11/site-packages"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    folder = tmp_path / "environment"
    write_files(folder, {"pyvenv.cfg": "home = /usr/bin\n", f"{SITE}/a-1.dist-info/METADATA": "", f"{SITE}/a.py": ""})
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    write_files(tmp_path / "checkout", {"src/toy/__init__.py": ""})
    return tmp_path / "checkout"


def test_it_stays_as_long_as_nothing_is_installed(environment: Path, checkout: Path) -> None:
    first = environment_stamp(environment, checkout)
    assert first is not None
    (environment / SITE / "__pycache__").mkdir()
    (checkout / "src" / "toy" / "new.py").write_text("")
    assert environment_stamp(environment, checkout) == first


@pytest.mark.parametrize(
    "path", [f"{SITE}/b-1.dist-info", f"{SITE}/b.py", "lib64/python3.11/site-packages/b-1.dist-info"]
)
def test_an_installation_changes_it(environment: Path, path: str) -> None:
    first = environment_stamp(environment, None)
    (environment / path).mkdir(parents=True)
    assert environment_stamp(environment, None) not in {None, first}


def test_a_removal_and_another_interpreter_change_it(environment: Path) -> None:
    first = environment_stamp(environment, None)
    (environment / SITE / "a.py").unlink()
    second = environment_stamp(environment, None)
    (environment / "pyvenv.cfg").write_text("home = /opt/bin\n")
    assert len({first, second, environment_stamp(environment, None)}) == 3


def test_what_is_built_in_the_checkout_changes_it(environment: Path, checkout: Path) -> None:
    stamps = {environment_stamp(environment, checkout)}
    for name in ("src/toy/fast.so", "src/toy/_version.py"):
        (checkout / name).write_text("x")
        stamps.add(environment_stamp(environment, checkout))
    (checkout / "src/toy/fast.so").write_text("other")
    stamps.add(environment_stamp(environment, checkout))
    assert len(stamps) == 4
    assert None not in stamps


@pytest.mark.parametrize("folder", [".venv", "node_modules", "venv"])
def test_other_environments_and_hidden_folders_of_the_checkout_do_not_count(
    environment: Path, checkout: Path, folder: str
) -> None:
    first = environment_stamp(environment, checkout)
    write_files(checkout / folder, {"pyvenv.cfg": "", "fast.so": ""})
    assert environment_stamp(environment, checkout) == first


def test_a_checkout_of_very_many_files_has_no_stamp(environment: Path, checkout: Path) -> None:
    assert environment_stamp(environment, checkout, most=2) is None
    assert environment_stamp(environment, checkout, most=3) is not None


def test_the_packages_of_the_system_have_no_stamp(environment: Path) -> None:
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\nInclude-System-Site-Packages = True\n".lower())
    assert environment_stamp(environment, None) is None
    (environment / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    assert environment_stamp(environment, None) is not None


def editable(environment: Path, kind: str, target: str) -> None:
    site = environment / SITE
    if kind == "direct_url":
        text = json.dumps({"url": f"file://{target}", "dir_info": {"editable": True}})
        write_files(site, {"toy-1.dist-info/direct_url.json": text})
    else:
        (site / f"toy.{kind}").write_text(f"import sys\n# a comment\n\n{target}\n")


@pytest.mark.parametrize("kind", ["pth", "egg-link", "direct_url"])
def test_sources_elsewhere_can_change_unseen_so_there_is_no_stamp(
    environment: Path, checkout: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "other lib").mkdir()
    target = f"{tmp_path}/other lib" if kind != "direct_url" else f"{tmp_path}/other%20lib"
    editable(environment, kind, target)
    assert environment_stamp(environment, checkout) is None


@pytest.mark.parametrize("kind", ["pth", "egg-link", "direct_url"])
@pytest.mark.parametrize("target", ["checkout/src", "gone"])
def test_an_editable_installation_of_the_judged_project_itself_is_no_matter(
    environment: Path, checkout: Path, tmp_path: Path, kind: str, target: str
) -> None:
    """Its sources come from the export; and what is not there has no say."""
    editable(environment, kind, f"{tmp_path}/{target}")
    assert environment_stamp(environment, checkout) is not None


def test_a_relative_entry_and_an_unusable_file_are_no_matter(environment: Path) -> None:
    editable(environment, "pth", "../../python3.11")
    write_files(environment / SITE, {"x-1.dist-info/direct_url.json": "no json", "y-1.dist-info/direct_url.json": ""})
    write_files(environment / SITE, {"z-1.dist-info/direct_url.json": '{"url": "https://example.org/z.whl"}'})
    assert environment_stamp(environment, None) is not None
