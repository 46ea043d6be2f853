"""How requests to one repository of Gitea or Forgejo are sent: explained failures, and pages."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from coordinator.errors import Misconfigured
from coordinator.forge.http import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import TypeAdapter

    from coordinator.forge.http import Deadline, RestClient
    from coordinator.forge.reply import Reply

T = TypeVar("T")

PAGE_SIZE = 50
"""The most that a server gives by default (``MAX_RESPONSE_ITEMS``); it may be configured lower."""
PAGE_LIMIT = 1000
"""Pages after which a list counts as endless: fifty thousand issues, and a server that ignores ``page``."""


class RepositoryApi:
    """The part of the API below ``/repos/{owner}/{name}``."""

    def __init__(self, rest: RestClient, name: str) -> None:
        self._rest = rest
        self.path = f"/repos/{name}"

    def call(self, path: str, about: str, query: Mapping[str, str | int] | None = None) -> Call:
        """Return the request that reads a path of the repository."""
        return Call("GET", f"{self.path}{path}", about, query=query)

    def get(self, path: str, about: str) -> Reply:
        """Read a path of the repository."""
        return self._rest.send(self.call(path, about))

    def send_or_explain(self, call: Call, explain: Callable[[], object], deadline: Deadline | None = None) -> Reply:
        """Send; on 500 let `explain` raise `Missing`, and if it does not, send as usual.

        Gitea answers 500, not 404, for the comments and the timeline of a missing issue and the statuses of a missing
        commit.
        """
        accept = (*call.accept, HTTPStatus.INTERNAL_SERVER_ERROR)
        reply = self._rest.send(replace(call, accept=accept), deadline=deadline)
        if reply.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            return reply
        explain()
        return self._rest.send(call, deadline=deadline)

    def pages(
        self,
        path: str,
        about: str,
        adapter: TypeAdapter[tuple[T, ...]],
        *,
        query: Mapping[str, str] | None = None,
        deadline: Deadline | None = None,
    ) -> Iterator[T]:
        """Yield the items of a paged list below the repository."""
        return self.pages_of(self.call(path, about, query), adapter, deadline)

    def pages_of(
        self, call: Call, adapter: TypeAdapter[tuple[T, ...]], deadline: Deadline | None = None
    ) -> Iterator[T]:
        """Yield the items of any paged list. If none is given, each page has a deadline of its own: lists are long.

        ``X-Total-Count`` ends it where there is one, else an empty page: a short page may only mean that the server's
        limit is lower than ours. ``Link`` headers are not followed: they are built from another address.
        """
        count = 0
        for page in range(1, PAGE_LIMIT + 1):
            query = {**(call.query or {}), "page": page, "limit": PAGE_SIZE}
            reply = self._rest.send(replace(call, query=query), deadline=deadline)
            found = reply.parse(adapter)
            yield from found
            count += len(found)
            total = reply.headers.get("x-total-count", "")
            if not found or (total.isdecimal() and count >= int(total)):
                return
        what = f"asked to {call.about}, the forge gives no end of pages"
        raise Misconfigured(what, mend=f"At most {PAGE_LIMIT} pages are read; close what is done with")
