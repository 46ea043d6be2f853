"""Whose a token of GitHub is, and what an account may do in the repository."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from coordinator.forge import github_models as answers
from coordinator.forge.github_address import is_login
from coordinator.forge.http import Call
from coordinator.forge.models import Access, Account, Permission

if TYPE_CHECKING:
    from coordinator.forge.github_api import GithubApi

JOB_ACCOUNT: Final = Account(id=41898282, login="github-actions[bot]")
"""Whose a job's own token is on github.com (https://api.github.com/users/github-actions[bot])."""

_GONE = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)
_VIEWER = "query { viewer { login databaseId } }"
_LEVELS = {
    "none": Permission.NONE,
    "read": Permission.READ,
    "write": Permission.WRITE,
    "admin": Permission.ADMIN,
}
_MEND_NO = "Someone with write access has to start the run, or list the account under `allow:` in .coordinator.yml"
_MEND_UNKNOWN = (
    "List the account under `allow:` in .coordinator.yml, or give the coordinator a token of someone who may write"
)


def find_myself(api: GithubApi) -> Account:
    """Return the account behind the token.

    An app's token, such as a job's own, gets 403 from ``/user``; GraphQL tells it, also on an Enterprise Server,
    where the account of jobs has an id of its own (fullsend-ai/fullsend#1953). Where it does not, the token is taken
    for a job's.
    """
    reply = api.send(Call("GET", "/user", "see whose it is", accept=(HTTPStatus.FORBIDDEN,)))
    if reply.succeeded:
        return reply.parse(answers.USER).account()
    viewer = api.graphql(_VIEWER, {}, "see whose it is")
    data = viewer.parse(answers.VIEWER).data if viewer.succeeded else None
    if data is None or data.viewer is None:
        return JOB_ACCOUNT
    return Account(id=data.viewer.database_id, login=data.viewer.login)


def find_account(api: GithubApi, login: str) -> Account | None:
    """Return the account that has this login now; one that redirects is a renamed one, and counts as none."""
    if not is_login(login):
        return None
    call = Call("GET", f"/users/{quote(login, safe='')}", f"look up the user {login}", accept=_GONE)
    reply = api.send(call)
    return reply.parse(answers.USER).account() if reply.succeeded else None


def find_access(api: GithubApi, account: Account) -> Access:
    """Return what the account may do in the repository.

    The endpoint wants push access of the one who asks: 403 in a public repository, 404 in a private one, and 404 too
    for an account that does not exist.
    """
    if account.id <= 0 or not is_login(account.login):
        return _no(f"{account.login!r} is no account of GitHub")
    path = f"/collaborators/{quote(account.login, safe='')}/permission"
    about = f"see what {account.login} may do in {api.name}"
    reply = api.get(path, about, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
    if not reply.succeeded:
        return _without_answer(api, account, reply.status)
    answer = reply.parse(answers.PERMISSION)
    if answer.user is None or answer.user.id != account.id:
        return _no(f"the login {account.login} belongs to another account now, not the one with id {account.id}")
    level = _LEVELS.get(answer.permission, Permission.UNKNOWN)
    reason = f"{account.login} has {answer.permission} access by the permission endpoint"
    return Access(permission=level, reason=reason, mend="" if level.may_write else _MEND_NO)


def _without_answer(api: GithubApi, account: Account, status: int) -> Access:
    found = find_account(api, account.login)
    if found is None or found.id != account.id:
        return _no(f"GitHub knows no account {account.login} with id {account.id}")
    reason = f"{status}: the token may not ask what {account.login} may do"
    return Access(permission=Permission.UNKNOWN, reason=reason, mend=_MEND_UNKNOWN)


def _no(reason: str) -> Access:
    return Access(permission=Permission.NONE, reason=reason, mend=_MEND_NO)
