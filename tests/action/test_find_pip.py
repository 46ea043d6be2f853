from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.find_pip import PINNED_PIP, Wheel, bundled_pips, configured_index, fetch_pip, find_pip
from tests.action.support import BASE_PYTHON, Index, clean_environment, python_without_pip, serve
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from pathlib import Path


def bare_environment(folder: Path) -> tuple[Path, str]:
    """Make an environment by a Python that has no pip anywhere; return its folder and that Python."""
    bare = python_without_pip(folder / "bare")
    subprocess.run([bare, "-I", "-m", "venv", "--without-pip", folder / "env"], check=True)
    return folder / "env", bare


def library(prefix: Path) -> Path:
    return prefix / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"


def some_pip() -> bytes:
    """Return a real pip, as a Python of this machine carries it along."""
    wheels = bundled_pips(BASE_PYTHON, clean_environment())
    if not wheels:
        pytest.skip("this Python carries no pip wheel along")
    return wheels[0].read_bytes()


def index_with(content: bytes, file: str = PINNED_PIP.file) -> Index:
    return Index({f"/simple/pip/{file}": content})


def test_the_pinned_pip_is_a_wheel_with_a_hash() -> None:
    assert PINNED_PIP.file.endswith("-py3-none-any.whl")
    assert len(bytes.fromhex(PINNED_PIP.sha256)) == 32


def test_takes_the_pip_that_a_python_carries_along(tmp_path: Path) -> None:
    folder, bare = bare_environment(tmp_path)
    bundled = library(tmp_path / "bare") / "ensurepip"
    (bundled / "_bundled").mkdir(parents=True)
    (bundled / "__init__.py").touch()
    (bundled / "_bundled" / "pip-0.1-py3-none-any.whl").write_bytes(b"of a Python that is too old or too new")
    (bundled / "_bundled" / "pip-99.0-py3-none-any.whl").write_bytes(some_pip())
    command = find_pip(folder, bare, clean_environment())
    assert command == [str(folder / "bin" / "python"), "-I", f"{bundled}/_bundled/pip-99.0-py3-none-any.whl/pip"]


def test_takes_an_installed_pip_that_can_install_for_another_python(tmp_path: Path) -> None:
    folder, bare = bare_environment(tmp_path)
    ask = [bare, "-I", "-c", "import site; print(site.getsitepackages()[0])"]
    packages = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    wheel = tmp_path / "pip.whl"
    wheel.write_bytes(some_pip())
    subprocess.run([sys.executable, "-I", "-m", "zipfile", "-e", wheel, packages], check=True)
    command = find_pip(folder, bare, clean_environment())
    assert command == [bare, "-I", "-m", "pip", "--python", str(folder / "bin" / "python")]


def test_fetches_the_pinned_pip_and_keeps_it(tmp_path: Path) -> None:
    folder, bare = bare_environment(tmp_path)
    content = some_pip()
    pinned = Wheel(file="pip-99.0-py3-none-any.whl", sha256=hashlib.sha256(content).hexdigest())
    with serve(index_with(content, pinned.file)) as index:
        env = clean_environment(PIP_INDEX_URL=f"{index.url}/simple/")
        command = find_pip(folder, bare, env, pinned)
        assert command == [str(folder / "bin" / "python"), "-I", f"{tmp_path}/{pinned.file}/pip"]
        version = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)
        assert version.stdout.startswith("pip ")
        asked = len(index.requests)
        assert find_pip(folder, bare, env, pinned) == command
        assert len(index.requests) == asked == 2


def test_a_fetched_pip_with_another_hash_is_refused(tmp_path: Path) -> None:
    with serve(index_with(b"evil")) as index, pytest.raises(Unreachable, match="wrong hash"):
        fetch_pip(tmp_path, clean_environment(PIP_INDEX_URL=f"{index.url}/simple"), PINNED_PIP)
    assert list(tmp_path.iterdir()) == []


