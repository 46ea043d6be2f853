"""What the coordinator tells the launcher, and what it hears back.

The launcher imports this for type checking only: `typing` would cost it a quarter of its start, and `json` a third. So
the order goes there as `marshal` writes it, which is built in and fits a reader that trusts the writer. The report
comes back as plain text, so that the coordinator has to trust no more than words.
"""

from __future__ import annotations

from typing import Self, TypedDict

from coordinator.models import Frozen


class Bind(TypedDict):
    """A path that is shown inside a cover."""

    path: str
    writable: bool


class Link(TypedDict):
    """A symbolic link that is made anew inside a cover."""

    path: str
    target: str


class Cover(TypedDict):
    """A folder that the confined uid cannot enter, replaced by a fresh one that shows the wanted paths only."""

    folder: str
    binds: list[Bind]
    links: list[Link]


class Check(TypedDict):
    """A question of a probe: whether the confined side may use this path so."""

    path: str
    mode: int
    """As for `os.access`."""


class Order(TypedDict):
    """One command for the launcher."""

    argv: list[str]
    """Empty for a probe, which answers `checks` on standard output: ``yes`` or ``no`` for each, with blanks between."""
    checks: list[Check]
    cwd: str
    env: dict[str, str]
    seconds: float
    stdin: int | None
    """Descriptor to read from; None is /dev/null."""
    stdout: int
    """Descriptor of the file that keeps the output."""
    stderr: int | None
    """None: into standard output."""
    output_bytes: int
    file_bytes: int
    processes: int | None
    """RLIMIT_NPROC; None leaves it."""
    uid: int | None
    """uid and gid to become; None stays who we are."""
    network: str
    """``open``, ``loopback`` or ``none``, already reduced to what this machine can do."""
    covers: list[Cover]
    hides_processes: bool
    """Whether the command sees its own uid's processes only."""


class Failure(Frozen):
    """A step of the confinement that could not be taken; the command was not started."""

    step: str
    """``streams``, ``limits``, ``view``, ``processes``, ``network``, ``identity`` or ``privileges``."""
    error: str


class Report(Frozen):
    """How a command ended."""

    status: int | None
    """As of `os.waitpid`; None when it had to be left."""
    timed_out: bool = False
    stopped: bool = False
    """The coordinator asked for the end, or is gone."""
    truncated: bool = False
    """Output was dropped."""
    survivors: bool = False
    """Processes were left after the time for killing them; the coordinator adopts and ends them."""
    failure: Failure | None = None

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        """Read ``status=S``, the names of the flags that are set, and on the further lines a step and its error.

        Raises `pydantic.ValidationError` for anything else.
        """
        head, _, failing = text.decode(errors="replace").partition("\n")
        status, *flags = head.split(" ")
        step, _, error = failing.partition(" ")
        return cls.model_validate(
            {
                "status": None if status == "status=None" else status.removeprefix("status="),
                "failure": {"step": step, "error": error} if step else None,
                **dict.fromkeys(flags, True),
            }
        )
