"""Files of the local forge: replaced as a whole or not at all, and changed by one process at a time."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml
from pydantic import TypeAdapter, ValidationError

from coordinator.errors import Misconfigured, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO, TypeVar

    from coordinator.models import Frozen

    F = TypeVar("F", bound=Frozen)

LOCK_SECONDS = 30.0
"""How long another process may hold the lock; each holds it for a few file operations."""
_FENCE = "---\n"
_PAGE = re.compile(r"\A---\n(?P<front>.*?)^---\n\n(?P<body>.*)\Z", re.DOTALL | re.MULTILINE)


@contextmanager
def locked(path: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock on a file.

    Raises `Unreachable` when another process does not let go of it, and `Misconfigured` when we may not write there.
    """
    end = time.monotonic() + seconds
    with _opened(path) as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() >= end:
                what = f"another process has held {path} for {seconds:g} s"
                raise Unreachable(what, mend="Wait for the other coordinator to end, then run again")
            time.sleep(0.02)
        yield


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written to ({error.strerror})",
            mend="Run as the user whom the repository belongs to, or let this user write there",
        ) from None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a machine after a crash, finds the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_page(path: Path, head: Frozen, body: str) -> None:
    """Write Markdown with front matter. The body comes back from `read_page` byte for byte."""
    front = yaml.safe_dump(head.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_whole(path, f"{_FENCE}{front}{_FENCE}\n{body}".encode())


def read_page(path: Path, kind: type[F]) -> tuple[F, str]:
    """Return the front matter and the body of a file of `write_page`; raise `Misconfigured` for any other file."""
    try:
        match = _PAGE.match(path.read_bytes().decode())
        if match is None:
            raise _broken(path)
        return kind.model_validate(yaml.safe_load(match["front"])), match["body"]
    except (ValueError, yaml.YAMLError):
        raise _broken(path) from None


def write_json(path: Path, record: Frozen) -> None:
    """Write a record as JSON that a person can read."""
    write_whole(path, f"{record.model_dump_json(indent=2)}\n".encode())


def read_json(path: Path, kind: type[F]) -> F:
    """Return the record of a file of `write_json`; raise `Misconfigured` for any other file."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except ValidationError:
        raise _broken(path) from None


def _broken(path: Path) -> Misconfigured:
    return Misconfigured(
        f"{path} is not as the local forge writes it", mend="Undo the change to it, or delete the file"
    )
