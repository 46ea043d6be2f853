"""Finding, completing and preparing the environment of a project; no package index is needed."""

from __future__ import annotations

import dataclasses
import fcntl
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.gates.target.borrowing import TEST_TOOLS, borrow, missing_tools, normal_name
from coordinator.gates.target.environment import TargetEnvironment, existing_environment, paths_to_show, probe
from coordinator.gates.target.preparing import EnvironmentKeeper
from coordinator.sandbox.protocol import Network
from tests.gates.support import PlainSandbox, own_environment
from tests.support import write_files

PROJECT = '[project]\nname = "toy-box"\nversion = "1.5"\n[project.scripts]\ntoy = "toy:main"\nodd = "toy:a.b"\n'
NEEDY = '[build-system]\nrequires = []\nbuild-backend = "nothing"\n[dependency-groups]\ntest = ["leaf"]\n'


def make_venv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def make_wheel(folder: Path, name: str) -> None:
    """Write a wheel with one module and one command, by hand."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "def main() -> None:\n    print('leaf here')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for file, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, content)


def keeper(tmp_path: Path, **changes: object) -> EnvironmentKeeper:
    """Return a keeper whose pip knows no index but the folder `wheels`."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), "PIP_CONFIG_FILE": "/dev/null"}
    plain = EnvironmentKeeper(PlainSandbox(home, variables), tmp_path / "cache")
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # each test names fields that exist


def prepared(tmp_path: Path, files: dict[str, str], **changes: object) -> TargetEnvironment:
    write_files(tmp_path / "source", files)
    environment = keeper(tmp_path, **changes).environment_for(tmp_path / "source")
    assert not [path for path in (tmp_path / "home").iterdir() if path.name.startswith("setup")]
    return environment


def output_of(*argv: str, **env: str) -> str:
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_a_project_without_dependencies_needs_no_index_and_no_build(tmp_path: Path) -> None:
    environment = prepared(tmp_path, {"pyproject.toml": PROJECT, "toy.py": "def main() -> int:\n    return 7\n"})
    assert environment.origin == "prepared"
    assert environment.notes == ()
    assert {"pytest", "coverage", "pip", "toy-box"} <= set(environment.distributions)
    assert environment.version == sys.version_info[:2]
    python = str(environment.python)
    assert output_of(python, "-c", "import pytest, coverage; print(pytest.__file__)").startswith(
        str(tmp_path / "cache")
    )
    assert output_of(python, "-c", "from importlib.metadata import version; print(version('toy-box'))") == "1.5"
    assert output_of(str(environment.python.parent / "pytest"), "--version").startswith("pytest ")
    assert output_of(str(environment.python.parent / "pip"), "--version", HOME=str(tmp_path)).startswith("pip ")
    done = subprocess.run(
        [environment.python.parent / "toy"], env={"PYTHONPATH": str(tmp_path / "source")}, check=False
    )
    assert done.returncode == 7
    assert not (environment.python.parent / "odd").exists()


def test_dependencies_are_installed_and_their_commands_work_where_the_environment_lies(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "leaf")
    environment = prepared(tmp_path, {"pyproject.toml": NEEDY, "toy.py": ""})
    assert environment.distributions["leaf"] == "1.0"
    assert output_of(str(environment.python.parent / "leaf")) == "leaf here"
    assert str(tmp_path / "home") not in (environment.python.parent / "leaf").read_text()


def test_an_environment_is_kept_until_a_file_that_defines_it_changes(tmp_path: Path) -> None:
    first = prepared(tmp_path, {"pyproject.toml": PROJECT})
    assert prepared(tmp_path, {"toy.py": "changed"}).python == first.python
    assert prepared(tmp_path, {"pyproject.toml": PROJECT.replace("1.5", "1.6")}).python != first.python


def test_a_kept_environment_is_not_prepared_again(tmp_path: Path) -> None:
    prepared(tmp_path, {"pyproject.toml": PROJECT})
    again = keeper(tmp_path)
    again.environment_for(tmp_path / "source")
    assert isinstance(again.sandbox, PlainSandbox)
    assert [command.network for command in again.sandbox.commands] == [Network.NONE]


