"""Who gets in, by who asks: what the forge says about the sender, through which token, and when it says nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.run.verification import (
    ASK,
    BY_ASSIGNEES,
    NOT_ON,
    Row,
    as_admin,
    as_bot,
    as_job,
    asks,
    judge,
    listing,
    reader,
    refused,
    starts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.run.support import Job
    from tests.standins.forge_state import User

PERMISSION = "GET .*/collaborators/maintainer/permission$"
ASSIGNEES = "GET .*/assignees$"
TEAMS = "GET .*/teams$"
JSON = {"Content-Type": "application/json"}
LIST_OR_ADMIN = "List the account under `allow:` in .coordinator.yml, or give the coordinator a token of a repository"


# What each token can find out about each account.


TOKENS: dict[str, Callable[[Job], None]] = {"bot": as_bot, "job": as_job, "admin": as_admin}
PEOPLE = {
    ("owner", "bot"): BY_ASSIGNEES,
    ("owner", "job"): BY_ASSIGNEES,
    ("owner", "admin"): "has owner access by the permission endpoint",
    ("writer", "bot"): BY_ASSIGNEES,
    ("writer", "job"): BY_ASSIGNEES,
    ("writer", "admin"): "has write access by the permission endpoint",
    ("reader", "bot"): NOT_ON,
    ("reader", "job"): NOT_ON,
    ("reader", "admin"): "has read access by the permission endpoint",
    ("stranger", "bot"): NOT_ON,
    ("stranger", "job"): NOT_ON,
    ("stranger", "admin"): "has read access by the permission endpoint",
}


@pytest.mark.parametrize(("who", "token"), PEOPLE, ids=str)
def test_what_each_token_finds_out(job: Job, who: str, token: str) -> None:
    TOKENS[token](job)
    person = {
        "owner": job.forge.owner,
        "writer": job.maintainer,
        "reader": reader(job),
        "stranger": job.forge.add_user("stranger"),
    }[who]
    found = f"{person.login} {PEOPLE[who, token]}"
    gets_in = who in {"owner", "writer"}
    asking = partial(asks, who=person)
    judge(job, starts(asking, found) if gets_in else refused(asking, found, ASK))


# G3: the forge gives no answer about somebody who may write, so nobody knows.


def goes_wrong(job: Job, route: str, how: str, body: bytes = b"") -> None:
    """Let somebody who may write ask, and each such request go wrong, however often it is sent."""
    asks(job, job.maintainer)
    if how == "silence":
        job.forge.fail(route, times=99, drop="hang")
    else:
        job.forge.fail(route, times=99, status=int(how), body=body or b'{"message": "no"}', headers=JSON)


UP = "Check that the forge is up and reachable"
A_FORGE = "Check that the API address leads to the forge"
LASTING: dict[str, tuple[str, bytes, str, str]] = {
    "500": ("500", b"", "status 500", UP),
    "silence": ("silence", b"", "ReadTimeout", UP),
    "half an answer": ("200", b'{"permission": "wri', "body: json_invalid", A_FORGE),
    "an empty answer": ("200", b" ", "body: json_invalid", A_FORGE),
    "a text": ("200", b'"write"', "body: ", A_FORGE),
    "null": ("200", b"null", "body: ", A_FORGE),
}
ABOUT = {
    PERMISSION: "see what maintainer may do in acme/app",
    ASSIGNEES: "see who may be assigned in acme/app",
    TEAMS: "see the teams of acme/app",
}


@pytest.mark.parametrize("how", LASTING)
@pytest.mark.parametrize("route", ABOUT, ids=["permission", "assignees", "teams"])
def test_g3_no_answer_is_a_no(job: Job, route: str, how: str) -> None:
    status, body, cause, mend = LASTING[how]
    row = refused(lambda job: goes_wrong(job, route, status, body), "its rights cannot be found out: 127.0.0.1:", mend)
    ended = judge(job, row)
    assert ABOUT[route] in ended.complaint
    assert cause in ended.complaint


def of_another_account(job: Job) -> None:
    goes_wrong(job, PERMISSION, "200", b'{"permission": "admin", "user": {"id": 77, "login": "maintainer"}}')


def of_no_known_level(job: Job) -> None:
    number = str(job.maintainer.id).encode()
    body = b'{"permission": "superuser", "user": {"id": %s, "login": "maintainer"}}' % number
    goes_wrong(job, PERMISSION, "200", body)


def listed_and_silent(job: Job) -> None:
    listing(job, job.maintainer.id)
    goes_wrong(job, "(permission|assignees|teams)$", "500")


def listed_by_login_and_silent(job: Job) -> None:
    listing(job, "maintainer")
    goes_wrong(job, "GET .*/(users/maintainer|permission)$", "500")


FALLING: dict[str, Row] = {
    "404 by the permission endpoint": refused(
        lambda job: goes_wrong(job, PERMISSION, "404"), "the forge knows no account maintainer", ASK
    ),
    "an answer about another account": refused(
        of_another_account, "the login maintainer belongs to another account now (id 77, not 3)", ASK
    ),
    "a level that nobody knows": refused(of_no_known_level, "maintainer has superuser access", ASK),
    "403 by it, and by the list of assignees": refused(
        lambda job: goes_wrong(job, "(permission|assignees)$", "403"),
        "403: the token may ask neither what maintainer may do nor who may be assigned",
        LIST_OR_ADMIN,
    ),
    "403 by it, and by the teams": refused(
        lambda job: goes_wrong(job, TEAMS, "403"), "but the token may not see the teams: 403", LIST_OR_ADMIN
    ),
    "403 by it, and no such list of teams": refused(
        lambda job: goes_wrong(job, TEAMS, "404"), "but the token may not see the teams: 404", LIST_OR_ADMIN
    ),
    "no answer at all, and listed by id": starts(listed_and_silent, "(listed under allow)"),
    "no answer about who has the listed login": refused(
        listed_by_login_and_silent, "its rights cannot be found out", UP
    ),
}


@pytest.mark.parametrize("name", FALLING)
def test_g3_from_one_question_to_the_next(job: Job, name: str) -> None:
    judge(job, FALLING[name])


# Teams: whoever is on /assignees by a team need not be allowed to write to the code.


def organisation(job: Job, units: Mapping[str, str]) -> User:
    """Let the owner be an organisation with a team that may do this, and return a member of it."""
    job.forge.state.organisation = True
    member = job.forge.add_user("member")
    job.forge.add_team("triage", (member,), units)
    return member


READS_PULLS = {"repo.code": "read", "repo.pulls": "read"}
READS_PULLS_ALONE = {"repo.pulls": "read"}
WRITES_ISSUES = {"repo.code": "read", "repo.issues": "write"}
WRITES_CODE = {"repo.code": "write", "repo.pulls": "read"}
READS_CODE = {"repo.code": "read"}
DOUBT = "is on /assignees, but so are teams that may not write to the code (triage)"


def member_asks(job: Job, units: Mapping[str, str], token: Callable[[Job], None] = as_bot) -> None:
    token(job)
    asks(job, organisation(job, units))


def maintainer_asks(
    job: Job, units: Mapping[str, str], token: Callable[[Job], None] = as_bot, *, listed: bool = False
) -> None:
    token(job)
    organisation(job, units)
    if listed:
        listing(job, job.maintainer.id)
    asks(job, job.maintainer)


TEAM_ROWS: dict[str, Row] = {
    "a member of a team that reads code and pull requests": refused(
        lambda job: member_asks(job, READS_PULLS), f"member {DOUBT}", LIST_OR_ADMIN
    ),
    "a member of a team that reads pull requests only": refused(
        lambda job: member_asks(job, READS_PULLS_ALONE), f"member {DOUBT}", LIST_OR_ADMIN
    ),
    "a member of a team that writes issues": refused(
        lambda job: member_asks(job, WRITES_ISSUES), f"member {DOUBT}", LIST_OR_ADMIN
    ),
    "the same with the job's token": refused(
        lambda job: member_asks(job, READS_PULLS, as_job), f"member {DOUBT}", LIST_OR_ADMIN
    ),
    "the same with an admin's token": refused(
        lambda job: member_asks(job, READS_PULLS, as_admin), "member has read access by the permission endpoint", ASK
    ),
    "a member of a team that writes code": starts(
        lambda job: member_asks(job, WRITES_CODE), "member has write access by /assignees and /teams"
    ),
    "a member of a team that reads code": refused(lambda job: member_asks(job, READS_CODE), f"member {NOT_ON}", ASK),
    "a writer beside such a team cannot be told from its members": refused(
        lambda job: maintainer_asks(job, READS_PULLS), f"maintainer {DOUBT}", LIST_OR_ADMIN
    ),
    "a writer beside such a team, listed": starts(
        lambda job: maintainer_asks(job, READS_PULLS, listed=True), "(listed under allow)"
    ),
    "a writer beside such a team, with an admin's token": starts(
        lambda job: maintainer_asks(job, READS_PULLS, as_admin), "maintainer has write access by the permission"
    ),
    "a writer beside a team without a doubt": starts(
        lambda job: maintainer_asks(job, READS_CODE), "maintainer has write access by /assignees and /teams"
    ),
}


@pytest.mark.parametrize("name", TEAM_ROWS)
def test_teams(job: Job, name: str) -> None:
    judge(job, TEAM_ROWS[name])
