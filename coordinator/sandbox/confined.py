"""The sandbox: one folder, one uid, and the function that runs a command confined."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from coordinator.errors import Unreachable
from coordinator.sandbox import reach
from coordinator.sandbox.aside import AsideSandbox
from coordinator.sandbox.ownership import change_owner
from coordinator.sandbox.protocol import Command, CommandResult, Limits, Network
from coordinator.sandbox.removal import remove_tree
from coordinator.sandbox.running import Ended, Launcher, Running
from coordinator.sandbox.uid import lease_uid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from coordinator.sandbox.interrupt import Interrupt
    from coordinator.sandbox.means import Means
    from coordinator.sandbox.orders import Check, Cover, Failure, Order
    from coordinator.sandbox.protocol import Sandbox
    from coordinator.sandbox.uid import UidLease

_PROBE = Command(argv=(), cwd=Path("/"), limits=Limits(seconds=30), network=Network.NONE)


class StepRefused(Exception):
    """The machine does not allow one step of the confinement."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.step}: {failure.error}")
        self.step = failure.step


class ConfinedSandbox:
    """Runs commands that belong to the agent or to the repository. Made by `opening.open_sandbox`.

    Everything of one sandbox (uid, HOME, TMPDIR) is shared by its commands, and nothing of it is seen by another
    sandbox of a root coordinator. So the agent and the gates get one each.
    """

    def __init__(self, root: Path, means: Means, launcher: Launcher) -> None:
        """`root` is a folder of our own that this sandbox removes when it is closed."""
        self.root = root
        self.means = means
        self.environment: Mapping[str, str] = {}
        self._launcher = launcher
        self._required: dict[Path, reach.Use] = {root: reach.Use.ENTER}
        self._covers: tuple[Cover, ...] = ()
        self._reaching = threading.RLock()
        self._running: set[Running] = set()
        self._stopped = False
        self._second: UidLease | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def description(self) -> str:
        """One line for people: how commands are confined here."""
        network = "held back where asked" if self.means.holds_network else "not held back here"
        covered = "".join(f", private view of {cover['folder']}" for cover in self._covers)
        return f"{self.means.side}, clean environment, no new privileges{covered}; network {network}"

    def run(self, command: Command) -> CommandResult:
        """Run one command and leave no process of it behind. Thread-safe.

        A program that is missing or a folder that cannot be entered is a result with a shell's exit code (127, 126).
        Raises `Unreachable` when the confinement itself cannot be set up, when a process could not be ended, and after
        `stop_all`. An exception that a signal handler raises meanwhile passes through when all processes are gone.
        """
        return self.run_as(command, self.means.uid)

    def run_as(self, command: Command, uid: int | None) -> CommandResult:
        """Do the same as another uid, which has to be one that was leased for it."""
        order = self._order(command, uid)
        try:
            ended = self._carry_out(order, command.stdin, command.interrupt, merged=command.merge_stderr)
        except StepRefused as refused:
            raise Unreachable(
                f"a command could not be confined: {refused}", mend="See what `coordinator doctor` says of this runner"
            ) from refused
        return _result(ended, command)

    def check_reachable(self, path: Path, *, writable: bool = False) -> None:
        """Make sure that commands can read a file or folder, by a private view of a closed parent where needed.

        Raises `Misconfigured`, which names the closed folder and the mend. Looks at the way to `path` and at `path`
        itself, not at what is in it.
        """
        use = reach.Use.WRITE if writable else reach.Use.READ
        with self._reaching:
            self.reach({path: max(self._required.get(path, use), use)})

    def reach(self, required: Mapping[Path, reach.Use], optional: Sequence[Path] = ()) -> frozenset[Path]:
        """Do the same for several paths; gives those of the optional ones that can be read."""
        with self._reaching:
            wanted = {path: use for path, use in self._required.items() if path.exists()} | dict(required)
            uid = self.means.uid
            plan = reach.plan(wanted, optional, self.probe, self.means.side, uid)
            if uid != self.means.uid:  # found out meanwhile; what is closed to that uid need not be closed to ours
                plan = reach.plan(wanted, optional, self.probe, self.means.side)
            self._required, self._covers = wanted, plan.covers
        return plan.readable

    def probe(self, checks: list[Check], covers: list[Cover]) -> list[bool]:
        """Ask the kernel, as the confined side, what it may use. Raises `reach.NoView`.

        A machine that does not let us hold the network or change the uid is remembered in `means`.
        """
        while True:
            order: Order = {**self._order(_PROBE, self.means.uid), "checks": checks, "covers": covers}
            try:
                ended = self._carry_out(order, b"", None, merged=False)
            except StepRefused as refused:
                if refused.step == "view":
                    raise reach.NoView from refused
                self._do_without(refused)
            else:
                return _answers(ended, len(checks))

    def give(self, folder: Path) -> None:
        """Hand an existing folder with all its content over to the confined side, so that commands may write there.

        Raises `Misconfigured` for a file with a second hard link, and when the folder cannot be reached.
        """
        if self.means.uid is not None:
            change_owner(folder, self.means.uid)
        if not folder.is_relative_to(self.root):
            self.check_reachable(folder, writable=True)

    def take(self, folder: Path) -> None:
        """Take a folder with all its content back: the confined side may still be able to read it, but not to write."""
        if self.means.uid is not None:
            change_owner(folder, os.geteuid(), was=self.means.uid)

    def make_folder(self, prefix: str) -> Path:
        """Create an empty folder, closed to other users, that commands can reach and write. Gone after `close`."""
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.root))
        if self.means.uid is not None:
            os.chown(folder, self.means.uid, self.means.uid)
        return folder

    def aside(self) -> Sandbox:
        """Return the same sandbox with a uid of its own for its commands; where there are no uids to have, this one.

        Raises what `lease_uid` raises.
        """
        if self.means.uid is None:
            return self
        with self._reaching:
            if self._second is None:
                self._second = lease_uid()
        return AsideSandbox(self.root, self._second.uid, self.description, self.run_as)

    def stop_all(self) -> None:
        """End all running commands, and run none from now on. Returns at once; for signal handlers and other threads.

        Each `run` raises `Unreachable` in its own thread as soon as all its processes are gone.
        """
        self._stopped = True
        for running in tuple(self._running):
            running.stop()

    def close(self) -> None:
        """Remove the sandbox's folder and give its uid back. All `run` calls must have returned."""
        remove_tree(self.root)
        for lease in filter(None, (self.means.lease, self._second)):
            lease.release()
        self.means, self._second = replace(self.means, lease=None), None

    def _order(self, command: Command, uid: int | None) -> Order:
        """Write the order for a command; `Running` fills in the descriptors."""
        return {
            "argv": list(command.argv),
            "checks": [],
            "cwd": str(command.cwd.absolute()),
            "env": {**self.environment, **command.env},
            "seconds": command.limits.seconds,
            "stdin": None,
            "stdout": -1,
            "stderr": None,
            "output_bytes": command.limits.output_bytes,
            "file_bytes": command.limits.file_bytes,
            "processes": None if uid is None else self.means.processes,
            "uid": uid,
            "network": command.network.value if self.means.holds_network else Network.OPEN.value,
            "covers": list(self._covers),
            "hides_processes": self.means.hides_processes,
        }

    def _carry_out(self, order: Order, stdin: bytes, interrupt: Interrupt | None, *, merged: bool) -> Ended:
        """Let a supervisor do it. Raises `StepRefused` when a step failed, `Unreachable` when the supervisor did."""
        with Running(self._launcher, self.root, stdin) as running:
            self._running.add(running)
            try:
                self._refuse_when_stopped()
                with interrupt.stopping(running.stop) if interrupt is not None else nullcontext():
                    ended = running.carry_out(order, merged=merged)
            finally:
                self._running.discard(running)
        self._refuse_when_stopped()
        return _checked(ended)

    def _refuse_when_stopped(self) -> None:
        if self._stopped:
            raise Unreachable("confined commands were stopped because the run ends", mend="Start the run again")

    def _do_without(self, refused: StepRefused) -> None:
        if refused.step == "processes" and self.means.hides_processes:
            self.means = replace(self.means, hides_processes=False)
        elif refused.step == "network" and self.means.holds_network:
            self.means = replace(self.means, holds_network=False)
        elif refused.step == "identity" and self.means.lease is not None:
            self.means.lease.release()
            self.means = replace(self.means, lease=None)
        else:
            raise Unreachable(
                f"this machine cannot confine commands: {refused}",
                mend="See what `coordinator doctor` says of this runner",
            ) from refused


