"""May this account write here? Asked of Gitea and Forgejo with a token that need not be an admin's."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.models import Access, Permission

if TYPE_CHECKING:
    from coordinator.forge.http import RestClient
    from coordinator.forge.models import Account

_LEVELS = {
    "none": Permission.NONE,
    "read": Permission.READ,
    "write": Permission.WRITE,
    "admin": Permission.ADMIN,
    "owner": Permission.ADMIN,
}
_WRITES = {"write", "admin", "owner"}
_READS = {"read", *_WRITES}
_MEND_NO = "Someone with write access has to start the run, or list the account under `allow:` in .coordinator.yml"
_MEND_UNKNOWN = (
    "List the account under `allow:` in .coordinator.yml, or give the coordinator a token of a repository admin"
)


def find_access(rest: RestClient, repository: str, account: Account) -> Access:
    """Return what the account may do in ``owner/name``.

    The permission endpoint answers admins only (403 for others, also for a job's token). Then ``/assignees`` is asked:
    whoever may write to the code is on it, but in an organisation so is whoever may write to *any* unit or read pull
    requests (models/repo/user_repo.go, GetRepoAssignees); where the repository has such a team it proves nothing.
    """
    if account.id <= 0:
        reason = f"{account.login} is a built-in account of the server and has no rights of its own"
        return Access(permission=Permission.UNKNOWN, reason=reason, mend=_MEND_UNKNOWN)
    about = f"see what {account.login} may do in {repository}"
    path = f"/repos/{repository}/collaborators/{quote(account.login, safe='')}/permission"
    reply = rest.send(Call("GET", path, about, accept=(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)))
    if reply.status == HTTPStatus.FORBIDDEN:
        return _by_assignees(rest, repository, account)
    if reply.status == HTTPStatus.NOT_FOUND:
        return Access(permission=Permission.NONE, reason=f"the forge knows no account {account.login}", mend=_MEND_NO)
    answer = reply.parse(answers.PERMISSION)
    if answer.user.id != account.id:
        reason = f"the login {account.login} belongs to another account now (id {answer.user.id}, not {account.id})"
        return Access(permission=Permission.NONE, reason=reason, mend=_MEND_NO)
    level = _LEVELS.get(answer.permission, Permission.UNKNOWN)
    reason = f"{account.login} has {answer.permission} access by the permission endpoint"
    return Access(permission=level, reason=reason, mend="" if level.may_write else _MEND_NO)


def _by_assignees(rest: RestClient, repository: str, account: Account) -> Access:
    about = f"see who may be assigned in {repository}"
    reply = rest.send(Call("GET", f"/repos/{repository}/assignees", about, accept=(HTTPStatus.FORBIDDEN,)))
    if reply.status == HTTPStatus.FORBIDDEN:
        return _unknown(f"403: the token may ask neither what {account.login} may do nor who may be assigned")
    if account.id not in {user.id for user in reply.parse(answers.USERS)}:
        reason = f"{account.login} is not on /assignees, so has no write access"
        return Access(permission=Permission.NONE, reason=reason, mend=_MEND_NO)
    return _by_teams(rest, repository, account)


def _by_teams(rest: RestClient, repository: str, account: Account) -> Access:
    about = f"see the teams of {repository}"
    reply = rest.send(
        Call(
            "GET",
            f"/repos/{repository}/teams",
            about,
            accept=(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED),
        )
    )
    if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:
        reason = f"{account.login} has write access by /assignees, and the owner is no organisation"
        return Access(permission=Permission.WRITE, reason=reason)
    if not reply.succeeded:
        return _unknown(f"{account.login} is on /assignees, but the token may not see the teams: {reply.status}")
    doubtful = [team.name for team in reply.parse(answers.TEAMS) if _is_doubtful(team)]
    if doubtful:
        named = ", ".join(doubtful[:3])
        return _unknown(f"{account.login} is on /assignees, but so are teams that may not write to the code ({named})")
    return Access(permission=Permission.WRITE, reason=f"{account.login} has write access by /assignees and /teams")


def _is_doubtful(team: answers.TeamAnswer) -> bool:
    """Whether members are on ``/assignees`` without being allowed to write to the code."""
    if team.permission in {"admin", "owner"}:
        return False
    units = team.units_map or {}
    if units.get("repo.code", "none") in _WRITES:
        return False
    return units.get("repo.pulls", "none") in _READS or not _WRITES.isdisjoint(units.values())


def _unknown(reason: str) -> Access:
    return Access(permission=Permission.UNKNOWN, reason=reason, mend=_MEND_UNKNOWN)
