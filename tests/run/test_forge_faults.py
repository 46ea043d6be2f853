"""Every request to the forge fails once, in every way that servers fail, and the run ends as if nothing had been.

Which requests there are is found out by an undisturbed run of each flow, so a new one is covered by itself. For what
no second try can mend there are four classes, and each request is in one of them:

- ended: exit 2 and one line that names the status; nothing is there twice, and the next run completes.
- refused: exit 3; who has asked cannot be found out, so nothing was written; the next run completes.
- unharmed: done as always, because something later in the run made up for it.
- best effort: done as always but for one thing that is not the work, which the log names.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.run.forge_calls import FLOWS, ForgeCall, ImpatientRun, calls_of, nothing_is_doubled
from tests.run.support import Job, make_job
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.run.support import Ended
    from tests.standins.forge_faults import Stumble

PASSING: tuple[Stumble, ...] = ("500", "429", "hang", "reset", "lost")
"""What a second try mends, whatever the request was."""
LASTING: tuple[Stumble, ...] = ("409", "412")
"""What says that a second try is of no use."""

RIGHTS = ("GET /collaborators/maintainer/permission", "GET /assignees", "GET /teams")
LINES = {"GET /pulls/N/reviews": "comments on lines"}
MARKING = ("GET /issues/N/labels", "DELETE /issues/N/labels/N")
REFUSED: dict[str, tuple[str, ...]] = {"work": RIGHTS, "drain": RIGHTS, "unblock": RIGHTS}
UNHARMED: dict[str, tuple[str, ...]] = {
    "work": (
        *("GET /issues/N/labels", "GET /orgs/acme/labels", "GET /labels", "POST /issues/N/labels", "POST /labels"),
        *("GET /issues/N/comments", "POST /issues/N/comments", "PATCH /issues/comments/N"),
        "GET /pulls",  # asked first for waivers, which are then none
    ),
    "check": (
        "POST /statuses/SHA",
        *("GET /issues/N/comments", "POST /issues/N/comments", "PATCH /issues/comments/N"),
    ),
}
BEST_EFFORT: dict[str, dict[str, str]] = {
    "work": {"POST /statuses/SHA": "statuses", "DELETE /issues/N/labels/N": "mark", **LINES},
    "release": dict.fromkeys(MARKING, "mark"),
    "unblock": {**dict.fromkeys(MARKING, "old mark"), "POST /issues/N/labels": "mark"},
    "drain": {**dict.fromkeys(MARKING, "old mark"), "POST /issues/N/labels": "mark"},
    "check": {**dict.fromkeys(RIGHTS, "all that is written"), **LINES},
}
"""By flow and request, what is missing afterwards (see `tests.run.forge_calls`)."""


@dataclass
class Bench:
    """Makes one job after the other, each with a forge of its own."""

    folder: Path
    tool_cache: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    recorded: dict[str, list[ForgeCall]]
    jobs: int = 0

    @contextmanager
    def job(self, flow: str) -> Iterator[Job]:
        """Give a job with the event of a flow."""
        self.jobs += 1
        folder = self.folder / str(self.jobs)
        folder.mkdir()
        with ForgeServer(folder / "server") as forge:
            job = make_job(folder, forge, self.tool_cache, self.patch, self.capture)
            FLOWS[flow].prepare(job)
            forge.requests.clear()
            yield job

    def calls(self, flow: str) -> list[ForgeCall]:
        """Return the requests of an undisturbed run, which is made once."""
        if flow not in self.recorded:
            with self.job(flow) as job:
                complete(job, flow)
                self.recorded[flow] = calls_of(job.forge.requests)
        return self.recorded[flow]


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[ForgeCall]]:
    """Keep the requests of undisturbed runs, by flow."""
    return {}


@pytest.fixture
def bench(
    tmp_path: Path,
    tool_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recorded: dict[str, list[ForgeCall]],
) -> Bench:
    return Bench(tmp_path, tool_cache, monkeypatch, capsys, recorded)


def run(job: Job, flow: str, waits: list[float] | None = None) -> Ended:
    """Run for the flow's event; the model may be asked as often as an undisturbed run asks it."""
    with FLOWS[flow].model() as model:
        job.use(model)
        ended = ImpatientRun(job, [] if waits is None else waits)()
    assert len(model.requests) <= FLOWS[flow].turns
    assert "Traceback" not in ended.err
    assert "internal error" not in ended.err
    return ended


def complete(job: Job, flow: str, *, but: str = "", waits: list[float] | None = None) -> Ended:
    """Run, and see that it ends as an undisturbed run does."""
    ended = run(job, flow, waits)
    assert (ended.code, ended.document["outcome"]) == (0, FLOWS[flow].outcome), ended.err
    assert unmet(job) == []
    made = len(job.forge.requests)
    FLOWS[flow].done(job, but)
    del job.forge.requests[made:]  # those that `done` has looked with
    return ended


def unmet(job: Job) -> list[str]:
    """Return the requests that were to fail and were never sent."""
    return [fault.route.pattern for fault in job.forge._faults._all if fault.times]


# What a second try mends.


