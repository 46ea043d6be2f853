"""What the tests of the installation build: wheels, projects, package indexes on loopback, Pythons without pip."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
BASE_PYTHON = str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))
INSTALLER_FILES = ("__init__.py", "install.py", "dependencies.py", "find_pip.py", "errors.py")


def make_wheel(folder: Path, name: str) -> tuple[Path, str]:
    """Build a wheel of one module, `NAME = 'name'`; return its path and its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"NAME = {name!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def make_project(folder: Path, *, sha256: str, name: str = "tiny") -> Path:
    """Make a checkout with the real installer and locks of one package."""
    package = folder / "coordinator"
    package.mkdir(parents=True)
    for file in INSTALLER_FILES:
        shutil.copy(ROOT / "coordinator" / file, package / file)
    (package / "__main__.py").write_text("import sys, tiny\nprint(tiny.NAME, sys.argv[1:], sys.path[0])\n", "utf-8")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (folder / lock).write_text(f"{name}==1.0 --hash=sha256:{sha256}\n", "utf-8")
    return folder


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment with no Python but the system's shell tools on the path, and no index anywhere."""
    return {"PATH": "/nonexistent", "HOME": "/nonexistent", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, **more}


def run_installer(
    project: Path, *arguments: str | Path, env: Mapping[str, str], python: str = BASE_PYTHON
) -> subprocess.CompletedProcess[str]:
    """Run `install.py` as the action does."""
    command = [python, "-I", str(project / "coordinator" / "install.py"), *map(str, arguments)]
    return subprocess.run(command, env=dict(env), check=False, capture_output=True, text=True)


def start_installer(project: Path, *arguments: str | Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `install.py` and leave it running."""
    command = [BASE_PYTHON, "-I", str(project / "coordinator" / "install.py"), *map(str, arguments)]
    return subprocess.Popen(command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def python_without_pip(folder: Path) -> str:
    """Make an interpreter whose library lacks ensurepip and site-packages, as Debian splits it; return its path."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library, stdlib = folder / "lib" / version, Path(sysconfig.get_path("stdlib"))
    library.mkdir(parents=True)
    for entry in stdlib.iterdir():
        if entry.name not in {"ensurepip", "site-packages", "dist-packages"}:
            (library / entry.name).symlink_to(entry)
    for data in library.glob("_sysconfigdata*.py"):  # where Debian's Python finds the wheels of its distribution
        text = re.sub(r"'WHEEL_PKG_DIR': *'[^']*'", "'WHEEL_PKG_DIR': ''", data.read_text("utf-8"))
        data.unlink()
        data.write_text(text, "utf-8")
    python = folder / "bin" / version
    python.parent.mkdir()
    shutil.copy(Path(BASE_PYTHON).resolve(), python)
    return str(python)


@dataclass
class Index:
    """A package index on loopback. With `held` set it answers for wheels only when that event is set."""

    files: dict[str, bytes]
    held: threading.Event | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and Authorization header of each request."""
    redirects: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def answer(self, path: str) -> bytes | None:
        """Return the content of a path; the page of a folder is a list of links."""
        if path.endswith("/"):
            names = [name.removeprefix(path) for name in self.files if name.startswith(path)]
            return "".join(f'<a href="{name}#sha256=0">{name}</a>\n' for name in names).encode()
        if path.endswith(".whl") and self.held is not None:
            self.asked.set()
            self.held.wait(60)
        return self.files.get(path)


@contextmanager
def serve(index: Index) -> Iterator[Index]:
    """Serve an index until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.requests.append((self.path, self.headers.get("Authorization", "")))
            target = index.redirects.get(self.path)
            content = index.answer(self.path)
            self.send_response(302 if target else 404 if content is None else 200)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield index
    finally:
        if index.held is not None:
            index.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
