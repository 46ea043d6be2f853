"""The environment with the pinned dependencies: found, or built so that nobody ever sees a half of it.

An environment counts only once its marker is there, and the marker is renamed into place when all is done, under a
lock that the kernel drops with the process: a kill in the middle and two jobs at once leave nothing half made.

Everything comes as wheels whose hashes stand in ``requirements.lock``, or for development in
``requirements-dev.lock``, which has what only the tests need as well; no code of a package runs while it is
installed. `uv` is used where there is one, else some pip. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MARKER = "coordinator.json"
KEPT_VARIABLES = re.compile(
    r"(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TMPDIR|TZ|NETRC|LD_LIBRARY_PATH|PIP_\w+|UV_\w+|XDG_\w+|SSL_CERT_\w+"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY)",
    re.IGNORECASE,
)
"""What an installer may need. Keys, tokens, inputs and the runner's variables are not among it."""


def prepare_environment(argv: Sequence[str], project: Path, environ: Mapping[str, str]) -> Path:
    """Return the python of the environment that the command line asks for; `project` holds the lock files.

    Raises `Misconfigured` for wrong use or when there is nothing to install with, `Unreachable` when it failed.
    """
    development = list(argv[:1]) == ["--dev"]
    folders = [Path(text) for text in argv[development:] if text]
    if not folders or (development and len(folders) > 1):
        raise Misconfigured("No folder was given", mend="Usage: install.py ROOT... or install.py --dev FOLDER")
    lock_file = project / ("requirements-dev.lock" if development else "requirements.lock")
    key = environment_key(lock_file.read_bytes())
    folder = folders[0].absolute() if development else usable_root(folders) / "coordinator" / key

    def build_it() -> None:
        build(folder, lock_file, environ)
        if development:
            add_project(folder, project)

    try:
        return prepare(folder, key, build_it)
    except OSError as error:
        what = f"cannot install into {folder}: {error.strerror}: {error.filename}"
        raise Unreachable(what, mend="Free or permit that folder") from None


def environment_key(lock: bytes) -> str:
    """Return the name of the environment for this lock file and this interpreter."""
    interpreter = json.dumps([sys.version, sys.base_prefix, sysconfig.get_platform()])
    return hashlib.sha256(lock + interpreter.encode()).hexdigest()[:16]


def usable_root(roots: Sequence[Path]) -> Path:
    """Return the first root that is absolute and can be written."""
    for root in roots:
        if root.is_absolute() and is_usable(root / "coordinator"):
            return root
    names = ", ".join(str(root) for root in roots)
    raise Misconfigured(f"No folder to install into: {names}", mend="Let the runner write one of them")


def is_usable(folder: Path) -> bool:
    """Tell whether the folder is there or can be made, and can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def prepare(folder: Path, key: str, build_it: Callable[[], None]) -> Path:
    """Return the python of the environment in the folder; build it there unless it is complete and has that key."""
    if not is_complete(folder, key):
        with locked(folder.with_name(f"{folder.name}.lock")):
            if not is_complete(folder, key):
                remove_environment(folder)
                build_it()
                marker = folder / MARKER
                unfinished = marker.with_suffix(".new")
                unfinished.write_text(json.dumps({"key": key}), encoding="utf-8")
                unfinished.replace(marker)
    return folder / "bin" / "python"


def is_complete(folder: Path, key: str) -> bool:
    """Tell whether a whole environment of that key is there, and whether it belongs to us or to root.

    The tool cache of a runner may be shared: what another account made could run anything as us.
    """
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        owner = folder.stat().st_uid
    except (OSError, ValueError):
        return False
    return marker == {"key": key} and owner in {0, os.getuid()} and (folder / "bin" / "python").exists()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with this process, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        os.set_inheritable(file.fileno(), True)  # see `run`
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another job that installs")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_environment(folder: Path) -> None:
    """Remove what an earlier version or a killed job left. Anything but an environment is left alone."""
    removed = folder.with_name(f"{folder.name}.removed")
    if removed.exists():
        shutil.rmtree(removed)
    if not folder.exists():
        return
    if not (folder / "pyvenv.cfg").exists() and any(path.is_file() for path in folder.rglob("*")):
        raise Misconfigured(f"{folder} exists and is no Python environment", mend="Move it away")
    folder.rename(removed)  # first, so that a kill in the middle of the next line leaves nothing under the name
    shutil.rmtree(removed)


def build(folder: Path, lock_file: Path, environ: Mapping[str, str]) -> None:
    """Make the environment and install what the lock file names."""
    started = time.monotonic()
    python, env = base_python(), installer_environment(environ)
    say(f"installing the pinned dependencies into {folder}")
    uv = shutil.which("uv", path=env.get("PATH"))
    if uv:
        run([uv, "venv", "--quiet", "--no-project", "--no-python-downloads", "--python", python, str(folder)], env)
        installer = [uv, "pip", "install", "--python", str(folder), "--compile-bytecode"]
    else:
        run([python, "-I", "-m", "venv", "--without-pip", str(folder)], env)
        from coordinator.find_pip import find_pip  # noqa: PLC0415  (slow to import, and rarely needed)

        installer = [*find_pip(folder, python, env), "install", "--no-input", "--disable-pip-version-check"]
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock_file)]
    run([*installer, *options], env)
    say(f"installed in {time.monotonic() - started:.1f} s")


def base_python() -> str:
    """Return this interpreter, or the one behind it when this is that of an environment, maybe the one to replace."""
    behind = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return str(behind) if sys.prefix != sys.base_prefix and behind.exists() else sys.executable


def installer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what installers get to see of the job's environment."""
    return {name: value for name, value in environ.items() if KEPT_VARIABLES.fullmatch(name)}


def run(command: Sequence[str], env: Mapping[str, str]) -> None:
    """Run one step of the installation, away from the workspace and its configuration files."""
    done = subprocess.run(
        command,
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        close_fds=False,  # the lock goes along: an installer that outlives a killed job still holds it
    )
    if done.returncode:
        reason = failure(done.stderr or done.stdout)
        mend = "Check the network, PIP_INDEX_URL and the proxy of the runner, then start the job again"
        if re.search("hash", reason, re.IGNORECASE):
            mend = "Check the package index: a file of it is not the one that requirements.lock names"
        raise Unreachable(f"cannot install the dependencies: {reason}", mend=mend)


def failure(output: str) -> str:
    """Return the line of an installer's output that says most, without passwords."""
    lines = [re.sub(r"^\W+|[\s.:]+$", "", line) for line in output.splitlines() if line.strip()]
    telling = [line for word in ("hash", "error") for line in lines if word in line.lower()]
    line = next(iter(telling or lines), "no reason was given")
    return re.sub(r"//[^/@\s]*@", "//***@", line)[:300]


def add_project(folder: Path, project: Path) -> None:
    """Make the checkout importable in the environment and give it the command ``coordinator``."""
    packages = next(folder.glob("lib/python3*/site-packages"))
    (packages / "coordinator.pth").write_text(f"{project}\n", encoding="utf-8")
    command = folder / "bin" / "coordinator"
    python = shlex.quote(str(folder / "bin" / "python"))
    command.write_text(f'#!/bin/sh\nexec {python} -P -m coordinator "$@"\n', encoding="utf-8")
    command.chmod(0o755)


def say(line: str) -> None:
    """Tell a person who watches the log."""
    sys.stderr.write(f"coordinator: {line}\n")
