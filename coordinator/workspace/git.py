"""The one way in which the coordinator runs git: fixed arguments, a clean environment, nothing of anyone's run.

Plain git executes what a repository says: hooks, `core.fsmonitor`, filters, external diffs, `remote.*.uploadpack`.
So every call here gets an environment made from nothing, no configuration but the repository's own, the settings of
`FIXED_CONFIG` on top of that one, and an explicit ``--git-dir``: no repository is ever looked for. A secret goes in by
``GIT_CONFIG_COUNT`` (git-config(1), "ENVIRONMENT"; git 2.31): never onto a command line, never into a file.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.workspace.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

ROOT = Path("/")
NO_REPOSITORY = Path("/dev/null")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

FIXED_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.protectHFS=true",
    "core.quotePath=false",
    "core.alternateRefsCommand=:",
    "safe.bareRepository=explicit",
    "gc.auto=0",
    "receive.denyCurrentBranch=refuse",
    "commit.gpgSign=false",
    "transfer.fsckObjects=true",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
)
"""What overrides every repository's own configuration (git-config(1)). Each line switches off something that would
run code, follow somebody else's address, wait for a person, or tidy up a repository that is not ours."""

FIXED_ENVIRONMENT = {
    "HOME": "/dev/null",  # nobody can put a .netrc or a .config below a file
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone is not completed in passing (git 2.45.1, 2.39.4 and those between)
    "GIT_NO_REPLACE_OBJECTS": "1",  # an object id means its own content, whatever refs/replace says
    "GIT_GRAFT_FILE": "/dev/null/none",
}

