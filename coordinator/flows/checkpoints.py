"""Leaving for the next run what it needs to go on, at the moments at which checkout and conversation agree.

A machine can die at any time, so this is done while the agent works: when all calls of a reply are answered, after
every submission and every new start of the context, else every `CHECKPOINT_SECONDS`; and at every end that did not
bring the work home. What cannot be saved is a warning and never ends a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordinator.agent.protocol import Ending, WorkState
from coordinator.errors import CoordinatorError, Refused
from coordinator.events.freshness import digest
from coordinator.flows.hand_over import refuse_secrets
from coordinator.workspace.checkpoint import TRANSCRIPT_BYTES
from coordinator.workspace.failures import BranchMoved
from coordinator.workspace.workspace import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from coordinator.agent.transcript import Transcript
    from coordinator.flows.parts import Parts
    from coordinator.forge.models import Issue
    from coordinator.workspace.protocol import Candidate
    from coordinator.workspace.workspace import Workspace

CHECKPOINT_SECONDS: Final = 120.0
"""Between two saves that nothing but time asks for. So much of an agent's work a dead machine takes along at most."""
_SUMMARY: Final = "Work in progress"
_LEFT_OUT_SHOWN: Final = 10


class CheckpointKeeper:
    """Saves the conversation and the files of one agent step.

    A context manager around the step: what breaks it off with an exception or a signal, saves what is there.
    """

    def __init__(
        self,
        parts: Parts,
        issue: Issue,
        workspace: Workspace,
        transcript: Transcript,
        *,
        profile: str,
        binding: str,
        verdict: str,
        warn: Callable[[str], None],
    ) -> None:
        """Listen to the transcript from now on. `verdict` is what the last submission of an earlier run was told."""
        self._parts = parts
        self._issue = issue
        self._workspace = workspace
        self._transcript = transcript
        self._profile = profile
        self.binding = binding
        self._verdict = verdict
        self._warn = warn
        self._saved_at = parts.clock()
        self._is_due = False
        self._warned: set[str] = set()
        transcript.listener = self._written

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.save()

    def work_state(self) -> WorkState:
        """Say what is in the checkout now. Its bytes are compared in our clone: no git runs where the agent works."""
        candidate = self._workspace.candidate(_SUMMARY)
        changed = self._workspace.repository.stat(candidate.base, candidate.tree)
        left_out = [*candidate.refused_files, *candidate.left_out][:_LEFT_OUT_SHOWN]
        lines = [f"Changes since the base commit {candidate.base[:7]}:", changed or "none"]
        lines += ["Not counted as work:", *left_out] if left_out else []
        return WorkState(git=self._parts.redact("\n".join(lines)), verdict=self._verdict)

    def finish(self, ending: Ending) -> None:
        """Save what is there at the end of the step. Accepted work goes to the branch instead."""
        if ending is Ending.ACCEPTED:
            return
        if ending is Ending.STOPPED and self._is_closed():
            forget(self._workspace, self._warn)
        else:
            self.save()

    def save(self) -> None:
        """Save what is there now, unless another run has the issue by now."""
        self._is_due, self._saved_at = False, self._parts.clock()
        try:
            self._save()
        except Exception as error:  # noqa: BLE001  (whatever it is, the work of the agent goes on without it)
            why = str(error) if isinstance(error, CoordinatorError) else type(error).__name__
            self._warn_once("what a next run needs to go on could not be saved in the forge", why)

    def _written(self, event: str, fields: Mapping[str, object]) -> None:
        """Take note of an event of the transcript; after an answer to the model, save where it is time to."""
        if event == "verdict":
            self._verdict = str(fields["text"])
            self._is_due = not fields["accepted"] and not fields["final"]
        elif event == "reset":
            self._is_due = True
        elif event == "message" and fields["role"] == "user" and (self._is_due or self._is_time()):
            self.save()

    def _is_time(self) -> bool:
        return self._parts.clock() - self._saved_at >= CHECKPOINT_SECONDS

    def _save(self) -> None:
        history = self._transcript.history(TRANSCRIPT_BYTES)
        if not history or not self._is_ours():
            return
        candidate = self._workspace.candidate(_SUMMARY)
        origin = Origin(
            run=self._parts.claims.identity.run,
            saved_at=self._parts.now(),
            profile=self._profile,
            binding=self.binding,
            text=digest(self._issue),
        )
        with_files = self._may_be_shown(candidate)
        try:
            self._workspace.save(origin, history, candidate, with_files=with_files)
        except BranchMoved:  # by a run that has had the issue before us, or by our own save whose answer was lost
            if self._is_ours():
                self._workspace.save(origin, history, candidate, with_files=with_files)

    def _is_ours(self) -> bool:
        return self._parts.claims.holds(self._issue.number)

    def _may_be_shown(self, candidate: Candidate) -> bool:
        try:
            refuse_secrets(self._workspace, candidate, self._parts.settings.environment.all_secrets())
        except Refused as error:
            self._warn_once("the files are not saved in the forge for a next run", error.what)
            return False
        return True

    def _is_closed(self) -> bool:
        try:
            return self._parts.forge.issue(self._issue.number).state == "closed"
        except CoordinatorError:
            return False

    def _warn_once(self, what: str, why: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._warn(f"{what}: {why}")


def forget(workspace: Workspace, warn: Callable[[str], None]) -> None:
    """Take away what was saved for a next run: the work is done, or not wanted any more."""
    try:
        workspace.checkpoints.drop()
    except CoordinatorError as error:
        warn(f"what was saved for a next run could not be taken away: {error}")
