"""A real Gitea as the live tests use it: accounts, repositories, issues, hooks, and what people see."""

from __future__ import annotations

import base64
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import httpx
from pydantic import JsonValue, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Document: TypeAlias = "dict[str, JsonValue]"
DOCUMENT = TypeAdapter(dict[str, JsonValue])
DOCUMENTS = TypeAdapter(list[dict[str, JsonValue]])
T = TypeVar("T")

PATIENCE = 150.0
"""Seconds that anything may take that a runner does."""


def wait_for(what: str, look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Look until there is something to see, and return it; fail with a line that says what was missing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.5)
    message = f"no {what} within {seconds:g} s"
    raise AssertionError(message)


@dataclass(frozen=True)
class Person:
    """An account with a token of its own."""

    login: str
    id: int
    password: str
    token: str


class Gitea:
    """A server, by its address and an administrator's token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", timeout=30)

    def close(self) -> None:
        self._http.close()

    def send(self, method: str, path: str, *, token: str = "", json: object = None, ok: bool = True) -> httpx.Response:
        """Send one request, as the administrator if nobody else is named."""
        headers = {"Authorization": f"token {token or self.token}"}
        reply = self._http.request(method, path, json=json, headers=headers)
        assert reply.is_success or not ok, f"{method} {path}: {reply.status_code} {reply.text[:300]}"
        return reply

    def get(self, path: str) -> Document:
        return DOCUMENT.validate_json(self.send("GET", path).content)

    def list(self, path: str) -> list[Document]:
        return DOCUMENTS.validate_json(self.send("GET", path).content)

    def add_person(self, name: str, scopes: tuple[str, ...] = ("all",)) -> Person:
        """Make an account, with a token."""
        login, password = f"{name}-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        account = {"username": login, "password": password, "email": f"{login}@example.invalid"}
        made = DOCUMENT.validate_json(
            self.send("POST", "/admin/users", json={**account, "must_change_password": False}).content
        )
        basic = base64.b64encode(f"{login}:{password}".encode()).decode()
        reply = self._http.post(
            f"/users/{login}/tokens",
            json={"name": "live", "scopes": list(scopes)},
            headers={"Authorization": f"Basic {basic}"},
        )
        assert reply.is_success, reply.text
        return Person(login, int(str(made["id"])), password, str(reply.json()["sha1"]))

    def registration_token(self) -> str:
        reply = self.send("POST", "/admin/actions/runners/registration-token")
        return str(DOCUMENT.validate_json(reply.content)["token"])

    def remove(self, path: str) -> None:
        self.send("DELETE", path, ok=False)

    @contextmanager
    def browser(self, person: Person) -> Iterator[httpx.Client]:
        """Sign in as a person does."""
        with httpx.Client(base_url=self.url, timeout=30, follow_redirects=True) as client:
            form = {"user_name": person.login, "password": person.password}
            page = client.get("/user/login").text
            assert client.post("/user/login", data={"_csrf": csrf(page), **form}).is_success
            yield client

    def open_issue_in_the_browser(
        self, repository: str, author: Person, *, title: str, assignee: Person, label: int
    ) -> None:
        """Post the web form for a new issue, which takes assignee and label from anybody who is signed in."""
        with self.browser(author) as browser:
            page = browser.get(f"/{repository}/issues/new").text
            answer = browser.post(
                f"/{repository}/issues/new",
                data={
                    "_csrf": csrf(page),
                    "title": title,
                    "content": "Please",
                    "assignee_ids": str(assignee.id),
                    "label_ids": str(label),
                },
            )
            assert answer.is_success, answer.text[:300]


def csrf(page: str) -> str:
    """Return the token of a form; newer servers have none and look at the origin of the request."""
    found = re.search(r'name="_csrf" value="([^"]*)"|csrfToken: *\'([^\']*)\'', page)
    return (found[1] or found[2]) if found else ""
