"""Which paths the confined side can use, and the covers that open closed folders to it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from coordinator.sandbox.orders import Bind, Check, Cover, Link

    Probe = Callable[[list[Check], list[Cover]], list[bool]]
    """Asks the kernel, as the confined side and in the view that the covers make. Raises `NoView`."""

_MOST_LINKS = 40
"""The kernel's own limit on symbolic links in one path (path_resolution(7))."""
_ROUNDS = 4
"""A cover can uncover a closed folder below it; that often in a row is no real machine."""


class NoView(Exception):
    """The machine does not allow private mounts."""


class Use(IntEnum):
    """What the confined side does with a path; the value is the mode that `os.access` takes for a folder."""

    ENTER = os.X_OK
    """Uses what is in it by name, and writes there where it may."""
    READ = os.R_OK | os.X_OK
    WRITE = os.R_OK | os.W_OK | os.X_OK


@dataclass(frozen=True, slots=True)
class Trace:
    """The way the kernel goes to find a path."""

    asked: Path
    folders: tuple[str, ...]
    """Each folder on the way, without symbolic links, from the root on."""
    links: tuple[tuple[str, str], ...]
    """Each symbolic link on the way, and where it points."""
    end: str
    """The file or folder itself."""

    def checks(self, use: Use) -> list[Check]:
        """Give what must hold on the way, topmost first: folders entered, the end used."""
        way: list[Check] = [{"path": folder, "mode": os.X_OK} for folder in self.folders]
        return [*way, {"path": self.end, "mode": use if Path(self.end).is_dir() else use & ~os.X_OK}]


def trace(path: Path) -> Trace:
    """Follow a path component by component. Raises `Misconfigured` when it does not exist or we cannot see it."""
    try:
        return _follow(path)
    except PermissionError as error:
        raise closed_path(path, str(error.filename), f"uid {os.geteuid()}") from error


def _follow(path: Path) -> Trace:
    pending = list(reversed(Path(os.path.abspath(path)).parts[1:]))  # noqa: PTH100  (resolve would follow the links)
    here = Path("/")
    folders: list[str] = []
    links: list[tuple[str, str]] = []
    while pending:
        folders.append(str(here))
        name = pending.pop()
        step = here.parent if name == ".." else here / name
        if not step.is_symlink():
            here = step
            continue
        target = str(step.readlink())
        links.append((str(step), target))
        if len(links) > _MOST_LINKS:
            raise Misconfigured(f"{path} is a circle of symbolic links", mend="Name the real folder")
        here = Path("/") if target.startswith("/") else here
        pending.extend(reversed(PurePosixPath(target).parts[1 if target.startswith("/") else 0 :]))
    if not here.exists():
        raise Misconfigured(f"{path} does not exist", mend="Name an existing file or folder")
    return Trace(path, tuple(folders), tuple(links), str(here))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sandbox needs so that its commands see all they must."""

    covers: tuple[Cover, ...]
    readable: frozenset[Path]
    """Those of the optional paths that can be used."""


def plan(
    required: Mapping[Path, Use], optional: Sequence[Path], probe: Probe, side: str, uid: int | None = None
) -> Plan:
    """Find covers under which the confined side can use all `required` paths.

    Asks first with covers for the folders whose modes close them to `uid`, which mostly is the only question that it
    takes; without a `uid`, or where the machine allows no covers, without any. Raises `Misconfigured`, which names the
    closed path and the mend, when there are none; `side` says who cannot read.
    """
    must = {trace(path): use for path, use in required.items()}
    may = {trace(path): Use.READ for path in optional if path not in required}
    writable = frozenset(found.end for found, use in must.items() if use is not Use.READ)
    closed = _closed_by_mode(must, uid) if uid is not None else frozenset()
    first: dict[Path, str] = {}
    for _ in range(_ROUNDS):
        covers = _covers(closed, must, writable)
        try:
            first = _first_closed({**may, **must}, probe, covers)
        except NoView:
            if first:
                break
            closed = frozenset()
            continue
        wrong = frozenset(first[path] for path in required) - {""}
        if not wrong:
            return Plan(tuple(covers), frozenset(path for path in optional if not first[path]))
        if any(path in closed or not Path(path).is_dir() or path == "/" for path in wrong):
            break
        closed |= wrong
    asked = next(path for path in required if first[path])
    raise closed_path(asked, first[asked], side)


def closed_path(path: Path, closed: str, side: str) -> Misconfigured:
    """Say which path the confined side cannot use, because of which file or folder, and what to do."""
    return Misconfigured(
        f"confined commands ({side}) cannot use {path}: {closed} is closed to them",
        mend=f"Open it with `chmod o+rx {closed}`, or install what is needed in a place that every user can read",
    )


def _closed_by_mode(uses: Mapping[Trace, Use], uid: int) -> frozenset[str]:
    """Give the topmost folder on each way that its mode closes to a uid which is in no group but its own.

    A guess: access control lists and file systems may have another say.
    """
    found = frozenset(
        next((check["path"] for check in way.checks(use) if _is_closed(check, uid)), "") for way, use in uses.items()
    )
    return frozenset(path for path in found - {"", "/"} if Path(path).is_dir())


def _is_closed(check: Check, uid: int) -> bool:
    status = os.stat(check["path"])  # noqa: PTH116  (a string: there are dozens)
    return status.st_uid != uid and bool(check["mode"] & ~status.st_mode)  # the bits for others have access's values


def _first_closed(uses: Mapping[Trace, Use], probe: Probe, covers: list[Cover]) -> dict[Path, str]:
    """Ask about all paths at once; gives the topmost closed folder or file of each, or nothing."""
    checks = {(check["path"], check["mode"]): check for found, use in uses.items() for check in found.checks(use)}
    answers = dict(zip(checks, probe(list(checks.values()), covers), strict=True))
    return {
        found.asked: next(
            (check["path"] for check in found.checks(use) if not answers[check["path"], check["mode"]]), ""
        )
        for found, use in uses.items()
    }


def _covers(closed: Iterable[str], traces: Iterable[Trace], writable: frozenset[str]) -> list[Cover]:
    """Make one cover for each closed folder, outer ones first."""
    return [_cover(folder, traces, writable) for folder in sorted(closed, key=_depth)]


def _cover(folder: str, traces: Iterable[Trace], writable: frozenset[str]) -> Cover:
    ends = {found.end for found in traces if _is_below(found.end, folder)}
    links = {link for found in traces for link in found.links if _is_below(link[0], folder)}
    if any(found.end == folder for found in traces):
        for entry in Path(folder).iterdir():
            if entry.is_symlink():
                links.add((str(entry), str(entry.readlink())))
            else:
                ends.add(str(entry))
    binds: list[Bind] = []
    for end in sorted(ends, key=_depth):
        outer = [bind for bind in binds if _is_below(end, bind["path"])]
        if not outer or (end in writable and not outer[-1]["writable"]):
            binds.append({"path": end, "writable": end in writable})
    fresh: list[Link] = [
        {"path": path, "target": target}
        for path, target in sorted(links)
        if not any(_is_below(path, bind["path"]) for bind in binds)
    ]
    return {"folder": folder, "binds": binds, "links": fresh}


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path
