"""Starting workflows, their secrets and runs: on the stand-ins and, where one is given, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.protocol import DispatchUnavailable, PullRequestForbidden
from tests.forge.labs import WORKFLOW, standin_lab
from tests.standins.forge_server import ForgeServer
from tests.standins.forge_state import PAT_SCOPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.forge.labs import RestLab
    from tests.standins.forge_state import Json

FILE = "agent.yml"
BRANCH = "work"


def _push(lab: RestLab, folder: str = ".gitea/workflows") -> None:
    lab.push_branch(BRANCH, {f"{folder}/{FILE}": WORKFLOW})


def _start(lab: RestLab, **inputs: str) -> None:
    lab.forge.dispatch(FILE, ref=BRANCH, inputs=inputs)


def test_a_workflow_is_started_on_a_branch(rest_lab: RestLab) -> None:
    _push(rest_lab)
    _start(rest_lab, issue="7", unknown="dropped")
    rest_lab.forge.dispatch(FILE, ref=f"refs/heads/{BRANCH}", inputs={})


@pytest.mark.parametrize(("file", "ref"), [("other.yml", BRANCH), (FILE, "main"), ("../agent.yml", BRANCH)])
def test_a_missing_file_is_named_with_the_branch(rest_lab: RestLab, file: str, ref: str) -> None:
    _push(rest_lab)
    with pytest.raises(DispatchUnavailable, match=f"{file} cannot be started: there is no such workflow") as caught:
        rest_lab.forge.dispatch(file, ref=ref, inputs={"issue": "7"})
    assert f"{rest_lab.full_name} on {ref}" in caught.value.what


@pytest.mark.parametrize("ref", ["nope", "refs/heads/nope", "1" * 40])
def test_a_missing_branch_is_named(rest_lab: RestLab, ref: str) -> None:
    _push(rest_lab)
    with pytest.raises(DispatchUnavailable, match=f"{rest_lab.full_name} has no branch"):
        rest_lab.forge.dispatch(FILE, ref=ref, inputs={"issue": "7"})


def test_actions_that_are_switched_off_start_nothing(rest_lab: RestLab) -> None:
    _push(rest_lab)
    rest_lab.switch(has_actions=False)
    with pytest.raises(DispatchUnavailable, match="the token may not start the workflow") as caught:
        _start(rest_lab)
    assert "Switch on Actions" in caught.value.mend
    assert not rest_lab.forge.run_is_cancelled(run_id=None, run_number=7)


def test_a_workflow_that_is_switched_off_is_said_to_be(standin: RestLab, server: ForgeServer) -> None:
    _push(standin)
    server.state.disabled_workflows.add(FILE)
    with pytest.raises(DispatchUnavailable, match="workflow is disabled"):
        _start(standin)


def test_a_server_without_that_route_is_too_old(tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server", version="1.23.8") as server:
        lab = standin_lab(tmp_path, server)
        _push(lab)
        with pytest.raises(DispatchUnavailable, match="does not start workflows by its API") as caught:
            _start(lab)
        assert "1.24" in caught.value.mend
        lab.close()


def test_only_declared_inputs_arrive_and_the_run_gets_an_event(standin: RestLab, server: ForgeServer) -> None:
    _push(standin)
    _start(standin, issue="7", unknown="dropped")
    (record,) = server.state.dispatched
    assert (record["workflow"], record["ref"], record["sender"]) == (FILE, BRANCH, "coordinator")
    assert record["inputs"] == {"issue": "7", "event": ""}
    event = record["event"]
    assert isinstance(event, dict)
    assert (event["workflow"], event["ref"], event["inputs"]) == (FILE, BRANCH, record["inputs"])
    assert (event["sender"]["id"], event["repository"]["full_name"]) == (server.bot.id, "acme/app")


def test_forgejo_tells_the_run_otherwise(tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server", flavour="forgejo") as server:
        lab = standin_lab(tmp_path, server)
        _push(lab, ".forgejo/workflows")
        with lab.forge_of(server.job_token) as forge:
            forge.dispatch(FILE, ref=BRANCH, inputs={"issue": "7"})
        event = server.state.dispatched[0]["event"]
        assert isinstance(event, dict)
        assert (event["workflow"], event["ref"]) == (f".forgejo/workflows/{FILE}", f"refs/heads/{BRANCH}")
        assert event["inputs"] == {"issue": "7"}
        assert (event["sender"]["id"], event["sender"]["login"]) == (-2, "forgejo-actions")
        lab.close()


def test_an_input_that_is_required_is_named_in_the_servers_words(tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server", flavour="forgejo") as server:
        lab = standin_lab(tmp_path, server)
        text = WORKFLOW.replace("event: {type: string}", "event: {type: string, required: true}")
        lab.push_branch(BRANCH, {f".forgejo/workflows/{FILE}": text})
        with pytest.raises(DispatchUnavailable, match="input required: event") as caught:
            _start(lab, issue="7")
        assert "workflow_dispatch" in caught.value.mend
        lab.close()


@pytest.mark.parametrize("kind", ["500", "429", "reset", "409", "412"])
def test_a_start_that_fails_once(standin: RestLab, server: ForgeServer, kind: Literal["500", "409"]) -> None:
    _push(standin)
    server.stumble("POST .*/dispatches", kind)
    if kind in {"409", "412"}:
        with pytest.raises(Misconfigured, match=kind):
            _start(standin, issue="7")
    else:
        _start(standin, issue="7")
    assert len(server.state.dispatched) == (0 if kind in {"409", "412"} else 1)


def test_a_start_whose_answer_is_lost_is_made_again(standin: RestLab, server: ForgeServer) -> None:
    """Of two runs for one issue the second finds it claimed; a start that is lost is never made up."""
    _push(standin)
    server.stumble("POST .*/dispatches", "lost")
    _start(standin, issue="7")
    assert len(server.state.dispatched) == 2


@pytest.mark.parametrize("flavour", ["gitea", "forgejo"])
def test_a_server_that_keeps_failing_is_unreachable_and_not_without_the_file(
    tmp_path: Path, flavour: Literal["gitea", "forgejo"]
) -> None:
    with ForgeServer(tmp_path / "server", flavour=flavour) as server:
        lab = standin_lab(tmp_path, server)
        _push(lab)
        server.fail("POST .*/dispatches", times=99, status=500)
        with pytest.raises(Unreachable, match=f"start the workflow {FILE} of acme/app on {BRANCH}"):
            _start(lab)
        lab.close()


def test_a_test_can_start_the_run_of_a_dispatch(standin: RestLab, server: ForgeServer) -> None:
    _push(standin)
    started: list[Mapping[str, Json]] = []
    titles: list[str] = []

    def start(record: Mapping[str, Json]) -> None:
        started.append(record)
        titles.append(standin.forge.repository().full_name)

    server.on_dispatch(FILE, start)
    server.on_dispatch("other.yml", lambda _: pytest.fail("another workflow"))
    _start(standin, issue="7")
    assert (started, titles) == (server.state.dispatched, ["acme/app"])


@pytest.mark.parametrize("private", [False, True])
def test_a_job_token_opens_pull_requests_on_forgejo_where_all_may_read(tmp_path: Path, *, private: bool) -> None:
    with ForgeServer(tmp_path / "server", flavour="forgejo", private=private) as server:
        lab = standin_lab(tmp_path, server)
        _push(lab)
        with lab.forge_of(server.job_token) as forge:
            if private:
                with pytest.raises(PullRequestForbidden):
                    forge.create_pull_request(head=BRANCH, base="main", title="t", body="", draft=False)
            else:
                opened = forge.create_pull_request(head=BRANCH, base="main", title="t", body="", draft=True)
                assert forge.pull_request(opened.number).draft
        lab.close()


def test_secrets_are_named_to_the_owner_and_to_nobody_else(rest_lab: RestLab) -> None:
    assert rest_lab.forge.secret_names() is None
    with rest_lab.forge_of(rest_lab.owner_token) as forge:
        assert forge.secret_names() == ()


def test_the_secrets_of_the_organisation_count_where_they_can_be_seen(tmp_path: Path) -> None:
    scopes = PAT_SCOPES | {"read:organization"}
    with ForgeServer(tmp_path / "server", organisation=True, owner_scopes=scopes) as server:
        server.state.secrets += [f"OWN_{number:02}" for number in range(60)]
        server.state.organisation_secrets += ["SHARED", "OWN_00"]
        lab = standin_lab(tmp_path, server)
        with lab.forge_of(server.owner.token) as forge:
            assert forge.secret_names() == (*server.state.secrets, "SHARED")
        narrow = server.add_user("narrow", "owner")
        with lab.forge_of(narrow.token) as forge:
            assert forge.secret_names() == tuple(server.state.secrets)
        lab.close()


def test_a_run_is_cancelled_once_somebody_has_cancelled_it(standin: RestLab, server: ForgeServer) -> None:
    server.state.tasks.append({"id": 1, "run_number": 8, "status": "running"})
    server.cancel_run(7)
    assert standin.forge.run_is_cancelled(run_id=1, run_number=7)
    assert not standin.forge.run_is_cancelled(run_id=7, run_number=8)
    assert not standin.forge.run_is_cancelled(run_id=7, run_number=None)
