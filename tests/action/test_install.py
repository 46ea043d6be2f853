from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest

from coordinator.dependencies import (
    MARKER,
    base_python,
    environment_key,
    failure,
    installer_environment,
    prepare,
    prepare_environment,
    usable_root,
)
from coordinator.errors import Misconfigured, Unreachable
from coordinator.install import main
from tests.action.support import (
    BASE_PYTHON,
    ROOT,
    Index,
    clean_environment,
    make_project,
    make_wheel,
    python_without_pip,
    run_installer,
    serve,
    start_installer,
)
from tests.support import API_CANARY, FORGE_CANARY


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return tmp_path / "wheels"


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Path:
    return make_project(tmp_path / "a project", sha256=make_wheel(wheels, "tiny")[1])


@pytest.fixture
def env(wheels: Path) -> dict[str, str]:
    return clean_environment(PIP_FIND_LINKS=str(wheels))


def imports_tiny(python: str | Path) -> bool:
    return subprocess.run([python, "-I", "-c", "import tiny"], check=False, capture_output=True).returncode == 0


def environments(root: Path) -> list[Path]:
    return [path for path in (root / "coordinator").iterdir() if path.is_dir()]


def test_installs_what_the_lock_names_and_finds_it_again(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    first = run_installer(project, tmp_path / "root", env=env)
    assert first.returncode == 0, first.stderr
    assert re.search(r"installed in \d+\.\d s", first.stderr)
    python = first.stdout.splitlines()[-1]
    assert imports_tiny(python)
    assert Path(python).parents[2] == tmp_path / "root" / "coordinator"
    second = run_installer(project, tmp_path / "root", env=env)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, ""), "nothing was installed"


def key_of(lock: str, python: str) -> str:
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}]; from coordinator.dependencies import environment_key as key; "
    command = [python, "-I", "-c", f"{code} print(key({lock.encode()!r}))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_key_names_the_lock_and_the_interpreter(tmp_path: Path) -> None:
    assert environment_key(b"a") != environment_key(b"b")
    here = key_of("a", BASE_PYTHON)
    assert here == environment_key(b"a"), "an environment and the Python behind it are the same interpreter"
    assert key_of("a", python_without_pip(tmp_path / "other")) != here


@pytest.mark.parametrize("hashes", [f" --hash=sha256:{'0' * 64}", ""], ids=["wrong hash", "no hash"])
def test_only_what_the_lock_names_is_installed(project: Path, tmp_path: Path, env: dict[str, str], hashes: str) -> None:
    (project / "requirements.lock").write_text(f"tiny==1.0{hashes}\n", "utf-8")
    with pytest.raises(Unreachable, match=r"(?i)hash") as caught:
        prepare_environment([str(tmp_path / "root")], project, env)
    assert caught.value.mend.startswith("Check the package index")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "root").rglob(MARKER))
    assert not list((tmp_path / "root").rglob("tiny.py"))


