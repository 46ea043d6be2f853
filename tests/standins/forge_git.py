"""The git side of the stand-in: a real bare repository, served by git's own http-backend."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import GIT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NO_REF = re.compile(r"[~^:?*\[\\\s]|\.\.|@\{")
_GIT = shutil.which("git") or "git"


@dataclass(frozen=True)
class CgiAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class BareRepository:
    """A bare repository below a root, at ``<root>/owner/name.git``."""

    def __init__(self, root: Path, full_name: str) -> None:
        self.root = root
        self.path = root / f"{full_name}.git"
        if not self.path.exists():
            self.path.mkdir(parents=True)
            self._git("init", "--quiet", "--bare", "--template=", "--initial-branch=main")

    def commit(self, ref: str) -> str:
        """Return the id of a commit, empty when there is none. A full name of a ref is one, and no expression."""
        if ref.startswith("refs/") and _NO_REF.search(ref):
            return ""
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else ""

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file at a commit."""
        done = self._run("cat-file", "blob", f"{commit}:{path}")
        return done.stdout if done.returncode == 0 else None

    def has_folder(self, commit: str, path: str) -> bool:
        """Whether there is a folder at a commit."""
        return self._run("cat-file", "-t", f"{commit}:{path}").stdout == b"tree\n"

    def update_ref(self, ref: str, commit: str) -> None:
        self._git("update-ref", ref, commit)

    def serve(self, method: str, path: str, headers: Mapping[str, str], body: bytes, user: str | None) -> CgiAnswer:
        """Answer one request of a git client. `path` is below the root, with its query."""
        path_info, _, query = path.partition("?")
        environment = {
            **GIT_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path_info,
            "QUERY_STRING": query,
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
        }
        if user is not None:
            environment["REMOTE_USER"] = user
        done = subprocess.run([_GIT, "http-backend"], env=environment, input=body, capture_output=True, check=True)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200 OK").split()[0])
        return CgiAnswer(status, fields, rest)

    def _git(self, *arguments: str) -> None:
        self._run(*arguments).check_returncode()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [_GIT, "-c", "safe.directory=*", *arguments]
        return subprocess.run(command, cwd=self.path, env=GIT_ENVIRONMENT, capture_output=True, check=False)
