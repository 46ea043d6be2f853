"""Checks of single values that reach us as text, from the environment as well as from the configuration file.

Each returns the value to use, or raises `ValueError` whose message is a noun phrase: what would be valid. The wrong
value itself is never in the message.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

ADDRESS = "an http or https address without user name, password, query and spaces"
BRANCH = "the name of a branch, as git allows it"
PATH = "a path inside the repository, such as ci/coordinator.yml"
KEY_VARIABLE = (
    "the name of an environment variable in capitals that ends in _KEY or _TOKEN, and is none of the runner's own"
)

_NOT_IN_A_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./]|\.lock(/|$)|[./]$|^@$")
"""What ``git check-ref-format --branch`` refuses."""
_RUNNER_NAMES = ("GITHUB_", "GITEA_", "FORGEJO_", "ACTIONS_", "RUNNER_", "INPUT_", "COORDINATOR_")


def check_url(value: str) -> str:
    """Return an http(s) address without the slash at its end."""
    try:
        parts = urlsplit(value)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(ADDRESS) from None
    plain = value.isprintable() and " " not in value
    bare = parts.username is None and not parts.query and not parts.fragment
    if not (plain and bare and port_is_valid and parts.scheme in {"http", "https"} and parts.hostname):
        raise ValueError(ADDRESS)
    return value.rstrip("/")


def check_branch(value: str) -> str:
    """Return the name of a branch that git accepts and that no command takes for an option."""
    if not value or _NOT_IN_A_BRANCH.search(value):
        raise ValueError(BRANCH)
    return value


def check_path(value: str) -> str:
    """Return a relative path that stays inside the repository, and outside of `.git`, in normal form."""
    path = PurePosixPath(value)
    outside = path.is_absolute() or ".." in path.parts or ".git" in (part.lower() for part in path.parts)
    if outside or not path.parts or not value.isprintable() or "\\" in value or value.startswith("-"):
        raise ValueError(PATH)
    return str(path)


def check_key_variable(value: str) -> str:
    """Return the name of a variable that may hold the key of a model.

    The runner's variables are refused: a forge token would go to the address of a model.
    """
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*_(KEY|TOKEN)", value) or value.startswith(_RUNNER_NAMES):
        raise ValueError(KEY_VARIABLE)
    return value
