"""Edits one file below the current folder. Runs by itself, confined, with nothing but the standard library.

Reads ``{"path", "old", "new"}`` as JSON from standard input and prints ``{"ok": bool, "message": str}``. Every part of
the path is opened relative to the one before and never through a symbolic link (openat(2) with ``O_NOFOLLOW``), so no
path leads out of the folder, whatever else is going on in it.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

LARGEST = 10_000_000
"""Bytes of a file that can be edited."""
HINT_LINES = 20_000
"""Files with more lines get no hint on the nearest lines: comparing takes too long."""
PLACES = 10

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class EditError(Exception):
    """The edit cannot be made; the message tells the agent why and what to do instead."""


def split_path(path: str, root: str) -> list[str]:
    """Return the parts of a path below `root`. An absolute path counts when it lies there."""
    relative = path[len(root) :].lstrip("/") if path.startswith(f"{root}/") else path
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if relative.startswith("/") or not parts or ".." in parts or "\0" in path:
        raise EditError(f"{path!r} is not a path inside the checkout; give it relative to the root of the checkout")
    if any(part.lower() == ".git" for part in parts):
        raise EditError(f"{path!r} lies in .git, which cannot be edited")
    return parts


def open_folder(root: str, parts: list[str], *, create: bool) -> int:
    """Open the folder of those parts below `root`; the descriptor is the caller's."""
    folder = os.open(root, FOLDER)
    for part in parts:
        try:
            if create:
                make_folder(part, folder)
            below = os.open(part, FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def make_folder(name: str, folder: int) -> None:
    """Create a folder unless it is there."""
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return


def read_file(name: str, folder: int) -> tuple[bytes, int]:
    """Return the content of a regular file, and its permissions."""
    with os.fdopen(os.open(name, READ, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise EditError("it is not a regular file")
        if status.st_size > LARGEST:
            raise EditError(f"it has {status.st_size} bytes, too many to edit; use bash")
        return file.read(), stat.S_IMODE(status.st_mode)


def write_file(name: str, folder: int, data: bytes, mode: int) -> None:
    """Replace a file in one step, so that nobody ever sees half of it."""
    temporary = f".{name[:100]}.{os.getpid()}.edit"
    with os.fdopen(os.open(temporary, CREATE, 0o600, dir_fd=folder), "wb") as file:
        try:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise


def create_file(name: str, folder: int, data: bytes) -> str:
    """Write a file that is not there, or that is empty."""
    try:
        present, mode = read_file(name, folder)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        present, mode = b"", 0o666 & ~mask
    if present:
        raise EditError("it exists and is not empty; to change it, give the text to replace as `old`")
    write_file(name, folder, data, mode)
    return f"created with {count_lines(data)} lines"


def replace_text(name: str, folder: int, old: str, new: str) -> str:
    """Replace the one place where `old` stands. A file whose lines all end in CRLF keeps it that way."""
    data, mode = read_file(name, folder)
    if data.count(b"\r\n") == data.count(b"\n"):
        ending = "\r\n" if b"\r\n" in data else "\n"
        old, new = (text.replace("\r\n", "\n").replace("\n", ending) for text in (old, new))
    wanted, put = old.encode(), new.encode()
    found = data.count(wanted)
    if found == 0:
        raise EditError(f"`old` is not in it. {nearest(data, old)}")
    if found > 1 or data.find(wanted, data.find(wanted) + 1) != -1:
        raise EditError(f"`old` is in it more than once, {where(data, wanted)}; add lines around it until it is unique")
    if wanted == put:
        raise EditError("`old` and `new` are the same")
    write_file(name, folder, data.replace(wanted, put), mode)
    line = data[: data.find(wanted)].count(b"\n") + 1
    return f"replaced {count_lines(wanted)} lines by {count_lines(put)} at line {line}"


def count_lines(data: bytes) -> int:
    """Return how many lines a text touches."""
    return len(data.splitlines())


def where(data: bytes, wanted: bytes) -> str:
    """Return the lines at which a text begins."""
    lines: list[int] = []
    position = data.find(wanted)
    while position != -1 and len(lines) <= PLACES:
        lines.append(data[:position].count(b"\n") + 1)
        position = data.find(wanted, position + 1)
    more = " and more" if len(lines) > PLACES else ""
    return f"at the lines {', '.join(map(str, lines[:PLACES]))}{more}"


def nearest(data: bytes, old: str) -> str:
    """Return what in a file comes closest to a text that is not in it."""
    lines = data.decode("utf-8", errors="replace").splitlines()
    wanted = [line.strip() for line in old.splitlines() if line.strip()]
    if not wanted or len(lines) > HINT_LINES:
        return "Read the file again and copy the text exactly"
    stripped = [line.strip() for line in lines]
    for start in range(len(stripped) - len(wanted) + 1):
        if stripped[start : start + len(wanted)] == wanted:
            return f"The lines from {start + 1} on differ from it only in white space: {lines[start]!r}"
    close = difflib.get_close_matches(wanted[0][:200], {line[:200] for line in stripped if line}, n=3, cutoff=0.5)
    numbers = [next(index for index, line in enumerate(stripped) if line[:200] == match) for match in close]
    if not numbers:
        return "Nothing in it is like it; read the file again"
    shown = "; ".join(f"line {number + 1}: {lines[number][:200]!r}" for number in sorted(numbers))
    return f"Closest to its first line: {shown}"


def edit(path: str, old: str, new: str, root: str) -> str:
    """Make one edit and return what was done."""
    *folders, name = split_path(path, root)
    try:
        folder = open_folder(root, folders, create=not old)
        try:
            return create_file(name, folder, new.encode()) if not old else replace_text(name, folder, old, new)
        finally:
            os.close(folder)
    except OSError as error:
        raise EditError(REASONS.get(error.errno or 0, str(error.strerror))) from error


REASONS = {
    errno.ENOENT: "there is no such file; to create one, leave `old` empty",
    errno.ELOOP: "a part of the path is a symbolic link; edit the file that it leads to, by its own path",
    errno.ENOTDIR: "a part of the path is a file or a symbolic link, not a folder",
    errno.EISDIR: "it is a folder",
}


def main(given: TextIO, out: TextIO, root: str) -> None:
    """Answer one request about a file below `root`."""
    request = json.load(given)
    path = request["path"]
    try:
        answer = {"ok": True, "message": f"{path}: {edit(path, request['old'], request['new'], root)}."}
    except EditError as error:
        answer = {"ok": False, "message": f"{path} was not changed: {error}."}
    json.dump(answer, out)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout, str(Path.cwd()))
