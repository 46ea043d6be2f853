"""A Markdown file that a person wrote as an issue: its text, its number and its title."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml
from pydantic import Field, ValidationError

from coordinator.errors import Misconfigured
from coordinator.models import Foreign, Frozen

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT = 1024 * 1024
"""Bytes. Far above what a forge takes as the text of an issue (65 536 characters on GitHub)."""
TITLE_LIMIT = 255
"""Characters, as on Gitea (services/forms/repo_form.go) and GitHub."""
NUMBER_LIMIT = 999_999_999

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_NUMBER_IN_NAME = re.compile(r"(?:issue[-_ ]?)?#?(?P<number>\d{1,9})(?:[-_. ].*)?", re.IGNORECASE)
_DATE_IN_NAME = re.compile(r"\d{4}-\d{2}-\d{2}")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<title>.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_CODE_BLOCK = re.compile(r"^ {0,3}(?P<fence>```+|~~~+).*?(?:^ {0,3}(?P=fence)|\Z)", re.DOTALL | re.MULTILINE)


class IssueFrontMatter(Foreign):
    """What of the front matter the forge itself needs. Planning reads the other keys from the issue's body."""

    number: int | None = Field(default=None, ge=1, le=NUMBER_LIMIT, strict=True)
    title: str | None = Field(default=None, min_length=1, coerce_numbers_to_str=True)


class IssueFile(Frozen):
    """An issue as it stands in a file."""

    text: str
    """The whole text, front matter and all: that is the issue's body."""
    title: str
    number: int | None
    """From the front matter, else from the file's name."""


def read_issue_file(path: Path) -> IssueFile:
    """Read a file as an issue.

    The number comes from the front matter's `number`, else from a name such as ``12-title.md``, ``issue-12.md`` or
    ``12.md`` (not from a date), else there is none. The title comes from the front matter's `title`, else from the
    first heading, else from the first line. Raises `Misconfigured`, naming the file, for what cannot be an issue.
    """
    text = _text_of(path)
    front, rest = _split(path, text)
    title = _one_line(front.title or _title_in(rest))
    if not title:
        raise Misconfigured(f"the issue file {path} has no title and no text", mend="Write down what is to be done")
    return IssueFile(text=text, title=title, number=front.number or _number_in(path.stem))


def _text_of(path: Path) -> str:
    mend = "Give the path of a Markdown file with a title and what is to be done"
    if path.is_dir():
        raise Misconfigured(f"the issue file {path} is a folder", mend=mend)
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Misconfigured(f"the issue file {path} cannot be read ({error.strerror})", mend=mend) from None
    if len(data) > SIZE_LIMIT:
        raise Misconfigured(f"the issue file {path} is larger than 1 MiB", mend="Shorten it, and attach logs elsewhere")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"the issue file {path} is not UTF-8 text (byte {error.start})"
        raise Misconfigured(what, mend="Save it as UTF-8") from None
    if "\0" in text:
        raise Misconfigured(f"the issue file {path} is binary", mend=mend)
    if not text.strip():
        raise Misconfigured(f"the issue file {path} is empty", mend="Write a title and what is to be done into it")
    return text


def _split(path: Path, text: str) -> tuple[IssueFrontMatter, str]:
    """Return the front matter and what follows it."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return IssueFrontMatter(), text
    try:
        keys = yaml.safe_load(match["yaml"])
    except yaml.YAMLError as error:
        raise _bad_front_matter(path, _line_of(error), "it is not YAML") from None
    except RecursionError:
        raise _bad_front_matter(path, 1, "it is nested too deeply") from None
    if not isinstance(keys, dict | None):
        raise _bad_front_matter(path, 2, "it is not a list of `key: value` lines")
    try:
        return IssueFrontMatter.model_validate(keys or {}), text[match.end() :]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0])
        raise _bad_front_matter(path, _line_with(match["yaml"], key), f"`{key}`: {first['msg']}") from None


def _line_of(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return 2 if mark is None else mark.line + 2


def _line_with(front: str, key: str) -> int:
    lines = front.splitlines()
    return next((number for number, line in enumerate(lines, 2) if line.lstrip("'\" ").startswith(key)), 2)


def _bad_front_matter(path: Path, line: int, why: str) -> Misconfigured:
    what = f"the front matter of {path} is wrong in line {line}: {why}"
    return Misconfigured(
        what, mend="Mend it, for instance `number: 12` and `title: Add a switch` on lines of their own"
    )


def _title_in(text: str) -> str:
    outside_code = _CODE_BLOCK.sub("", text)
    heading = _HEADING.search(outside_code)
    if heading is not None and heading["title"]:
        return heading["title"]
    return next((line for line in text.splitlines() if line.strip()), "")


def _one_line(title: str) -> str:
    return " ".join(title.split())[:TITLE_LIMIT]


def _number_in(stem: str) -> int | None:
    match = _NUMBER_IN_NAME.fullmatch(stem)
    if match is None or _DATE_IN_NAME.match(stem):
        return None
    return int(match["number"]) or None
