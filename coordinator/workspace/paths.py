"""Which paths may be part of a commit that the coordinator builds.

Three questions, each about the path alone: may a file have this name at all, may a run change it, is it a leftover of a
build or a cache.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALWAYS_PROTECTED = (
    # what a forge or another CI runs
    ".gitea",
    ".github",
    ".forgejo",
    ".gitlab",
    ".gitlab-ci.yml",
    ".circleci",
    ".woodpecker",
    ".woodpecker.y*ml",
    ".drone.yml",
    ".travis.yml",
    ".buildkite",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "Jenkinsfile",
    "**/action.y*ml",
    # who reviews, and what a run may do
    "**/CODEOWNERS",
    ".coordinator.y*ml",
    # what runs on a developer's machine by itself
    ".husky",
    ".devcontainer",
    ".vscode",
    "**/.envrc",
    "**/.gitmodules",
    "**/.pre-commit-config.y*ml",
    # where packages come from
    "**/.npmrc",
    "**/.yarnrc",
    "**/.yarnrc.yml",
    "**/.pypirc",
    "**/pip.conf",
    # what instructs an agent
    ".claude",
    ".cursor",
    ".gemini",
    "**/.mcp.json",
    "**/AGENTS.md",
    "**/CLAUDE*.md",
    "**/GEMINI.md",
)
"""Glob patterns that no run may change: each is read by a machine that has more rights than the agent."""


class Leftover(StrEnum):
    """What a new file is when it is not part of the work."""

    CACHE = "cache"
    """Of no interest to anybody."""
    BUILD = "build"
    """Left out too, but it could have been meant: people are told."""


_CACHE_FOLDERS = frozenset(
    {
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
        "htmlcov",
        ".tox",
        ".nox",
        ".venv",
        "venv",
        "node_modules",
    }
)
_CACHE_PATTERNS = ("*.py[cod]", ".coverage", ".coverage.*", "coverage.xml", "*.egg-info", ".DS_Store")
_BUILD_FOLDERS = frozenset({"build", "dist"})

_IGNORABLE = frozenset(map(chr, (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)))
"""Code points that HFS+ drops from names, as git's utf8.c lists them (`next_hfs_char`)."""
_GIT_SHORT_NAMES = frozenset({".git", "git~1"})
_MODULES_SHORT_NAMES = ("gitmod~", "gi7eba~")
_LONGEST_NAME = 255


def folded(name: str) -> str:
    """Return a name as the most forgiving file systems compare it: no case, no invisible or trailing characters."""
    visible = "".join(character for character in name if character not in _IGNORABLE)
    return unicodedata.normalize("NFKC", visible).casefold().partition(":")[0].rstrip(" .")


def is_git_name(name: str) -> bool:
    """Whether some file system takes this name for ``.git``."""
    return folded(name) in _GIT_SHORT_NAMES


def refusal_of_name(path: str) -> str | None:
    """Say why no file may have this path, or None."""
    for part in path.split("/"):
        reason = _refusal_of_part(part)
        if reason:
            return reason
    return None


def _refusal_of_part(part: str) -> str | None:
    if is_git_name(part) or folded(part).startswith(_MODULES_SHORT_NAMES):
        return "a name that belongs to git"
    if any("\ud800" <= character <= "\udfff" for character in part):
        return "the name is not UTF-8"
    if "\\" in part or not all(character.isprintable() for character in part):
        return "the name holds control characters, invisible ones, or a backslash"
    if part in {"", ".", ".."} or len(part.encode()) > _LONGEST_NAME:
        return "not a name"
    return None


def is_protected(path: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the path or a folder above it.

    ``*`` and ``?`` stay within a part of the path, ``**`` is any number of parts; a pattern that ends in ``/`` or
    ``/**`` matches the folder itself too. Case, invisible characters and trailing dots or spaces make no difference.
    """
    parts = [folded(part) for part in path.split("/")]
    heads = [parts[:length] for length in range(1, len(parts) + 1)]
    wanted = [_pattern_parts(pattern) for pattern in patterns]
    return any(_matches(head, pattern) for pattern in wanted for head in heads)


def _pattern_parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.casefold().split("/") if part]
    while len(parts) > 1 and parts[-1] == "**":
        parts.pop()
    return parts


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def leftover(name: str, *, folder: bool) -> Leftover | None:
    """Say what a new entry of this name is, when it is no part of the work."""
    if (folder and name in _CACHE_FOLDERS) or any(fnmatchcase(name, pattern) for pattern in _CACHE_PATTERNS):
        return Leftover.CACHE
    return Leftover.BUILD if folder and name in _BUILD_FOLDERS else None


def link_stays_inside(path: str, target: bytes) -> bool:
    """Whether a symbolic link at this path leads to somewhere inside the tree, whatever other links there are.

    ``..`` may stand at the beginning only: after a name, which may itself be a link, it could lead anywhere.
    """
    try:
        parts = target.decode().split("/")
    except UnicodeDecodeError:
        return False
    if not target or target.startswith(b"/") or not target.decode().isprintable():
        return False
    up = 0
    while up < len(parts) and parts[up] in {"..", "."}:
        up += 1
    down = parts[up:]
    climbs = parts[:up].count("..")
    return climbs <= path.count("/") and ".." not in down and not any(is_git_name(part) for part in down)


def shown(path: str) -> str:
    """Return a path as it can stand in a line of text: what does not print is escaped, the rest unchanged."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in path
    )
