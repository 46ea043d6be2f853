"""Labels on Gitea and Forgejo. By id throughout: of names, those that the server does not know vanish silently."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.forge import gitea_models as answers
from coordinator.forge.gitea_api import PAGE_SIZE
from coordinator.forge.http import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import RestClient

COLOUR = "#ededed"


class GiteaLabels:
    """The labels of one repository, and of the organisation that owns it."""

    def __init__(self, rest: RestClient, api: RepositoryApi, name: str) -> None:
        self._rest = rest
        self._api = api
        self._name = name

    def find(self, label: str) -> int | None:
        """Return the id of a label that issues of the repository can have; the oldest of several with one name."""
        found = [one.id for one in self._of_repository() if one.name == label]
        return min(found) if found else self._of_organisation(label)

    def add(self, number: int, label: str) -> None:
        """Put a label on an issue, and make it first where there is none of that name."""
        found = self.find(label)
        wanted = self._make(label) if found is None else found
        self._send("POST", self._path(number), f"label issue {number} of {self._name}", [wanted])

    def remove(self, number: int, label: str) -> None:
        """Take all labels of a name off an issue.

        Where a job's token gets 500 for that (before go-gitea/gitea#37013, and on Forgejo), the wanted set replaces the
        old one. That may undo what somebody changes in the same moment, so it is not the first choice.
        """
        about = f"see the labels of issue {number} of {self._name}"
        present = self._rest.send(Call("GET", f"{self._api.path}{self._path(number)}", about)).parse(answers.LABELS)
        failed = False
        for one in present:
            if one.name == label:
                path = f"{self._api.path}{self._path(number)}/{one.id}"
                about = f"take the label {label} off issue {number} of {self._name}"
                accept = (HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR)
                reply = self._rest.send(Call("DELETE", path, about, accept=accept))
                failed |= reply.status == HTTPStatus.INTERNAL_SERVER_ERROR
        if failed:
            about = f"replace the labels of issue {number} of {self._name}"
            self._send("PUT", self._path(number), about, [one.id for one in present if one.name != label])

    def _make(self, label: str) -> int:
        """Make a label and return its id, or that of one that somebody else has made at the same time."""
        about = f"make the label {label} in {self._name}"
        fields = {"name": label, "color": COLOUR}
        made = self._rest.send(Call("POST", f"{self._api.path}/labels", about, json={**fields}, repeatable=True))
        return self.find(label) or made.parse(answers.LABEL).id

    def _send(self, method: str, path: str, about: str, labels: Sequence[int]) -> None:
        self._rest.send(Call(method, f"{self._api.path}{path}", about, json={"labels": list(labels)}, repeatable=True))

    @staticmethod
    def _path(number: int) -> str:
        return f"/issues/{number}/labels"

    def _of_repository(self) -> list[answers.LabelAnswer]:
        return list(self._api.pages("/labels", f"see the labels of {self._name}", answers.LABELS))

    def _of_organisation(self, label: str) -> int | None:
        """Return the id of an organisation's label; None for a person, who has none (404)."""
        owner = quote(self._name.partition("/")[0], safe="")
        about = f"see the labels of the owner of {self._name}"
        accept = (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
        call = Call("GET", f"/orgs/{owner}/labels", about, query={"limit": PAGE_SIZE}, accept=accept)
        reply = self._rest.send(call)
        found = reply.parse(answers.LABELS) if reply.succeeded else ()
        return next((one.id for one in found if one.name == label), None)
