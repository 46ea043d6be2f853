"""How requests to GitHub are sent: its headers, pages, and refusals in words that help."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from coordinator.errors import Misconfigured
from coordinator.forge.http import Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue, TypeAdapter

    from coordinator.forge.http import Deadline, Query, RestClient
    from coordinator.forge.reply import Reply

T = TypeVar("T")

API_VERSION = "2022-11-28"
"""The oldest that is still answered, so that Enterprise Servers know it too (GitHub: API versions)."""
HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION}
PAGE_SIZE = 100
"""The most that GitHub gives (its documentation of pagination)."""
PAGE_LIMIT = 100
"""Pages after which a list counts as endless."""

_MENDS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "Give a valid one by the input `token` or the variable GITHUB_TOKEN; a job's own token ends with its job"
    ),
    HTTPStatus.FORBIDDEN: (
        "Give the job `permissions:` actions, contents, issues, pull-requests and statuses: write, or another token"
        " these rights for the repository"
    ),
}


class GithubApi:
    """The REST API, of which most is below ``/repos/{owner}/{name}``, and GraphQL for what REST lacks."""

    def __init__(self, rest: RestClient, graphql: RestClient, name: str) -> None:
        """`graphql` is the client whose ``/graphql`` is the endpoint; on github.com it is the same one."""
        self.rest = rest
        self._graphql = graphql
        self.name = name
        self.path = f"/repos/{name}"

    def close(self) -> None:
        """Close the connections."""
        self.rest.close()
        self._graphql.close()

    def send(self, call: Call, deadline: Deadline | None = None) -> Reply:
        """Send a request with GitHub's headers; raises as `RestClient.send` does, with GitHub's mends."""
        return self._send(self.rest, call, deadline)

    def get(self, path: str, about: str, *accept: int) -> Reply:
        """Read a path of the repository."""
        return self.send(Call("GET", f"{self.path}{path}", about, accept=accept))

    def refusal(self, reply: Reply) -> Misconfigured:
        """Return the error for an answer that is not one of success."""
        error = self.rest.refusal(reply)
        if reply.status == HTTPStatus.FORBIDDEN and "archived" in reply.message():
            return Misconfigured(error.what, mend="Unarchive the repository first")
        return type(error)(error.what, mend=_MENDS.get(reply.status, error.mend))

    def pages(
        self,
        path: str,
        about: str,
        adapter: TypeAdapter[tuple[T, ...]],
        *,
        query: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        deadline: Deadline | None = None,
    ) -> Iterator[T]:
        """Yield the items of a paged list of the repository; none where the answer is one of `accept`.

        The ``Link`` header says whether there is a next page; it is not followed, because it holds an address. It is
        missing when all is on one page, which then is not a full one but by chance.
        """
        end = deadline or self.rest.deadline()
        for page in range(1, PAGE_LIMIT + 1):
            every: Query = {**(query or {}), "per_page": PAGE_SIZE, "page": page}
            reply = self.send(Call("GET", f"{self.path}{path}", about, query=every, accept=accept), end)
            if not reply.succeeded:
                return
            found = reply.parse(adapter)
            yield from found
            link = reply.headers.get("link", "")
            if not ('rel="next"' in link if link else len(found) == PAGE_SIZE):
                return
        what = f"asked to {about}, GitHub gives no end of pages"
        raise Misconfigured(what, mend=f"At most {PAGE_LIMIT * PAGE_SIZE} are read; close what is done with")

    def graphql(self, query: str, variables: Mapping[str, JsonValue], about: str) -> Reply:
        """Ask GraphQL; a refusal comes back as an answer, mostly with status 200 and ``errors``.

        Only for what may be sent twice.
        """
        refused = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
        body: JsonValue = {"query": query, "variables": dict(variables)}
        call = Call("POST", "/graphql", about, json=body, accept=refused, repeatable=True)
        return self._send(self._graphql, call, None)

    def _send(self, client: RestClient, call: Call, deadline: Deadline | None) -> Reply:
        explained = (*call.accept, *_MENDS)
        headers = {**HEADERS, **(call.headers or {})}
        reply = client.send(replace(call, headers=headers, accept=explained), deadline=deadline)
        if reply.succeeded or reply.status in call.accept:
            return reply
        raise self.refusal(reply)