def test_an_interrupted_one_is_made_anew(tmp_path: Path) -> None:
    folder = prepared(tmp_path, {"pyproject.toml": PROJECT}).python.parent.parent
    shutil.rmtree(folder)
    write_files(folder.with_suffix(".new"), {"half": ""})
    assert prepared(tmp_path, {"pyproject.toml": PROJECT}).python.exists()
    assert not (folder / "half").exists()
    assert not folder.with_suffix(".new").exists()


def test_another_run_that_prepares_is_waited_for(tmp_path: Path) -> None:
    folder = prepared(tmp_path, {"pyproject.toml": PROJECT}).python.parent.parent
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=keeper(tmp_path).environment_for, args=(tmp_path / "source",))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(60)
    assert not waiting.is_alive()


def test_nobody_else_can_write_to_a_prepared_environment(tmp_path: Path) -> None:
    folder = prepared(tmp_path, {"pyproject.toml": PROJECT}).python.parent.parent
    found = [path for path in folder.rglob("*") if not path.is_symlink()]
    assert found
    assert all(path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 0o022 for path in found)
    assert all(path.stat().st_mode & 0o004 for path in found)


def test_set_up_commands_run_in_the_environment(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "leaf")
    environment = prepared(tmp_path, {"pyproject.toml": NEEDY}, setup=("pip install leaf", "test -f pyproject.toml"))
    assert "leaf" in environment.distributions
    assert "pytest" in environment.distributions


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, r"The installation failed: .*No matching distribution found for leaf"),
        ({"setup": ("echo first; echo last words >&2; exit 3",)}, r"`echo first; .*` failed: first last words"),
        ({"setup": ("exit 3",)}, r"failed: it said nothing"),
        (
            {"setup": ("echo npm error code EUSAGE; echo npm error old lock; seq 9; exit 1",)},
            r"EUSAGE npm error old lock 1 2",
        ),
        ({"setup": ("sleep 60",), "minutes": 0.02}, r"failed: it reached its time limit"),
        ({"setup": ('mkfifo "$VIRTUAL_ENV/pipe"',)}, r"it cannot be copied"),
    ],
)
def test_a_failed_set_up_says_why_and_leaves_nothing(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        prepared(tmp_path, {"pyproject.toml": NEEDY}, **changes)
    assert "\n" not in str(caught.value)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_an_index_that_is_not_reached_is_something_to_try_again(tmp_path: Path) -> None:
    offline = keeper(tmp_path)
    assert isinstance(offline.sandbox, PlainSandbox)
    offline.sandbox.variables = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "1",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    write_files(tmp_path / "source", {"pyproject.toml": NEEDY})
    with pytest.raises(Unreachable, match="reached no package index"):
        offline.environment_for(tmp_path / "source")


def test_a_project_that_cannot_be_built_is_used_from_its_sources(tmp_path: Path) -> None:
    broken = (
        '[build-system]\nrequires = ["no-such-backend"]\nbuild-backend = "x"\n'
        '[project]\nname = "a"\ndynamic = ["version"]\n'
    )
    environment = prepared(tmp_path, {"pyproject.toml": broken})
    assert len(environment.notes) == 1
    assert "it could not be installed" in environment.notes[0]


BACKEND = """
import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"]
    name = f"grown-{version}-py3-none-any.whl"
    info = f"grown-{version}.dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: grown\\nVersion: {version}\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.mark.parametrize(("more", "version"), [({}, "9999.0"), ({"PKG-INFO": "Name: grown\nVersion: 3.2\n"}, "3.2")])
def test_a_version_that_git_would_tell_is_made_up(tmp_path: Path, more: dict[str, str], version: str) -> None:
    pyproject = (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "grown"\ndynamic = ["version"]\n'
    )
    environment = prepared(tmp_path, {"pyproject.toml": pyproject, "backend.py": BACKEND, **more})
    assert environment.distributions["grown"] == version


def test_a_project_with_a_set_up_script_is_not_taken_as_static(tmp_path: Path) -> None:
    environment = prepared(tmp_path, {"pyproject.toml": PROJECT, "setup.py": "raise SystemExit('no')\n"})
    assert environment.notes


def test_the_entry_points_of_a_static_project_are_known(tmp_path: Path) -> None:
    pyproject = f'{PROJECT}[project.entry-points.group]\nname = "toy:thing"\n'
    environment = prepared(tmp_path, {"pyproject.toml": pyproject})
    code = "from importlib.metadata import entry_points as e; print([x.value for x in e(group='group')])"
    assert output_of(str(environment.python), "-c", code) == "['toy:thing']"


def test_names_and_versions_of_a_static_project_cannot_lead_elsewhere(tmp_path: Path) -> None:
    pyproject = '[project]\nname = "../../evil"\nversion = "1"\n'
    assert not list(prepared(tmp_path, {"pyproject.toml": pyproject}).site.glob("*evil*"))


def test_the_uv_that_is_given_does_the_installation(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "$@" > "$VIRTUAL_ENV/said"\n')
    uv.chmod(0o755)
    folder = prepared(tmp_path, {"pyproject.toml": NEEDY}, uv=uv).python.parent.parent
    assert (folder / "said").read_text().split()[:2] == ["pip", "install"]
    assert (folder / "said").read_text().split()[-1] == "leaf"
    assert not (folder / "bin" / "pip").exists()


def test_without_a_pip_to_copy_the_standard_library_gives_one(tmp_path: Path) -> None:
    environment = prepared(tmp_path, {"pyproject.toml": PROJECT}, lends_pip=False)
    assert "pip" in environment.distributions


def test_uv_installs_where_it_is(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on PATH")
    make_wheel(tmp_path / "wheels", "leaf")
    variables = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(tmp_path / "wheels"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    home = tmp_path / "home"
    home.mkdir()
    with_uv = EnvironmentKeeper(PlainSandbox(home, variables), tmp_path / "cache", uv=Path(uv))
    write_files(tmp_path / "source", {"pyproject.toml": NEEDY})
    assert "leaf" in with_uv.environment_for(tmp_path / "source").distributions


def test_the_order_of_places(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    active, plain, hidden = make_venv(tmp_path / "active"), make_venv(checkout / "venv"), checkout / ".venv"
    assert existing_environment(active, checkout) == (active, "VIRTUAL_ENV")
    assert existing_environment(None, checkout) == (plain, "venv")
    make_venv(hidden)
    assert existing_environment(None, checkout) == (hidden, ".venv")
    assert existing_environment(None, None) is None
    assert existing_environment(None, tmp_path) is None
    with pytest.raises(Misconfigured, match="VIRTUAL_ENV names"):
        existing_environment(tmp_path / "gone", None)


def test_an_environment_of_a_person_is_completed_beside_it(tmp_path: Path) -> None:
    folder = make_venv(tmp_path / "checkout" / ".venv")
    before = sorted(folder.rglob("*"))
    reached: list[Path] = []
    person = keeper(tmp_path, reach=reached.append)
    environment = person.environment_for(tmp_path, tmp_path / "checkout")
    assert environment.origin == ".venv"
    assert set(TEST_TOOLS) <= set(environment.distributions)
    assert environment.module_folders[0].parent == tmp_path / "cache"
    assert "lent by the coordinator" in environment.notes[0]
    assert sorted(folder.rglob("*")) == before
    assert {folder, environment.module_folders[0]} <= set(reached)
    variables = environment.variables(tmp_path / "src")
    assert variables["PATH"].split(os.pathsep)[0] == str(folder / "bin")
    assert variables["VIRTUAL_ENV"] == str(folder)
    assert variables["PYTHONPATH"] == f"{tmp_path / 'src'}{os.pathsep}{environment.module_folders[0]}"
    assert output_of(str(environment.python), "-c", "import pytest, coverage; print(1)", **variables) == "1"
    assert person.environment_for(tmp_path, tmp_path / "checkout").module_folders == environment.module_folders


def test_an_environment_that_has_the_tools_is_taken_as_it_is(tmp_path: Path) -> None:
    environment = own_environment(PlainSandbox(tmp_path), tmp_path / "cache")
    assert environment.module_folders == ()
    assert "PYTHONPATH" not in environment.variables()
    assert environment.isolation == ("-P", "-s")
    assert dataclasses.replace(environment, version=(3, 10)).isolation == ("-s",)
    assert Path(sys.prefix) in paths_to_show(Path(sys.prefix))
    assert paths_to_show(tmp_path) == (tmp_path,)


def fake_python(folder: Path, says: str) -> Path:
    write_files(folder, {"bin/python": f"#!/bin/sh\n{says}\n"})
    (folder / "bin" / "python").chmod(0o755)
    return folder


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    broken = fake_python(tmp_path / "broken", "echo it is broken >&2; exit 1")
    with pytest.raises(Misconfigured, match="does not work here: it is broken"):
        probe(broken / "bin" / "python", PlainSandbox(tmp_path))
    silent = fake_python(tmp_path / "silent", "exit 0")
    with pytest.raises(Misconfigured, match="it says nothing"):
        probe(silent / "bin" / "python", PlainSandbox(tmp_path))


def test_what_is_installed_is_what_importlib_finds(tmp_path: Path) -> None:
    known = {(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()}
    probed = probe(Path(sys.executable), PlainSandbox(tmp_path))
    assert probed.distributions == {normal_name(name): version for name, version in known}
    assert (probed.version, probed.site) == (sys.version_info[:2], Path(sysconfig.get_path("platlib")))


def test_what_setuptools_and_older_tools_left_counts_as_installed(tmp_path: Path) -> None:
    environment = make_venv(tmp_path / "environment")
    site = next(environment.glob("lib/python*/site-packages"))
    write_files(
        site,
        {
            "Wheel_Made-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: Wheel_Made\nVersion: 1\n\nName: other\n",
            "folder-2.egg-info/PKG-INFO": "name: folder\nversion: 2\n",
            "file-3.egg-info": "Name: file\nVersion: 3\n",
            "broken-4.dist-info/RECORD": "",
            "nameless-5.dist-info/METADATA": "Version: 5\n\nName: nameless\n",
        },
    )
    found = probe(environment / "bin" / "python", PlainSandbox(tmp_path)).distributions
    assert found == {"wheel-made": "1", "folder": "2", "file": "3"}


def test_tools_are_not_lent_to_another_kind_of_interpreter(tmp_path: Path) -> None:
    answer = '{"version": [3, 9], "abi": "x", "site": "/x", "distributions": {"Pytest": "7"}}'
    other = fake_python(tmp_path / "other", f"echo '{answer}'")
    with pytest.raises(Misconfigured, match=r"has no coverage, and its Python 3\.9 is not the coordinator's"):
        keeper(tmp_path, active=other).environment_for(tmp_path)


def test_what_is_lent_is_what_pytest_and_coverage_require() -> None:
    """The list in the code is fixed; this fails when a new release of pytest requires something else."""
    required = {"pytest", "coverage"}
    for requirement in importlib.metadata.requires("pytest") or []:
        name, _, marker = requirement.partition(";")
        if not any(word in marker for word in ("extra", "python_version <", "sys_platform")):
            required.add(re.split(r"[^\w-]", name.strip())[0].lower())
    assert required == set(TEST_TOOLS)
    assert missing_tools({}) == TEST_TOOLS
    assert missing_tools({"pytest": "7"}) == ("coverage",)
    assert missing_tools({"pytest": "7", "coverage": "7"}) == ()


def test_lent_files_replace_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, {"pluggy/__init__.py": "mine"})
    borrow(("pluggy",), tmp_path)
    assert (tmp_path / "pluggy" / "__init__.py").read_text() == "mine"
    assert (tmp_path / "pluggy" / "_hooks.py").exists()
    assert not list(tmp_path.rglob("__pycache__"))