def test_a_kept_pip_with_another_hash_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / PINNED_PIP.file).write_bytes(b"planted")
    pinned = Wheel(file=PINNED_PIP.file, sha256=hashlib.sha256(b"real").hexdigest())
    with serve(index_with(b"real")) as index:
        wheel = fetch_pip(tmp_path, clean_environment(PIP_INDEX_URL=f"{index.url}/simple"), pinned)
    assert wheel.read_bytes() == b"real"


def test_the_password_of_the_index_goes_to_its_host_only(tmp_path: Path) -> None:
    pinned = Wheel(file=PINNED_PIP.file, sha256=hashlib.sha256(b"real").hexdigest())
    path = f"/simple/pip/{PINNED_PIP.file}"
    with serve(index_with(b"real")) as other, serve(index_with(b"")) as index:
        index.redirects[path] = f"{other.url.replace('127.0.0.1', 'localhost')}{path}"
        url = index.url.replace("//", f"//user:{FORGE_CANARY}%2B@") + "/simple"
        fetch_pip(tmp_path, clean_environment(PIP_INDEX_URL=url), pinned)
    assert all(header.startswith("Basic ") for _, header in index.requests)
    assert other.requests == [(path, "")]


@pytest.mark.parametrize("password", ["", FORGE_CANARY])
def test_an_index_that_fails_is_one_line_without_its_password(tmp_path: Path, password: str) -> None:
    for url, error in ((f"http://u:{password}@127.0.0.1:9", Unreachable), (f"ftp://u:{password}@x", Misconfigured)):
        with pytest.raises(error) as caught:
            fetch_pip(tmp_path, clean_environment(PIP_INDEX_URL=url), PINNED_PIP)
        assert "\n" not in str(caught.value)
        assert FORGE_CANARY not in str(caught.value)


def test_an_index_without_that_pip_says_so(tmp_path: Path) -> None:
    with serve(index_with(b"", "pip-1.0-py3-none-any.whl")) as index, pytest.raises(Misconfigured, match="has no pip-"):
        fetch_pip(tmp_path, clean_environment(PIP_INDEX_URL=f"{index.url}/simple"), PINNED_PIP)


def test_a_wrong_certificate_bundle_is_one_line(tmp_path: Path) -> None:
    env = clean_environment(PIP_INDEX_URL="https://127.0.0.1:9", PIP_CERT=str(tmp_path / "none.pem"))
    with pytest.raises(Unreachable, match="cannot fetch pip"):
        fetch_pip(tmp_path, env, PINNED_PIP)


@pytest.mark.parametrize(
    ("env", "index"),
    [
        ({}, ""),
        ({"PIP_INDEX_URL": "https://a/simple", "UV_INDEX_URL": "https://b"}, "https://a/simple"),
        ({"UV_INDEX_URL": "https://b"}, "https://b"),
        ({"UV_DEFAULT_INDEX": "house=https://c/x?a=b"}, "https://c/x?a=b"),
        ({"UV_DEFAULT_INDEX": "https://c"}, "https://c"),
    ],
)
def test_the_index_that_variables_name(env: dict[str, str], index: str, tmp_path: Path) -> None:
    assert configured_index({"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, **env}) == index


@pytest.mark.parametrize("place", [".pip/pip.conf", ".config/pip/pip.conf", "xdg/pip/pip.conf", "own.conf"])
def test_the_index_that_a_file_names(place: str, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[global]\nindex-url = https://d/%simple\n", "utf-8")
    env = {"HOME": str(tmp_path)}
    if place.startswith("xdg"):
        env["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    if place == "own.conf":
        env["PIP_CONFIG_FILE"] = str(path)
    assert configured_index(env) == "https://d/%simple"
    path.write_text("[install]\nindex-url = https://e\n[global]\nindex-url = https://d\n", "utf-8")
    assert configured_index(env) == "https://e"
    path.write_text("no section\n", "utf-8")
    assert configured_index(env) == ""
