"""What happens between fork and the confined program."""

# Importing pathlib would cost the launcher a third of its start.
# ruff: noqa: PTH123

from __future__ import annotations

import errno
import os
import resource
import signal

from coordinator.sandbox import kernel
from coordinator.sandbox.launcher import view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from coordinator.sandbox.orders import Order

OPEN_FILES = 65536
"""Ceiling of RLIMIT_NOFILE: some programs walk all descriptors up to the limit, which containers set to a billion."""

CANNOT_RUN = 126
NOT_FOUND = 127
"""Exit codes of a shell for a program that cannot be run, or does not exist."""

_UNCHANGEABLE = (signal.SIGKILL, signal.SIGSTOP)
_OOM_SCORE = 500
"""Of 1000, added for the out-of-memory killer, so that it takes a confined program before the coordinator."""


class StepFailed(Exception):
    """A step of the confinement could not be taken."""

    def __init__(self, step: str, error: OSError | ValueError) -> None:
        super().__init__(step, error)
        self.step = step
        self.error = error


def become_command(order: Order, streams: tuple[int, int, int], supervisor: int, failures: int) -> NoReturn:
    """Confine this freshly forked process and become the program; never returns.

    Nothing may be imported from here on: the confined uid may be unable to read the interpreter.
    A step that fails is written to `failures`, its name and then the error, and nothing is run. A program or folder
    that is missing is the command's own failure: one line on its standard error and a shell's exit code.
    """
    try:
        _confine(order, streams)
        _stay_with(supervisor)
        if order["argv"]:
            _execute(order)
        _answer(order)
    except StepFailed as failed:
        _tell(failures, failed.step, failed.error)
    except Exception as error:  # noqa: BLE001  (the process ends here, and the coordinator has to hear why)
        _tell(failures, "start", error)
    finally:
        os._exit(CANNOT_RUN)


def _confine(order: Order, streams: tuple[int, int, int]) -> None:
    """Take the steps, in the one order in which each still has the right to do its work.

    Filters of the kernel (Landlock, then seccomp) belong after no-new-privileges, which allows them without root, and
    before the program: they cannot be taken back and hold for all that it starts.
    """
    os.setsid()
    _reset_signals()
    os.umask(0o022)
    _step("streams", lambda: _connect(streams))
    _step("limits", lambda: _limit(order))
    if order["covers"] or order["hides_processes"]:
        _step("view" if order["covers"] else "processes", view.leave_mounts)
    if order["covers"]:
        _step("view", lambda: view.build_view(order["covers"]))
    if order["hides_processes"]:
        _step("processes", view.hide_processes)
    if order["network"] != "open":
        _step("network", lambda: _leave_network(loopback=order["network"] == "loopback"))
    uid = order["uid"]
    if uid is not None:
        _step("identity", lambda: _become(uid))
    _step("privileges", kernel.forbid_new_privileges)


def _tell(failures: int, step: str, error: Exception) -> None:
    os.write(failures, f"{step} {error}".encode(errors="replace"))


def _step(name: str, action: Callable[[], None]) -> None:
    try:
        action()
    except (OSError, ValueError) as error:
        raise StepFailed(name, error) from error


def _reset_signals() -> None:
    """Undo what Python, `nohup` or a runner ignores: an ignored signal stays ignored in a new program."""
    for number in signal.valid_signals():
        if number not in _UNCHANGEABLE:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _connect(streams: tuple[int, int, int]) -> None:
    for target, stream in enumerate(streams):
        os.dup2(stream, target, inheritable=True)


def _limit(order: Order) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, order["file_bytes"])
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    if order["processes"] is not None:
        _lower(resource.RLIMIT_NPROC, order["processes"])
    _offer_to_out_of_memory_killer()


def _lower(limit: int, value: int) -> None:
    """Set both ends of a limit, to less where the runner allows less: nobody but root can raise it again."""
    _, ceiling = resource.getrlimit(limit)
    value = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
    resource.setrlimit(limit, (value, value))


def _offer_to_out_of_memory_killer() -> None:
    """Best effort: a hidden process that is not root may not write its own entry."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(_OOM_SCORE))
    except OSError:
        return


def _leave_network(*, loopback: bool) -> None:
    kernel.unshare(kernel.CLONE_NEWNET)
    if loopback:
        kernel.bring_loopback_up()


def _become(uid: int) -> None:
    """Change to the uid and the gid of the same number for good; the kernel drops all capabilities with it."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _stay_with(supervisor: int) -> None:
    """Die when the supervisor does, also when it did before we could ask for that."""
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(CANNOT_RUN)


def _execute(order: Order) -> NoReturn:
    """Enter the folder and become the program, or say why not and end with a shell's exit code."""
    program, folder = order["argv"][0], order["cwd"]
    try:
        os.chdir(folder)
    except (OSError, ValueError) as error:
        _refuse(f"cannot enter {folder}", error, CANNOT_RUN)
    try:
        _execute_first(_candidates(program, order["env"]), order)
    except (FileNotFoundError, NotADirectoryError) as error:
        _refuse(f"cannot run {program}", error, NOT_FOUND)
    except (OSError, ValueError) as error:
        _refuse(f"cannot run {program}", error, CANNOT_RUN)


def _candidates(program: str, env: dict[str, str]) -> list[str]:
    """List where a program may be. `os.execvpe` would import a module, which the confined uid may not read."""
    if "/" in program:
        return [program]
    return [f"{folder}/{program}" for folder in env.get("PATH", "").split(":") if folder]


def _execute_first(candidates: list[str], order: Order) -> NoReturn:
    """Become the first program that can be; raises the error that tells most when there is none."""
    failed: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for candidate in candidates:
        try:
            os.execve(candidate, order["argv"], order["env"])  # noqa: S606  (the point of it)
        except (FileNotFoundError, NotADirectoryError) as error:
            failed = error if len(candidates) == 1 else failed
        except PermissionError as error:
            failed = error
    raise failed


def _refuse(what: str, error: OSError | ValueError, code: int) -> NoReturn:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    os.write(2, f"coordinator: {what}: {reason}\n".encode(errors="surrogateescape"))
    os._exit(code)


def _answer(order: Order) -> NoReturn:
    """Answer a probe: what the confined side may really do, as the kernel sees it."""
    answers = ("yes" if os.access(check["path"], check["mode"]) else "no" for check in order["checks"])
    os.write(1, " ".join(answers).encode())
    os._exit(0)
