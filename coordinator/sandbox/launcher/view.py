"""The private view of the file system for a uid that cannot enter some folder, such as a home of mode 0700."""

# Importing pathlib would cost the launcher a third of its start.
# ruff: noqa: PTH103, PTH112, PTH120, PTH211

from __future__ import annotations

import os

from coordinator.sandbox import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coordinator.sandbox.orders import Bind, Cover

_KEPT = ((os.ST_NODEV, kernel.MS_NODEV), (os.ST_NOEXEC, kernel.MS_NOEXEC))
"""Flags of a mount that a remount must repeat, else they are lost or the kernel refuses."""


def leave_mounts() -> None:
    """Get a mount namespace of our own. Needs CAP_SYS_ADMIN, which the later change of uid gives up."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)


def hide_processes() -> None:
    """Show a uid its own processes only: a command line, where others put secrets, is open to everybody else.

    See ``hidepid`` in the kernel's Documentation/filesystems/proc.rst; since Linux 5.8 it holds for one mount only.
    """
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "hidepid=2")


def build_view(covers: list[Cover]) -> None:
    """Cover each folder by a small fresh one that shows its wanted paths.

    Whatever else is in a covered folder is gone from this view; nothing of it is seen outside.
    """
    sources = _open_sources(covers)
    for cover in covers:
        _build_cover(cover, sources)
    for source in sources.values():
        os.close(source)


def _open_sources(covers: list[Cover]) -> dict[str, int]:
    """Hold what is to be shown before it is covered. What is gone since the view was planned is not shown."""
    sources: dict[str, int] = {}
    for cover in covers:
        for bind in cover["binds"]:
            try:
                sources[bind["path"]] = os.open(bind["path"], os.O_PATH)
            except FileNotFoundError:
                continue
    return sources


def _build_cover(cover: Cover, sources: dict[str, int]) -> None:
    kernel.mount("tmpfs", cover["folder"], "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0755,size=1m")
    for link in cover["links"]:
        os.makedirs(os.path.dirname(link["path"]), exist_ok=True)
        os.symlink(link["target"], link["path"])
    for bind in cover["binds"]:
        if bind["path"] in sources:
            _show(bind, sources[bind["path"]])


def _show(bind: Bind, source: int) -> None:
    path = bind["path"]
    origin = f"/proc/self/fd/{source}"
    if os.path.isdir(origin):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o644))
    kernel.mount(origin, path, "", kernel.MS_BIND | kernel.MS_REC)
    kept = sum(mount_flag for state_flag, mount_flag in _KEPT if os.statvfs(path).f_flag & state_flag)
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_NOSUID | kept
    kernel.mount("none", path, "", flags | (0 if bind["writable"] else kernel.MS_RDONLY))
