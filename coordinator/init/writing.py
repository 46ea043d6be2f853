"""Putting new files into somebody's checkout: whole or not at all, over nothing, and nowhere else."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.forge.local_git import LocalGit
from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator


class Done(StrEnum):
    """What became of one file."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """It was there with this very content."""
    REFUSED = "refused"


class Placed(Frozen):
    """One file and what became of it."""

    path: str
    """In the checkout, ``/``-separated."""
    state: Done
    reason: str = ""
    """Why it was refused, and what to do."""


def checkout_of(folder: Path) -> Path:
    """Return the top of the checkout around a folder; raise `Misconfigured` where there is none."""
    repository = LocalGit(folder)
    if repository.path == repository.common_dir:
        what = f"{folder} is in no checkout of a git repository"
        raise Misconfigured(what, mend="Name the folder of a checkout with --repo; a bare repository has no files")
    return repository.path


def place(top: Path, path: str, text: str, *, force: bool) -> Placed:
    """Write a file below `top`, and the folders on the way. Only with `force` is another file replaced.

    A symbolic link on the way is never followed. Raises `Misconfigured` where the disk does not let us.
    """
    try:
        return _placed(top, path, text.encode(), force=force)
    except OSError as error:
        what = f"{top / path} cannot be written ({error.strerror})"
        raise Misconfigured(what, mend="Make the checkout writable, or free space on its disk") from None


def _placed(top: Path, path: str, content: bytes, *, force: bool) -> Placed:
    target = top / path
    reason = _objection(top, path)
    if reason:
        return Placed(path=path, state=Done.REFUSED, reason=reason)
    if target.exists() and target.read_bytes() == content:
        return Placed(path=path, state=Done.UNCHANGED)
    if _write(target, content, force=force):
        return Placed(path=path, state=Done.WRITTEN)
    return Placed(path=path, state=Done.REFUSED, reason="it is there already. Give --force to overwrite it")


def _objection(top: Path, path: str) -> str:
    """Say why a path is not written to whatever is asked; empty when it may be."""
    for step in _way(top, path):
        if step.is_symlink():
            return f"{step.relative_to(top)} is a symbolic link. Put a real file or folder in its place"
    target = top / path
    if target.exists() and not target.is_file():
        return "what is there is no file. Move it away"
    if any(parent.exists() and not parent.is_dir() for parent in _way(top, path) if parent != target):
        return "a file stands where its folder belongs. Move it away"
    return ""


def _way(top: Path, path: str) -> Iterator[Path]:
    """Give every step from the top down to the path."""
    step = top
    for part in Path(path).parts:
        step /= part
        yield step


def _write(target: Path, content: bytes, *, force: bool) -> bool:
    """Write beside the target, then give it its name in one step. False when the name is taken."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if force:
            beside.replace(target)
        else:
            target.hardlink_to(beside)  # unlike a renaming, it replaces nothing
    except FileExistsError:
        return False
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
    return True
