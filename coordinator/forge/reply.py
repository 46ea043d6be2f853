"""What a server answered: typed data, or a refusal in words that help."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from pydantic import JsonValue, TypeAdapter, ValidationError

from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

T = TypeVar("T")


class Forbidden(Misconfigured):
    """The token lacks a right or a scope (403)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered."""

    status: int
    headers: httpx.Headers
    body: bytes
    host: str
    about: str

    def parse(self, adapter: TypeAdapter[T]) -> T:
        """Return the JSON body as typed data; raise `Unreachable` when it is something else."""
        try:
            return adapter.validate_json(self.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            what = (
                f"{self.host} gave an answer that is not the one its API promises when asked to {self.about}: {where}"
            )
            raise Unreachable(
                f"{what}: {first['type']}", mend="Check that the API address leads to the forge"
            ) from None

    @property
    def succeeded(self) -> bool:
        """Whether the status is one of success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def message(self) -> str:
        """Return the server's own words about an error as they stand: on all forges the key ``message``, if any.

        GitHub's "Validation Failed" says in ``errors`` what failed: a text, or a list of texts and records.
        """
        try:
            body = TypeAdapter(dict[str, JsonValue]).validate_json(self.body)
        except ValidationError:
            return ""
        message, errors = body.get("message", ""), body.get("errors")
        details = [_detail(one) for one in (errors if isinstance(errors, list) else [errors])]
        return ": ".join(text for text in (message, "; ".join(filter(None, details))) if isinstance(text, str) and text)


def _detail(error: JsonValue) -> str:
    """Return one of GitHub's ``errors``: ``{"resource", "field", "code", "message"}``, the last for some codes only."""
    if isinstance(error, str):
        return error
    if not isinstance(error, dict):
        return ""
    message = error.get("message")
    return message if isinstance(message, str) else f"{error.get('field', '')} {error.get('code', '')}".strip()


def refusal(reply: Reply, api_url: str, clean: Callable[[str], str]) -> Misconfigured:
    """Return the error for a status that is not one of success; `clean` makes the server's words fit to show."""
    said = clean(reply.message())
    detail = f" ({said})" if said else ""
    host, about = reply.host, reply.about
    if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        target = clean(_bare(urljoin(f"{api_url}/", reply.headers.get("location", ""))))
        what = f"{host} redirects to {target} when asked to {about}, and redirects are not followed"
        return Misconfigured(what, mend="Configure the address and the repository name that it points to")
    if reply.status == HTTPStatus.UNAUTHORIZED:
        mend = "Give a valid one by the input `token` or the variable GITEA_TOKEN"
        return Misconfigured(f"{host} does not accept the token{detail}", mend=mend)
    if reply.status == HTTPStatus.FORBIDDEN:
        mend = "Give its account write access, and the token the scopes write:repository, write:issue, read:user"
        return Forbidden(f"the token may not {about} on {host}{detail}", mend=mend)
    if reply.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        what = f"cannot {about} on {host}: there is no such thing, or the token may not see it{detail}"
        return Missing(what, mend="Check the name and the number, and that the token's account may read the repository")
    if reply.status == HTTPStatus.LOCKED:
        return Misconfigured(f"cannot {about} on {host}: the repository is archived", mend="Unarchive it first")
    what = f"{host} refuses to {about}: status {reply.status}{detail}"
    return Misconfigured(what, mend="Change what the message names")


def _bare(address: str) -> str:
    """Return an address without user information, query and fragment."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