def one_per_exchange(calls: list[ForgeCall]) -> list[ForgeCall]:
    """Return all requests of the API, and of git as many as do not meet in one exchange, which has three tries."""
    wanted = {
        *("GET /info/refs?service=git-upload-pack #1", "POST /git-upload-pack #2"),
        *("POST /git-receive-pack #1", "GET /info/refs?service=git-receive-pack #2"),
    }
    return [call for call in calls if not call.is_git or call.name in wanted]


@pytest.mark.parametrize("turn", range(len(PASSING)))
@pytest.mark.parametrize("flow", FLOWS)
def test_every_request_fails_once_in_one_run(bench: Bench, flow: str, turn: int) -> None:
    """In five runs each request fails in each of the five ways, and in each run every request fails once."""
    calls = one_per_exchange(bench.calls(flow))
    kinds = {call.name: PASSING[(place + turn) % len(PASSING)] for place, call in enumerate(calls)}
    waits: list[float] = []
    with bench.job(flow) as job:
        for call in calls:
            job.forge.stumble(call.route, kinds[call.name], after=call.after)
        lost_start = kinds.get("POST /actions/workflows/coordinator.yml/dispatches") == "lost"
        complete(job, flow, but="the answer" if lost_start else "", waits=waits)
    asked_to_wait = [call for call in calls if kinds[call.name] == "429" and not call.is_git]
    assert len([seconds for seconds in waits if seconds >= 1]) >= len(asked_to_wait), "Retry-After"


@pytest.mark.parametrize("kind", PASSING)
def test_each_write_fails_alone(bench: Bench, kind: Stumble) -> None:
    """Pushes by their number: the claim, the grant of money, the work, and giving the claim back."""
    calls = [call for call in bench.calls("work") if not call.name.startswith("GET") and "upload" not in call.name]
    assert [call.name for call in calls if call.is_git] == [f"POST /git-receive-pack #{n}" for n in (1, 2, 3, 4)]
    for call in calls:
        with bench.job("work") as job:
            job.forge.stumble(call.route, kind, after=call.after)
            complete(job, "work")


@pytest.mark.slow
@pytest.mark.parametrize("kind", PASSING)
def test_each_exchange_of_git_fails_at_its_beginning(bench: Bench, kind: Stumble) -> None:
    calls = [call for call in bench.calls("work") if "info/refs" in call.name]
    with bench.job("work") as job:
        for call in calls:
            # Behind the first one, the second try of the one before lies between.
            job.forge.stumble(call.route, kind, after=min(call.after, 1))
        complete(job, "work")


@pytest.mark.slow
@pytest.mark.parametrize("first", range(4))
def test_each_answer_of_git_fails(bench: Bench, first: int) -> None:
    """Every fourth one, so that no two of them meet in one exchange with its three tries."""
    calls = [call for call in bench.calls("work") if call.name.startswith("POST /git-upload-pack")]
    with bench.job("work") as job:
        for place in range((len(calls) - first + 3) // 4):
            kind = PASSING[(place + first) % len(PASSING)]
            job.forge.stumble(calls[0].route, kind, after=3 if place else first)
        complete(job, "work")


# What a second try does not mend.


def expect_lasting(job: Job, flow: str, call: ForgeCall, kind: Stumble) -> None:
    """Run with one request refused, and see that it ends as its class says."""
    if call.is_git or call.name in UNHARMED.get(flow, ()):
        complete(job, flow)
        return
    if call.name in BEST_EFFORT.get(flow, {}):
        ended = complete(job, flow, but=BEST_EFFORT[flow][call.name])
        assert f"status {kind}" in "".join([ended.err, *job.comments]), "said"
        return
    ended = run(job, flow)
    code, word = (3, "refused") if call.name in REFUSED.get(flow, ()) else (2, "failed")
    assert (ended.code, ended.document["outcome"]) == (code, word)
    assert f"status {kind}" in ended.complaint
    nothing_is_doubled(job)
    assert job.writes == [] or word != "refused"
    job.set(GITHUB_RUN_ATTEMPT="2")
    complete(job, flow)


@pytest.mark.parametrize("turn", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("flow", FLOWS)
def test_each_request_is_refused_alone(bench: Bench, flow: str, turn: int) -> None:
    """With 409 and 412 by turns. The forge's git never says either, so to git they are failures like any other."""
    calls = [call for call in bench.calls(flow) if not call.is_git]
    known = {*UNHARMED.get(flow, ()), *BEST_EFFORT.get(flow, {}), *REFUSED.get(flow, ())}
    assert known <= {call.name for call in calls}, "a class of what is never sent"
    for place, call in enumerate(calls):
        with bench.job(flow) as job:
            kind = LASTING[(place + turn) % 2]
            job.forge.stumble(call.route, kind, after=call.after)
            try:
                expect_lasting(job, flow, call, kind)
            except AssertionError as error:
                error.add_note(f"{flow}: {call.name} with {kind}")
                raise
            assert unmet(job) == []


@pytest.mark.parametrize("kind", LASTING)
def test_git_is_refused(bench: Bench, kind: Stumble) -> None:
    calls = [call for call in one_per_exchange(bench.calls("work")) if call.is_git]
    with bench.job("work") as job:
        for call in calls:
            job.forge.stumble(call.route, kind, after=call.after)
        complete(job, "work")