NETWORK_VARIABLES = frozenset(
    name
    for lower in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (lower, lower.upper(), "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
)
"""The only variables of the operator's environment that may reach git: how to get out, and whom to believe."""

_STDERR_BYTES = 64 * 1024


class GitFailed(Exception):
    """A git command that did not do what it was asked. The texts hold no secret that was given to the call."""

    def __init__(self, arguments: Sequence[str], exit_code: int | None, stdout: str, stderr: str) -> None:
        self.arguments = tuple(arguments)
        self.exit_code = exit_code
        """None when our time limit ended it; negative when a signal did."""
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(f"git {self.arguments[0]} failed ({self._ending}): {self.reason}")

    @property
    def _ending(self) -> str:
        return "time limit" if self.exit_code is None else f"exit code {self.exit_code}"

    @property
    def timed_out(self) -> bool:
        """Whether our time limit ended it."""
        return self.exit_code is None

    @property
    def reason(self) -> str:
        """The line of standard error that says most, at most 300 characters."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        telling = [line for line in lines if re.match(r"(fatal|error|remote): *\S", line)]
        text = (telling or lines or ["no message"])[0]
        return "".join(character for character in text if character.isprintable())[:300]


@dataclass(frozen=True, slots=True)
class GitCall:
    """What one git command is given beside its arguments. Sizes in bytes, times in seconds."""

    repository: Path | None = NO_REPOSITORY
    """The git directory, used as a bare one unless there is a `work_tree`. None lets git look for it above `cwd`."""
    work_tree: Path | None = None
    cwd: Path = ROOT
    stdin: bytes = b""
    accept: Container[int] = (0,)
    """Exit codes that are no failure."""
    seconds: float = 120.0
    output_bytes: int | None = None
    """More standard output than this is cut off, and the command ended."""
    written_file_bytes: int | None = None
    """Largest file that the command may write, to the next multiple of 512."""
    protocol: str = "none"
    """The one transport that it may use: ``none``, ``file``, ``http`` or ``https``."""
    config: Sequence[str] = ()
    """Further ``key=value`` settings, not secret."""
    secret_config: Sequence[tuple[str, str]] = ()
    """Settings that go by the environment."""
    env: Mapping[str, str] = field(default_factory=dict)


NO_OPTIONS = GitCall()


def _bounded(size: int) -> list[str]:
    """Return a command that runs the one behind it with a bound on the size of files (POSIX ``ulimit``: blocks of 512).

    The shell sets it before git exists; setting it from here, git might be faster. Where it may not be set, a lower one
    holds already.
    """
    return ["sh", "-c", '{ ulimit -f "$0" || :; } 2>/dev/null; exec "$@"', str(-(-size // 512))]


class _Running:
    """A git process with its time limit. Standard input and error are files, so that no pipe can block."""

    def __init__(self, process: subprocess.Popen[bytes], stdout: IO[bytes], stderr: IO[bytes], call: GitCall) -> None:
        self._process = process
        self._stderr = stderr
        self._deadline = time.monotonic() + call.seconds
        self._timer = threading.Timer(call.seconds, self._expire)
        self._timer.daemon = True
        self.stdout = stdout
        self.timed_out = False
        self._timer.start()

    def _expire(self) -> None:
        self.timed_out = True
        self.kill()

    def kill(self) -> None:
        """End the process and all that it started. It is not reaped before `finish`, so the id is still its own."""
        os.killpg(self._process.pid, signal.SIGKILL)

    def finish(self) -> int | None:
        """Wait for the end; return the exit code, or None for our time limit."""
        self._timer.cancel()
        self._timer.join()
        try:
            code = self._process.wait(max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._expire()
            code = self._process.wait()
        return None if self.timed_out else code

    def abandon(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        self._timer.cancel()
        self._timer.join()
        if self._process.returncode is None:
            self.kill()
            self._process.wait()

    def errors(self) -> bytes:
        """Return the beginning of standard error."""
        self._stderr.seek(0)
        return self._stderr.read(_STDERR_BYTES)


@dataclass(frozen=True, slots=True)
class Git:
    """The git program of this machine."""

    path: str = DEFAULT_PATH
    """Where programs are looked for, as in ``PATH``."""
    network: Mapping[str, str] = field(default_factory=dict)
    """Proxy and certificate settings; of these only `NETWORK_VARIABLES` are passed on."""

    def run(self, *arguments: str, call: GitCall = NO_OPTIONS) -> bytes:
        """Run one git command and return its standard output.

        Raises `GitFailed`, and `coordinator.errors.Misconfigured` where there is no git.
        """
        with self._started(arguments, call) as running:
            bound = -1 if call.output_bytes is None else call.output_bytes
            output = running.stdout.read(bound)
            if bound >= 0 and running.stdout.read(1):
                return output
            self._check(running, arguments, call, output)
            return output

    @contextmanager
    def stream(self, *arguments: str, call: GitCall = NO_OPTIONS) -> Iterator[IO[bytes]]:
        """Run one git command and give its standard output to be read while it runs.

        What is not read to the end is cut off. Raises like `run`.
        """
        with self._started(arguments, call) as running:
            yield running.stdout
            if not running.stdout.read(1):
                self._check(running, arguments, call, b"")

    def environment(self, call: GitCall) -> dict[str, str]:
        """Return the whole environment of a call; nothing else reaches git."""
        network = {name: value for name, value in self.network.items() if name in NETWORK_VARIABLES}
        secrets = {"GIT_CONFIG_COUNT": str(len(call.secret_config))}
        for number, (key, value) in enumerate(call.secret_config):
            secrets |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        protocol = {"GIT_ALLOW_PROTOCOL": call.protocol}  # overrides even a repository's own protocol.ext.allow
        return {**network, "PATH": self.path, **call.env, **FIXED_ENVIRONMENT, **protocol, **secrets}

    @staticmethod
    def argv(arguments: Sequence[str], call: GitCall) -> list[str]:
        """Return the whole command line of a call."""
        settings = [part for line in (*FIXED_CONFIG, *call.config) for part in ("-c", line)]
        place = []
        if call.repository is not None:
            place = [f"--git-dir={call.repository}"]
            place += ["--bare"] if call.work_tree is None else [f"--work-tree={call.work_tree}"]
        command = ["git", *settings, *place, *arguments]
        return command if call.written_file_bytes is None else [*_bounded(call.written_file_bytes), *command]

    @contextmanager
    def _started(self, arguments: Sequence[str], call: GitCall) -> Iterator[_Running]:
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
            stdin.write(call.stdin)
            stdin.seek(0)
            with self._popen(arguments, call, stdin, stderr) as process:
                if process.stdout is None:
                    raise RuntimeError("standard output was asked for")
                running = _Running(process, process.stdout, stderr, call)
                try:
                    yield running
                finally:
                    running.abandon()

    def _popen(
        self, arguments: Sequence[str], call: GitCall, stdin: IO[bytes], stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self.argv(arguments, call),
                cwd=call.cwd,
                env=self.environment(call),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                process_group=0,
            )
        except FileNotFoundError as error:
            raise Misconfigured(
                f"git was not found in {self.path}", mend="Install git on the runner, or put it on its PATH"
            ) from error

    @staticmethod
    def _check(running: _Running, arguments: Sequence[str], call: GitCall, output: bytes) -> None:
        code = running.finish()
        if code is not None and code in call.accept:
            return
        secrets = [value for _, value in call.secret_config]
        said = redacted(running.errors().decode(errors="replace"), secrets)
        shown = redacted(output[:_STDERR_BYTES].decode(errors="replace"), secrets)
        raise GitFailed(arguments, code, shown, said)