def _answers(ended: Ended, wanted: int) -> list[bool]:
    words = ended.stdout.decode(errors="replace").split()
    if ended.report is None or len(words) != wanted or not {"yes", "no"}.issuperset(words):
        raise Unreachable(
            "the launcher of confined commands was ended before it could answer",
            mend="Run again when the machine has room",
        )
    return [word == "yes" for word in words]


def _checked(ended: Ended) -> Ended:
    """Pass on how a command ended, unless it is our own side that failed."""
    if not ended.clean:
        raise Unreachable("a process of a confined command could not be ended", mend="Restart the runner's machine")
    if ended.report is None and ended.returncode >= 0:
        raise Unreachable(
            f"the launcher of confined commands failed: {ended.complaint}", mend="Check the coordinator's installation"
        )
    if ended.report is not None and ended.report.failure is not None:
        raise StepRefused(ended.report.failure)
    return ended


def _result(ended: Ended, command: Command) -> CommandResult:
    limit = command.limits.output_bytes
    if ended.report is None:  # a command of our own uid has killed its supervisor
        return CommandResult(
            exit_code=None,
            signal=None if ended.overdue else -ended.returncode,
            timed_out=ended.overdue,
            stdout=ended.stdout,
            stderr=ended.stderr,
            truncated=limit in {len(ended.stdout), len(ended.stderr)},
            seconds=ended.seconds,
        )
    status = signal.SIGKILL if ended.report.status is None else ended.report.status
    code = os.waitstatus_to_exitcode(status)
    return CommandResult(
        exit_code=None if code < 0 or ended.report.timed_out else code,
        signal=-code if code < 0 else None,
        timed_out=ended.report.timed_out,
        stdout=ended.stdout,
        stderr=ended.stderr,
        truncated=ended.report.truncated,
        seconds=ended.seconds,
    )
