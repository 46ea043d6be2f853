"""Labels on Gitea and Forgejo. By id wherever one is known: of names, those that the server misses vanish silently."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.protocol import Missing
from coordinator.forge.reply import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import JsonValue

    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import RestClient

COLOUR = "ededed"


class GiteaLabels:
    """The labels of one repository, and of the organisation that owns it."""

    def __init__(self, rest: RestClient, api: RepositoryApi, name: str) -> None:
        self._rest = rest
        self._api = api
        self._name = name

    def filter_for(self, label: str) -> dict[str, str] | None:
        """Return the query that lists the issues with a label; None where no issue can have it, empty for all issues.

        The server's filter knows labels of the repository alone, not of its organisation, passes over names that it
        does not know and then filters by nothing, takes a comma for the end of a name, and wants all of several labels
        with one name (``GetLabelIDsInRepoByNames`` in models/issues/label.go; measured with 1.26).
        """
        own, shared = self._own(label), self._shared(label)
        if len(own) == 1 and not shared and "," not in label:
            return {"labels": label}
        possible = own or shared or (shared is None and self._may_have_organisation())
        return {} if possible else None

    def add(self, number: int, label: str) -> None:
        """Put a label on an issue, and make it first where there is none of that name.

        A label that is there already is left alone: Forgejo would tell workflows of it again
        (services/issue/label.go).
        """
        if any(one.name == label for one in self._present(number)):
            return
        shared = self._shared(label)
        known = (*self._own(label), *(shared or ()))
        if known:
            self._put("POST", number, known[:1])
        elif shared is not None or not self._add_by_name(number, label):
            self._put("POST", number, [self._make(label)])

    def remove(self, number: int, label: str) -> None:
        """Take all labels of a name off an issue.

        Where a job's token gets 500 for that (before go-gitea/gitea#37013, and on Forgejo), the wanted set replaces the
        old one. That may undo what somebody changes in the same moment, so it is not the first choice. For a label that
        has been deleted since, the server answers 422.
        """
        present = self._present(number)
        failed = False
        accept = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR)
        about = f"take the label {label} off issue {number} of {self._name}"
        for one in present:
            if one.name == label:
                reply = self._rest.send(Call("DELETE", f"{self._of_issue(number)}/{one.id}", about, accept=accept))
                failed |= reply.status == HTTPStatus.INTERNAL_SERVER_ERROR
        if failed:
            self._put("PUT", number, [one.id for one in present if one.name != label])

    def _make(self, label: str) -> int:
        """Make a label and return its id, or that of one that somebody else has made at the same time.

        The server takes a second one of the same name. The oldest counts, so that all who make one agree, and ours goes
        again if it is not that one.
        """
        about = f"make the label {label} in {self._name}"
        fields = {"name": label, "color": COLOUR}
        taken = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
        path = f"{self._api.path}/labels"
        reply = self._rest.send(Call("POST", path, about, json={**fields}, accept=taken, repeatable=True))
        own = self._own(label)
        if not own:
            raise self._rest.refusal(reply)
        if reply.succeeded and (made := reply.parse(answers.LABEL).id) in own[1:]:
            unable = (HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR)
            self._rest.send(Call("DELETE", f"{path}/{made}", f"delete a second label {label}", accept=unable))
        return own[0]

    def _add_by_name(self, number: int, label: str) -> bool:
        """Try a label of the organisation that may not be seen; Gitea finds it since 1.23.1. Return whether it is on.

        To see it a token needs the scope ``read:organization``, to put it on an issue it does not.
        """
        about = f"label issue {number} of {self._name}"
        call = Call("POST", self._of_issue(number), about, json={"labels": [label]}, repeatable=True)
        return any(one.name == label for one in self._rest.send(call).parse(answers.LABELS))

    def _put(self, method: str, number: int, labels: Sequence[int]) -> None:
        about = f"label issue {number} of {self._name}"
        fields: JsonValue = {"labels": [*labels]}
        self._rest.send(Call(method, self._of_issue(number), about, json=fields, repeatable=True))

    def _present(self, number: int) -> tuple[answers.LabelAnswer, ...]:
        about = f"see the labels of issue {number} of {self._name}"
        return self._rest.send(Call("GET", self._of_issue(number), about)).parse(answers.LABELS)

    def _of_issue(self, number: int) -> str:
        return f"{self._api.path}/issues/{number}/labels"

    def _own(self, label: str) -> tuple[int, ...]:
        """Return the ids of the repository's labels of a name, the oldest first."""
        return _ids(self._api.pages("/labels", f"see the labels of {self._name}", answers.LABELS), label)

    def _shared(self, label: str) -> tuple[int, ...] | None:
        """Return the same of the owner's: none for a person (404), None where the token may not see them."""
        path = f"/orgs/{quote(self._name.partition('/')[0], safe='')}/labels"
        call = Call("GET", path, f"see the labels of the owner of {self._name}")
        try:
            return _ids(self._api.pages_of(call, answers.LABELS), label)
        except Missing:
            return ()
        except Forbidden:
            return None

    def _may_have_organisation(self) -> bool:
        """Whether the owner may be an organisation: for a person's repository ``/teams`` answers 405."""
        refused = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
        call = Call("GET", f"{self._api.path}/teams", f"see the teams of {self._name}", accept=refused)
        return self._rest.send(call).status != HTTPStatus.METHOD_NOT_ALLOWED


def _ids(labels: Iterable[answers.LabelAnswer], name: str) -> tuple[int, ...]:
    return tuple(sorted(label.id for label in labels if label.name == name))