def test_no_code_of_a_package_runs_while_it_is_installed(
    project: Path, tmp_path: Path, wheels: Path, env: dict[str, str]
) -> None:
    next(wheels.glob("tiny*")).unlink()
    script = f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode()
    with tarfile.open(wheels / "tiny-1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("tiny-1.0/setup.py")
        entry.size = len(script)
        archive.addfile(entry, BytesIO(script))
    sha256 = hashlib.sha256((wheels / "tiny-1.0.tar.gz").read_bytes()).hexdigest()
    (project / "requirements.lock").write_text(f"tiny==1.0 --hash=sha256:{sha256}\n", "utf-8")
    assert run_installer(project, tmp_path / "root", env=env).returncode == 4
    assert not (tmp_path / "ran").exists()


def test_a_missing_package_is_one_line_with_the_mend(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    address = f"http://user:{FORGE_CANARY}@127.0.0.1:9/"
    secret_index = {**env, "PIP_NO_INDEX": "0", "PIP_INDEX_URL": address, "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
    done = run_installer(project, tmp_path / "root", env=secret_index)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("coordinator: error: cannot install the dependencies: ")
    assert len(done.stderr.splitlines()) == 2
    assert "PIP_INDEX_URL" in done.stderr
    assert FORGE_CANARY not in done.stderr


def test_a_kill_in_the_middle_leaves_nothing_half(project: Path, tmp_path: Path, wheels: Path) -> None:
    content = next(wheels.glob("*.whl")).read_bytes()
    with serve(Index({"/tiny-1.0-py3-none-any.whl": content}, held=threading.Event())) as index:
        env = clean_environment(PIP_FIND_LINKS=f"{index.url}/")
        with start_installer(project, tmp_path / "root", env=env) as killed:
            assert index.asked.wait(60)
            killed.kill()
        [folder] = environments(tmp_path / "root")
        assert (folder / "pyvenv.cfg").exists()
        assert not (folder / MARKER).exists()
        with start_installer(project, tmp_path / "root", env=env) as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline(), "the killed job's pip still writes: nobody else may"
            assert index.held is not None
            index.held.set()
            output, errors = second.communicate(timeout=120)
    assert second.returncode == 0, errors
    assert imports_tiny(output.strip())
    assert environments(tmp_path / "root") == [folder]
    assert json.loads((folder / MARKER).read_text("utf-8")) == {"key": folder.name}


def test_two_jobs_at_once_install_once(project: Path, tmp_path: Path, wheels: Path) -> None:
    content = next(wheels.glob("*.whl")).read_bytes()
    with serve(Index({"/tiny-1.0-py3-none-any.whl": content}, held=threading.Event())) as index:
        env = clean_environment(PIP_FIND_LINKS=f"{index.url}/")
        with start_installer(project, tmp_path / "root", env=env) as first:
            assert index.asked.wait(60)
            with start_installer(project, tmp_path / "root", env=env) as second:
                assert second.stderr is not None
                assert "waiting" in second.stderr.readline()
                assert index.held is not None
                index.held.set()
                second_output, second_errors = second.communicate(timeout=120)
            first_output, first_errors = first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0), first_errors + second_errors
    assert first_output == second_output
    assert "installed in" in first_errors
    assert "install" not in second_errors
    assert len([path for path, _ in index.requests if path.endswith(".whl")]) == 1


@dataclass
class Builder:
    """Builds an environment without packages, and counts."""

    folder: Path
    built: int = 0
    wait_for: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.started.set()
        assert self.wait_for.wait(60)
        self.built += 1
        subprocess.run([BASE_PYTHON, "-I", "-m", "venv", "--without-pip", self.folder], check=True)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    builder = Builder(tmp_path / "envs" / "one")
    builder.wait_for.set()
    return builder


def test_a_complete_environment_is_built_once(builder: Builder) -> None:
    assert prepare(builder.folder, "key", builder) == builder.folder / "bin" / "python"
    prepare(builder.folder, "key", builder)
    assert builder.built == 1
    prepare(builder.folder, "other key", builder)
    assert builder.built == 2


def test_what_is_half_made_is_replaced(builder: Builder) -> None:
    prepare(builder.folder, "key", builder)
    for marker in ("", "no json", "[]", '{"key": "older"}'):
        (builder.folder / MARKER).write_text(marker, "utf-8")
        (builder.folder / "leftover").touch()
        prepare(builder.folder, "key", builder)
        assert not (builder.folder / "leftover").exists()
    assert builder.built == 5


def test_a_kill_while_the_old_one_is_removed_leaves_nothing_in_the_way(builder: Builder) -> None:
    removed = builder.folder.with_name("one.removed")
    removed.mkdir(parents=True)
    (removed / "lib").touch()
    prepare(builder.folder, "key", builder)
    assert not removed.exists()


def test_a_build_that_fails_leaves_no_marker(builder: Builder) -> None:
    def fails() -> None:
        builder()
        raise Unreachable("no network", mend="again")

    with pytest.raises(Unreachable):
        prepare(builder.folder, "key", fails)
    assert not (builder.folder / MARKER).exists()
    prepare(builder.folder, "key", builder)
    assert builder.built == 2


def test_an_environment_whose_python_is_gone_is_made_anew(builder: Builder) -> None:
    python = prepare(builder.folder, "key", builder)
    python.unlink()
    python.symlink_to("/nonexistent/python")
    prepare(builder.folder, "key", builder)
    assert builder.built == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_an_environment_of_another_account_is_not_used(builder: Builder) -> None:
    prepare(builder.folder, "key", builder)
    (builder.folder / "planted").touch()
    os.chown(builder.folder, 65534, 65534)
    prepare(builder.folder, "key", builder)
    assert not (builder.folder / "planted").exists()


def test_an_empty_folder_is_used(builder: Builder) -> None:
    builder.folder.mkdir(parents=True)
    prepare(builder.folder, "key", builder)
    assert builder.built == 1


def test_who_comes_second_waits_and_says_so(builder: Builder, capsys: pytest.CaptureFixture[str]) -> None:
    builder.wait_for.clear()
    threads = [threading.Thread(target=prepare, args=(builder.folder, "key", builder)) for _ in range(2)]
    threads[0].start()
    assert builder.started.wait(60)
    threads[1].start()
    deadline = time.monotonic() + 60
    said = ""
    while "waiting for another job" not in said and time.monotonic() < deadline:
        said += capsys.readouterr().err
        time.sleep(0.01)
    builder.wait_for.set()
    for thread in threads:
        thread.join()
    assert "waiting for another job" in said
    assert builder.built == 1


def test_takes_the_first_root_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert usable_root([Path("relative"), tmp_path / "file", tmp_path / "a", tmp_path / "b"]) == tmp_path / "a"
    assert not (tmp_path / "b").exists()
    assert not Path("relative").exists()
    with pytest.raises(Misconfigured, match="No folder to install into: relative"):
        usable_root([Path("relative")])


def test_a_folder_that_is_no_environment_is_left_alone(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x", "utf-8")
    with pytest.raises(Misconfigured, match="no Python environment"):
        prepare_environment(["--dev", str(precious)], project, env)
    assert (precious / "thesis.txt").exists()


def test_the_development_environment_has_the_project_and_its_command(project: Path, env: dict[str, str]) -> None:
    python = prepare_environment(["--dev", str(project / ".venv")], project, env)
    assert python == project / ".venv" / "bin" / "python"
    command = [str(project / ".venv" / "bin" / "coordinator"), "run", "a b"]
    ran = subprocess.run(command, cwd="/", env={"PATH": "/usr/bin:/bin"}, check=True, capture_output=True, text=True)
    assert ran.stdout.startswith("tiny ['run', 'a b']")
    (project / "requirements.lock").write_text("what the action installs\n", "utf-8")
    same = run_installer(project, "--dev", project / ".venv", env=env, python=str(python))
    assert (same.returncode, same.stderr) == (0, ""), "the lock of the action is another"
    with (project / "requirements-dev.lock").open("a", encoding="utf-8") as lock:
        lock.write("# new\n")
    again = run_installer(project, "--dev", project / ".venv", env=env, python=str(python))
    assert again.returncode == 0, again.stderr
    assert "installed in" in again.stderr


def test_no_root_at_all_is_one_line(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    done = run_installer(project, tmp_path / "file", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("coordinator: error: No folder to install into")
    for arguments in ((), ("",), ("--dev",), ("--dev", "a", "b")):
        wrong = run_installer(project, *arguments, env=env)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "Usage: install.py ROOT" in wrong.stderr


def test_a_folder_that_fails_is_one_line(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="cannot install into") as caught:
        prepare_environment(["--dev", str(tmp_path / "file" / "venv")], project, env)
    assert "\n" not in str(caught.value)


def test_a_python_without_ensurepip_and_pip_borrows_one(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    bare = python_without_pip(tmp_path / "bare")
    lacking = subprocess.run([bare, "-I", "-c", "import ensurepip"], check=False, capture_output=True, text=True)
    assert "No module named 'ensurepip'" in lacking.stderr
    path = f"{Path(BASE_PYTHON).parent}:/usr/bin:/bin"
    done = run_installer(project, tmp_path / "root", env={**env, "PATH": path}, python=bare)
    assert done.returncode == 0, done.stderr
    assert imports_tiny(done.stdout.strip())
    config = (Path(done.stdout.strip()).parents[1] / "pyvenv.cfg").read_text("utf-8")
    assert str(tmp_path / "bare") in config


def test_a_machine_without_any_pip_says_what_to_install(project: Path, tmp_path: Path, env: dict[str, str]) -> None:
    done = run_installer(project, tmp_path / "root", env=env, python=python_without_pip(tmp_path / "bare"))
    assert done.returncode == 2
    assert "no pip, and no package index is configured" in done.stderr
    assert "python3-venv" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr


UV = """\
#!/bin/sh
# Stands in for uv, where there is none: the same two commands by venv and pip. Writes down what it was given.
env > {log}.env
echo "$@" >> {log}
for last; do :; done
case "$1" in
  venv) exec {python} -I -m venv --without-pip "$last" ;;
  pip) exec {python} -I -m pip --python "$4/bin/python" install --no-deps --require-hashes --requirement "$last" ;;
esac
"""


def test_uv_is_taken_where_there_is_one_and_sees_no_secret(
    project: Path, tmp_path: Path, wheels: Path, env: dict[str, str]
) -> None:
    log, folder = tmp_path / "uv.log", tmp_path / "bin"
    folder.mkdir()
    (folder / "uv").write_text(UV.format(log=log, python=BASE_PYTHON), "utf-8")
    (folder / "uv").chmod(0o755)
    secrets = {"INPUT_TOKEN": FORGE_CANARY, "ANTHROPIC_API_KEY": API_CANARY, "ACTIONS_RUNTIME_TOKEN": FORGE_CANARY}
    job = {**env, **secrets, "PATH": f"{folder}:/usr/bin:/bin"}
    python = prepare_environment([str(tmp_path / "root")], project, job)
    assert imports_tiny(python)
    venv, install = log.read_text("utf-8").splitlines()
    assert venv.startswith("venv ")
    assert f"--python {base_python()}" in venv
    for option in ("--require-hashes", "--only-binary :all:", "--no-deps"):
        assert option in install
    seen = Path(f"{log}.env").read_text("utf-8")
    assert "canary" not in seen
    assert f"PIP_FIND_LINKS={wheels}" in seen


def test_installers_see_what_they_need_and_no_more() -> None:
    kept = {
        "PATH": "/bin",
        "HOME": "/home/x",
        "LC_ALL": "C",
        "PIP_INDEX_URL": "https://pip.example.com",
        "UV_INDEX_HOUSE_PASSWORD": "for-uv",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "REQUESTS_CA_BUNDLE": "/etc/ca.pem",
    }
    names = "ANTHROPIC_API_KEY GITHUB_TOKEN INPUT_TOKEN INPUT_ANTHROPIC-API-KEY ACTIONS_RUNTIME_TOKEN DATABASE_URL"
    dropped = dict.fromkeys([*names.split(), "PYTHONPATH", "LD_PRELOAD", "GITHUB_OUTPUT", "XPATH"], API_CANARY)
    assert installer_environment({**kept, **dropped}) == kept


def test_the_script_can_say_that_python_is_too_old(capsys: pytest.CaptureFixture[str]) -> None:
    ast.parse((ROOT / "coordinator" / "install.py").read_text("utf-8"), feature_version=(3, 8))
    assert main(["x"], {}, version=(3, 10)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "coordinator: error: Python 3.10 is too old. Use Python 3.11 or newer.\n"


def test_the_command_prints_the_python_or_the_error(
    tmp_path: Path, env: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["install.py"])
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(ROOT)])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "coordinator" / "install.py"), run_name="__main__")
    assert caught.value.code == 2
    assert "Usage" in capsys.readouterr().err
    # A whole environment of this checkout's own lock would take long: one is made to look complete.
    key = environment_key((ROOT / "requirements.lock").read_bytes())
    folder = tmp_path / "coordinator" / key
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / MARKER).write_text(json.dumps({"key": key}), "utf-8")
    assert main([str(tmp_path)], env) == 0
    assert capsys.readouterr().out == f"{folder}/bin/python\n"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("Collecting x\nERROR: No matching distribution.\nERROR: more", "ERROR: No matching distribution"),
        ("ERROR: a\n  x Failed to download\n  `-> Hash mismatch for x:\n", "Hash mismatch for x"),
        ("something else\n", "something else"),
        ("", "no reason was given"),
        (f"ERROR: GET https://u:{FORGE_CANARY}@pip.example.com/x", "ERROR: GET https://***@pip.example.com/x"),
        ("ERROR " + "x" * 1000, "ERROR " + "x" * 294),
    ],
)
def test_the_line_of_a_failure_that_says_most(output: str, line: str) -> None:
    assert failure(output) == line


def test_only_the_standard_library_is_needed() -> None:
    names = ("install.py", "dependencies.py", "find_pip.py", "errors.py", "__init__.py")
    for name in names:
        for node in ast.walk(ast.parse((ROOT / "coordinator" / name).read_text("utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                top = module.split(".")[0]
                assert top in sys.stdlib_module_names or f"{module.removeprefix('coordinator.')}.py" in names, module
