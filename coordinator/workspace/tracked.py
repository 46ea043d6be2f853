"""What became of the files that the commit before had."""

from __future__ import annotations

import os
import stat
from typing import IO, TYPE_CHECKING

from coordinator.workspace.beneath import Beneath, Unreadable
from coordinator.workspace.changes import Change, ChangeLimits, Notes, hasher, object_id, too_large
from coordinator.workspace.objects import EXECUTABLE, LINK, REGULAR, SUBMODULE, TreeEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHUNK = 1024 * 1024


def tracked_changes(
    checkout: Beneath, entries: Iterable[TreeEntry], absent: frozenset[str], notes: Notes, limits: ChangeLimits
) -> Iterator[Change]:
    """Compare each entry of a tree with what stands at its path, by content.

    `absent` are paths that were never written into the checkout: they are not deleted because they are missing. What
    cannot be read stays as it was, and is noted.
    """
    for entry in entries:
        if entry.mode == SUBMODULE:
            continue
        try:
            change = _change(checkout, entry, limits)
        except Unreadable as error:
            notes.refuse(entry.path, str(error))
            continue
        if change is not None and not (change.mode is None and entry.path in absent):
            yield change


def _change(checkout: Beneath, entry: TreeEntry, limits: ChangeLimits) -> Change | None:
    seen = checkout.look(entry.path)
    if seen is None or stat.S_ISDIR(seen.st_mode):
        return Change(entry.path, None)
    if stat.S_ISLNK(seen.st_mode):
        return _changed_link(checkout, entry)
    return _changed_file(checkout, entry, limits)


def _changed_link(checkout: Beneath, entry: TreeEntry) -> Change | None:
    target = checkout.read_link(entry.path)
    new_id = object_id(target, entry.object_id)
    if entry.mode == LINK and new_id == entry.object_id:
        return None
    return Change(entry.path, LINK, new_id, target)


def _changed_file(checkout: Beneath, entry: TreeEntry, limits: ChangeLimits) -> Change | None:
    with checkout.open_file(entry.path) as file:
        about = os.fstat(file.fileno())
        executable = about.st_mode & 0o100 != 0
        same = entry.is_file and about.st_size == entry.size and _hash(file, entry) == entry.object_id
        if same and executable == entry.is_executable:
            return None
        file.seek(0)
        data = read_bounded(file, limits)
    mode = file_mode(data, executable=executable, was_executable=entry.is_executable)
    if same and (mode == EXECUTABLE) == entry.is_executable:
        return None
    return Change(entry.path, mode, object_id(data, entry.object_id), data)


def _hash(file: IO[bytes], entry: TreeEntry) -> str:
    digest = hasher(entry.size, entry.object_id)
    left = entry.size
    while left and (piece := file.read(min(left, _CHUNK))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def read_bounded(file: IO[bytes], limits: ChangeLimits) -> bytes:
    """Read a file that somebody may still be writing. Raises `Unreadable` when it is too large."""
    pieces: list[bytes] = []
    size = 0
    while piece := file.read(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > limits.file_bytes:
            raise Unreadable(too_large(size, limits.file_bytes))
    return b"".join(pieces)


def file_mode(data: bytes, *, executable: bool, was_executable: bool = False) -> str:
    """Return the mode of a regular file: executable only if it was so before, or if it is a script with ``#!``."""
    return EXECUTABLE if executable and (was_executable or data.startswith(b"#!")) else REGULAR
