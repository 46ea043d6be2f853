"""Start one confined command, watch it, end all that is left of it, and report."""

from __future__ import annotations

import marshal
import os
import select
import signal
import time

from coordinator.sandbox import kernel
from coordinator.sandbox.launcher import LENGTH_BYTES, child, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.sandbox.orders import Order

CONTROL = 0
"""Descriptor that the order comes from and that stays open: its end means that the coordinator is gone."""
REPORT = 1

TERMINATE_SECONDS = 1.0
"""Between SIGTERM at the time limit and SIGKILL."""
LINGER_SECONDS = 0.2
"""For what the program left behind to finish by itself, such as bash's process substitutions."""
KILL_SECONDS = 10.0
"""For SIGKILL to work; only a process stuck in the kernel takes that long."""

DRAIN_SECONDS = 1.0

_CHUNK = 1 << 18
_PAUSE_MILLISECONDS = 1
_LONGEST_POLL = 3600.0


def main() -> None:
    """Read the order from `CONTROL`, carry it out, write the report to `REPORT`."""
    supervisor = Supervisor()
    order = read_order()
    if order is not None:
        os.write(REPORT, supervisor.carry_out(order))


def read_order() -> Order | None:
    """Read the length of the order and the order; None when the coordinator went away before it was complete."""
    head = _read_exactly(LENGTH_BYTES)
    text = _read_exactly(int.from_bytes(head, "big")) if head else None
    if text is None:
        return None
    order: Order = marshal.loads(text)  # noqa: S302  (of the coordinator's own; json takes a third of our start)
    return order


def _read_exactly(length: int) -> bytes | None:
    """Read so many bytes from `CONTROL`; None at its end."""
    data = b""
    while len(data) < length:
        chunk = os.read(CONTROL, length - len(data))
        if not chunk:
            return None
        data += chunk
    return data


class Sink:
    """Moves a stream of the command into a file, up to a limit; the rest is read and dropped."""

    def __init__(self, source: int, target: int, limit: int) -> None:
        """`source` is a pipe that does not block."""
        self.truncated = False
        self._source = source
        self._target = target
        self._left = limit

    def pump(self) -> bool:
        """Move what is there; False at the end of the stream."""
        try:
            data = os.read(self._source, _CHUNK)
        except BlockingIOError:
            return True
        written = self._write(data[: self._left])
        self._left -= written
        if written < len(data):
            self.truncated = True
            self._left = 0
        return bool(data)

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._target, data) if data else 0
        except OSError:  # the disk is full: what came so far still counts
            return 0


class Supervisor:
    """The one command of this process."""

    def __init__(self) -> None:
        """Hide, adopt orphans, and turn SIGTERM and SIGCHLD into bytes that `watch` sees."""
        kernel.hide_process()
        kernel.become_subreaper()
        self._wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        self._poller = select.poll()
        self._poller.register(CONTROL, select.POLLIN)
        self._poller.register(self._wake, select.POLLIN)
        self._streams: dict[int, Sink] = {}
        self._sinks: list[Sink] = []
        self._child = 0
        self._status: int | None = None
        self._childless = False
        self._stopped = False

    def carry_out(self, order: Order) -> bytes:
        """Run the command to its end and give the text that `orders.Report` is read from."""
        failures = self._start(order)
        in_time = self.watch(lambda: self._status is not None, order["seconds"])
        if not in_time and not self._stopped:
            tree.send((-self._child,), signal.SIGTERM)  # its whole group
            self.watch(lambda: self._status is not None, TERMINATE_SECONDS)
        elif in_time:
            self.watch(lambda: self._childless, LINGER_SECONDS)
        self._end_children()
        self._drain()
        flags = {
            "timed_out": not in_time and not self._stopped,
            "stopped": self._stopped,
            "truncated": any(sink.truncated for sink in self._sinks),
            "survivors": not self._childless,
        }
        head = [f"status={self._status}", *(name for name, is_set in flags.items() if is_set)]
        return " ".join(head).encode() + b"\n" + _read_failure(failures)

    def watch(self, done: Callable[[], bool], seconds: float) -> bool:
        """Move output and collect the dead until `done`; False when the time was over or we were stopped before."""
        deadline = time.monotonic() + seconds
        self._reap()
        while not done():
            left = deadline - time.monotonic()
            if left <= 0 or self._stopped:
                return False
            for descriptor, _ in self._poller.poll(min(left, _LONGEST_POLL) * 1000):
                self._handle(descriptor)
            self._reap()
        return True

    def _start(self, order: Order) -> int:
        """Fork the command; gives the descriptor on which a failing step of the confinement is told."""
        for descriptor in (order["stdin"], order["stdout"], order["stderr"]):
            if descriptor is not None:
                os.set_inheritable(descriptor, False)
        stdin = os.open("/dev/null", os.O_RDONLY) if order["stdin"] is None else order["stdin"]
        stdout = self._open_stream(order["stdout"], order)
        stderr = stdout if order["stderr"] is None else self._open_stream(order["stderr"], order)
        failures, failures_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(failures, False)
        supervisor = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # else ours would be handled in the child
        self._child = os.fork()
        if self._child == 0:
            child.become_command(order, (stdin, stdout, stderr), supervisor, failures_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for descriptor in {stdin, stdout, stderr, failures_end}:
            os.close(descriptor)
        return failures

    def _open_stream(self, target: int, order: Order) -> int:
        """Make a pipe that ends in the file `target`; gives the end to write to.

        The pipe belongs to the confined uid, so that the program can open /dev/stdout and /dev/stderr by name.
        """
        source, end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(source, False)
        if order["uid"] is not None:
            _give_pipe(end, order["uid"])
        self._streams[source] = Sink(source, target, order["output_bytes"])
        self._sinks.append(self._streams[source])
        self._poller.register(source, select.POLLIN)
        return end

    def _handle(self, descriptor: int) -> None:
        if descriptor in self._streams:
            if not self._streams[descriptor].pump():
                self._poller.unregister(descriptor)
                del self._streams[descriptor]
        elif descriptor == CONTROL:
            self._poller.unregister(CONTROL)
            self._stopped = True
        elif signal.SIGTERM in os.read(self._wake, _CHUNK):
            self._stopped = True

    def _reap(self) -> None:
        while not self._childless:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._child:
                self._status = status

    def _end_children(self) -> None:
        """Kill and collect until there are no children: what a killed process leaves behind becomes our child."""
        deadline = time.monotonic() + KILL_SECONDS
        self._reap()
        while not self._childless and time.monotonic() < deadline:
            if len(tree.descendants(os.getpid())) > tree.BOMB:
                tree.freeze(os.getpid())
            tree.send(tree.children(os.getpid()), signal.SIGKILL)
            for descriptor, _ in self._poller.poll(_PAUSE_MILLISECONDS):
                self._handle(descriptor)
            self._reap()

    def _drain(self) -> None:
        """Take what is still in the pipes. The writers are dead, unless one gave its end to a stranger."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._streams and time.monotonic() < deadline:
            ready, _, _ = select.select(list(self._streams), [], [], 0)
            if not ready:
                return
            for descriptor in ready:
                self._handle(descriptor)


def _give_pipe(end: int, uid: int) -> None:
    """Best effort: a uid that does not exist here is told by the step that takes it on."""
    try:
        os.fchown(end, uid, uid)
    except OSError:
        return


def _read_failure(descriptor: int) -> bytes:
    """Take the failing step from the child, which is gone or has become the program: nothing."""
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return b""
