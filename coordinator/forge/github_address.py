"""Which addresses of GitHub belong together, and what may stand in a path below them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from coordinator.errors import Misconfigured
from coordinator.forge.credentials import checked_address

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_LOGIN = re.compile(r"[A-Za-z0-9_-]+(\[bot\])?")
"""Letters, digits and hyphens; an underscore for managed users; the suffix for apps (GitHub's documentation)."""
_UNSAFE_PARTS = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where one GitHub answers; none of them with a slash at its end."""

    server: str
    """For git and for people."""
    api: str
    graphql: str
    """What ``/graphql`` is below."""

    @property
    def is_github_com(self) -> bool:
        """Whether this is the one public GitHub, and not somebody's Enterprise Server."""
        return self.server == "https://github.com"


def checked_addresses(api_url: str, server_url: str) -> Addresses:
    """Return the addresses of github.com or of one Enterprise Server.

    Raises `Misconfigured` for any other pair, because the token goes to both: API calls to the one, git to the other.
    Those of an Enterprise Server are ``https://HOST/api/v3`` and ``https://HOST/api/graphql`` (GitHub's REST and
    GraphQL documentation).
    """
    server = checked_address(server_url, "server").lower()
    api = checked_address(api_url, "API").lower()
    if (server, api) == ("https://github.com", "https://api.github.com"):
        return Addresses(server, api, api)
    if api == f"{server}/api/v3" and not re.search(r"[/.]github\.com(:|/|$)", server):
        return Addresses(server, api, f"{server}/api")
    what = f"the server {server} and the API {api} are not the two addresses of one GitHub"
    mend = "Give https://github.com with https://api.github.com, or https://HOST with https://HOST/api/v3"
    raise Misconfigured(what, mend=mend)


def checked_repository(name: str) -> str:
    """Return ``owner/name``; raise `Misconfigured` for anything else."""
    if not _REPOSITORY.fullmatch(name) or not _UNSAFE_PARTS.isdisjoint(name.split("/")):
        what = f"{name!r} is not the name of a repository"
        raise Misconfigured(what, mend="Write it as owner/name, as in the repository's address")
    return name


def is_login(text: str) -> bool:
    """Whether an account can have this login."""
    return _LOGIN.fullmatch(text) is not None


def encoded_name(name: str) -> str:
    """Return a name percent-encoded as one part of an address; raise `Misconfigured` when it would be none.

    A label called ``.`` or nothing would have *all* labels of an issue deleted.
    """
    if name.strip() in _UNSAFE_PARTS:
        raise Misconfigured(f"GitHub cannot be asked about the name {name!r}", mend="Choose another name")
    return quote(name, safe="")


def encoded_path(path: str) -> str | None:
    """Return a file's or branch's path percent-encoded but for its slashes; None when it would lead elsewhere."""
    parts = path.split("/")
    if not _UNSAFE_PARTS.isdisjoint(parts):
        return None
    return "/".join(quote(part, safe="") for part in parts)
