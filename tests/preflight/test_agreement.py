"""What preflight turns away nobody would have worked on: held together with the run on what no forge writes."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings

from coordinator import preflight
from coordinator.errors import CoordinatorError, Misconfigured
from coordinator.events.models import Event
from coordinator.events.read import read_event
from coordinator.events.relay import open_relayed
from coordinator.events.trigger import Decision, decide, is_relayed
from tests.events.mutations import EventFile, event_files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


CANNOT_JUDGE = "the event file cannot be judged before the installation"


def decided(name: str, path: Path) -> Decision | CoordinatorError | None:
    """Return what the run would do before it asks anybody; None for nothing, the error where it would end by one."""
    try:
        return _decide(name, path)
    except CoordinatorError as error:
        return error


def _decide(name: str, path: Path) -> Decision | None:
    event = read_event(name, path, repository="acme/app")
    if not isinstance(event, Event):
        return None
    if is_relayed(event):
        event_or_not = open_relayed(event, secret="")
        assert not isinstance(event_or_not, Event), "nothing opens without a secret"
    decision = decide(event, trigger_assignee="coordinator", trigger_label="agent")
    return decision if isinstance(decision, Decision) else None


def test_ten_thousand_payloads_are_judged_as_the_run_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "event.json"
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GITEA_", "FORGEJO_", "INPUT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))
    seen: Counter[str] = Counter()

    @settings(
        max_examples=10_000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(event_files())
    def check(file: EventFile) -> None:
        path.write_bytes(file.raw)
        monkeypatch.setenv("GITHUB_EVENT_NAME", file.name)
        ours, reason = preflight.judge_environment()
        said = preflight.one_line(reason)
        assert said.isprintable()
        assert "::" not in said
        assert "##[" not in said
        decision = decided(file.name, path)
        if isinstance(decision, CoordinatorError):
            assert ours or isinstance(decision, Misconfigured), "only what is malformed beside may be turned away"
            seen["wrong"] += 1
            return
        judged = reason != CANNOT_JUDGE
        assert ours is (decision is not None) or not judged, (reason, decision)
        seen[("ours" if ours else "not ours") if judged else "left to the run"] += 1

    check()
    assert seen.total() >= 10_000
    assert min(seen["ours"], seen["not ours"], seen["wrong"]) > 1_000, seen
