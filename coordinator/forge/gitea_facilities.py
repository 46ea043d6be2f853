"""What a Gitea or Forgejo offers and lacks, found out by asking; only what leaves no trace is told by the version."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.models import Facility

if TYPE_CHECKING:
    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import RestClient
    from coordinator.forge.models import Account, Server
    from coordinator.forge.reply import Reply

JOB_USER_ID = -2
"""``gitea-actions`` or ``forgejo-actions`` (models/user/user_system.go)."""
NEEDED_SCOPES = ("write:repository", "write:issue", "read:user")
_REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_OWN_ACCOUNT = "Give the coordinator the token of an account of its own with write access"


def find_facilities(
    rest: RestClient, api: RepositoryApi, name: str, myself: Account, server: Server
) -> tuple[Facility, ...]:
    """Return everything that differs from server to server and from token to token. Nothing is written."""
    return _Probe(rest, api, name, myself, server).facilities()


class _Probe:
    def __init__(self, rest: RestClient, api: RepositoryApi, name: str, myself: Account, server: Server) -> None:
        self._rest = rest
        self._api = api
        self._name = name
        self._is_job = myself.id == JOB_USER_ID
        self._is_forgejo = server.product == "forgejo"
        self._version = _version_of(server)

    def facilities(self) -> tuple[Facility, ...]:
        return (
            self._dispatching(),
            self._pull_requests(),
            self._dependencies(),
            self._permission_lookup(),
            self._label_removal(),
            *self._token(),
            self._since((1, 27), "job summary", "What a run did is in the comment and the log only"),
            self._since((1, 26), "rights of a job (`permissions:`)", "A job's token may write to everything here"),
            self._since(
                (1, 26), "`concurrency:` of a workflow", "All runs of one click start, and all but one end soon"
            ),
        )

    def _ask(self, path: str, about: str) -> Reply:
        return self._rest.send(Call("GET", path, f"{about} {self._name}", accept=_REFUSED))

    def _repository(self) -> answers.RepositoryAnswer:
        return self._api.get("", f"read the repository {self._name}").parse(answers.REPOSITORY)

    def _dispatching(self) -> Facility:
        """Forgejo has no list of workflows to ask for; it starts them since 8.0 (routers/api/v1/repo/action.go)."""
        if self._is_forgejo:
            available = None
        else:
            available = self._ask(f"{self._api.path}/actions/workflows", "see the workflows of").succeeded
        return Facility(
            name="start workflows",
            available=available,
            effect="The queue is worked through in one job, and what a closed issue frees in the job that sees that",
            mend="Switch Actions on in the repository's settings; Gitea has it since 1.24, Forgejo since 8",
        )

    def _pull_requests(self) -> Facility:
        """Judge by the token: a job's may not on Gitea (go-gitea/gitea#32302), and on Forgejo where all may read."""
        repository = self._repository()
        if self._is_job:
            available = self._is_forgejo and not repository.private
        else:
            available = bool(repository.permissions and repository.permissions.push)
        return Facility(
            name="open pull requests",
            available=available,
            effect="The work is pushed, and a person opens the pull request by a link in the comment",
            mend=_OWN_ACCOUNT,
        )

    def _dependencies(self) -> Facility:
        """Ask about the newest issue: there is no other way to see whether they are switched on."""
        about = f"list the issues of {self._name}"
        newest = self._rest.send(Call("GET", f"{self._api.path}/issues", about, query={"state": "all", "limit": 1}))
        issues = newest.parse(answers.ISSUES)
        available = None
        if issues:
            path = f"{self._api.path}/issues/{issues[0].number}/dependencies"
            available = self._ask(path, "see the dependencies of issues of").succeeded
        return Facility(
            name="native dependencies",
            available=available,
            effect="Only `Blocks` and `Blocked by` in the text of issues count",
            mend="Switch dependencies on in the repository's settings, under Issues",
        )

    def _permission_lookup(self) -> Facility:
        owner = self._name.partition("/")[0]
        path = f"{self._api.path}/collaborators/{quote(owner, safe='')}/permission"
        reply = self._ask(path, f"see what {owner} may do in")
        return Facility(
            name="ask what an account may do",
            available=True if reply.succeeded else None if reply.status == HTTPStatus.NOT_FOUND else False,
            effect="Who may write is read from the assignable accounts; a team that may only read pull requests makes "
            "that ambiguous, and its repository's runs are refused",
            mend="Where a run is refused for that, list its people under `allow:` in .coordinator.yml",
        )

    def _label_removal(self) -> Facility:
        """Judge by the token: what a job's gets is seen only by doing it (500 before go-gitea/gitea#37013)."""
        return Facility(
            name="take one label off an issue",
            available=None if self._is_job else True,
            effect="The others are all set again, which may undo what somebody does to them in the same moment",
            mend=_OWN_ACCOUNT,
        )

    def _token(self) -> tuple[Facility, ...]:
        """Ask for what a site administrator alone may see: whoever is refused is told the scopes of the token.

        A job's token has none (routers/api/v1/api.go, tokenRequiresScopes); not all versions tell them.
        """
        if self._is_job:
            return ()
        call = Call("GET", "/admin/users", "see all accounts", query={"limit": 1}, accept=_REFUSED)
        reply = self._rest.send(call)
        modest = Facility(
            name="a token that is not the site administrator's",
            available=not reply.succeeded,
            effect="Whoever gets hold of this token has the whole server",
            mend=_OWN_ACCOUNT,
        )
        return modest, _scopes(reply)

    def _since(self, version: tuple[int, int], name: str, effect: str) -> Facility:
        """Judge by the version what cannot be asked for; unknown for a build without a number."""
        if self._is_forgejo:
            return Facility(name=name, available=False, effect=effect)
        known = None if self._version is None else self._version >= version
        mend = f"Gitea has it since {version[0]}.{version[1]}"
        return Facility(name=name, available=known, effect=effect, mend=mend)


def _scopes(reply: Reply) -> Facility:
    told = re.search(r"token scope=([\w:,-]+)", reply.message())
    scopes = set(told[1].split(",")) if told else set()
    missing = [scope for scope in NEEDED_SCOPES if scopes.isdisjoint({scope, scope.replace("read:", "write:"), "all"})]
    mend = f"Give it {' '.join(missing)}"
    if told is None:
        return Facility(
            name="scopes of the token",
            available=True if reply.succeeded else None,
            effect="What it may not do is refused when it is done, with the name of the scope that is missing",
            mend=mend,
        )
    return Facility(
        name="scopes of the token",
        available=not missing,
        effect=f"It lacks {' '.join(missing)}; what needs them is refused",
        mend=mend,
    )


def _version_of(server: Server) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", server.version)
    return (int(found[1]), int(found[2])) if found else None
