"""When a run saves what the next one needs, and when it does not: a real repository, claims in a folder, a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.protocol import Ending
from coordinator.agent.transcript import Transcript
from coordinator.configuration import Configuration
from coordinator.flows.checkpoints import CHECKPOINT_SECONDS, CheckpointKeeper, forget
from coordinator.flows.parts import Parts
from coordinator.flows.resuming import read_earlier
from coordinator.forge.local import LocalForge
from coordinator.gates.target.preparing import EnvironmentKeeper
from coordinator.planning.profiles import configured_profiles
from coordinator.settings import make_settings, read_environment
from coordinator.state.claims import Claims, RunIdentity
from coordinator.state.folder import FolderStateStore
from coordinator.workspace.git import Git
from tests.flows.support import REDACT, Lines, journal
from tests.support import API_CANARY, git, make_repository, write_files
from tests.workspace.parts import PlainSandbox, open_workspace, write_blob, write_tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.workspace.workspace import Workspace

REF = "refs/coordinator/runs/issue-7"
ISSUE = "---\nnumber: 7\ntitle: Change it\n---\n\nPlease.\n"


@dataclass
class Bench:
    """A keeper with everything around it."""

    repository: Path
    parts: Parts
    workspace: Workspace
    transcript: Transcript
    keeper: CheckpointKeeper
    warnings: list[str]
    time: list[float] = field(default_factory=lambda: [0.0])

    def answer(self) -> None:
        """Let all calls of a reply be answered."""
        self.transcript.write("message", role="assistant", content=[{"type": "text", "text": "I am at it."}])
        self.transcript.write("message", role="user", content=[{"type": "text", "text": "done"}])

    def saved(self) -> str:
        """Return where the checkpoint is; empty for nowhere."""
        return git(self.repository, "for-each-ref", "--format=%(objectname)", REF)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a keeper of a run that has the claim, and whose transcript has begun."""
    repository = make_repository(tmp_path / "source", {"a.txt": "a\n", "b.txt": "b\n"})
    (tmp_path / "7-issue.md").write_text(ISSUE)
    forge = LocalForge.of(repository)
    issue = forge.import_issue(tmp_path / "7-issue.md")
    now = lambda: datetime(2026, 11, 20, tzinfo=UTC)  # noqa: E731  (the one clock of the test)
    claims = Claims(FolderStateStore(tmp_path / "state"), RunIdentity("41/work"), now=now)
    claims.take(7, request=None, most_runs=None)
    sandbox, time, warnings = PlainSandbox(tmp_path), [0.0], list[str]()
    configuration = Configuration()
    parts = Parts(
        settings=make_settings(read_environment({"ANTHROPIC_API_KEY": API_CANARY}), configuration),
        forge=forge,
        claims=claims,
        profiles=configured_profiles(configuration.agents),
        agent_sandbox=sandbox,
        gate_sandbox=sandbox,
        keeper=EnvironmentKeeper(sandbox, tmp_path),
        folder=tmp_path,
        kept=tmp_path,
        git=Git(),
        progress=Lines(),
        redact=REDACT,
        now=now,
        clock=lambda: time[0],
        person=None,
    )
    workspace = open_workspace(str(repository), tmp_path)
    with Transcript(tmp_path / "transcript.jsonl", REDACT) as transcript:
        keeper = CheckpointKeeper(
            parts, issue, workspace, transcript, profile="p", binding="0", verdict="Old.", warn=warnings.append
        )
        transcript.write("start", profile="p", model="m")
        transcript.write("message", role="user", content=[{"type": "text", "text": "The task."}])
        yield Bench(repository, parts, workspace, transcript, keeper, warnings, time)


def judged(bench: Bench, *, accepted: bool = False, final: bool = False) -> None:
    bench.transcript.write("verdict", accepted=accepted, final=final, text="Rejected: lint.")
    bench.answer()


# When.


def test_nothing_is_saved_before_its_time(bench: Bench) -> None:
    bench.time[0] = CHECKPOINT_SECONDS - 0.1
    bench.answer()
    assert not bench.saved()


def test_after_a_while_it_is_saved_between_two_turns(bench: Bench) -> None:
    bench.time[0] = CHECKPOINT_SECONDS
    bench.transcript.write("message", role="assistant", content=[])
    assert not bench.saved(), "its calls have not run yet"
    bench.answer()
    first = bench.saved()
    assert first
    bench.answer()
    assert bench.saved() == first, "the time counts from the last save"
    bench.time[0] += CHECKPOINT_SECONDS
    bench.answer()
    assert bench.saved() != first
    assert bench.warnings == []


def test_a_rejection_and_a_new_start_of_the_context_are_saved_at_once(bench: Bench) -> None:
    judged(bench)
    first = bench.saved()
    assert first
    bench.transcript.write("reset", kind="rotated", note="")
    assert bench.saved() == first, "the new history has no message yet"
    bench.answer()
    assert bench.saved() != first
    assert "reset" in git(bench.repository, "show", f"{REF}:transcript.jsonl")


@pytest.mark.parametrize(("accepted", "final"), [(True, False), (False, True)])
def test_the_last_verdict_leaves_it_to_the_end(bench: Bench, accepted: bool, final: bool) -> None:
    judged(bench, accepted=accepted, final=final)
    assert not bench.saved()


@pytest.mark.parametrize("ending", set(Ending) - {Ending.ACCEPTED})
def test_every_end_that_brought_nothing_home_is_saved(bench: Bench, ending: Ending) -> None:
    bench.keeper.finish(ending)
    assert bench.saved()


def test_accepted_work_goes_to_the_branch_instead(bench: Bench) -> None:
    bench.keeper.finish(Ending.ACCEPTED)
    assert not bench.saved()


def test_whatever_breaks_the_step_off_is_saved(bench: Bench) -> None:
    with pytest.raises(SystemExit), bench.keeper:
        raise SystemExit
    assert bench.saved()
    with bench.keeper:
        before = bench.saved()
    assert bench.saved() == before


def test_a_closed_issue_leaves_nothing(bench: Bench) -> None:
    judged(bench)
    assert bench.saved()
    path = bench.repository / ".git" / "coordinator" / "forge" / "issues" / "7.json"
    path.write_text(path.read_text().replace('"open"', '"closed"'))
    bench.keeper.finish(Ending.STOPPED)
    assert not bench.saved()


# Whether.


def test_a_run_whose_claim_is_gone_saves_nothing(bench: Bench) -> None:
    bench.parts.claims.finish(7, None)
    bench.keeper.save()
    assert not bench.saved()
    assert bench.warnings == []


def test_what_was_not_begun_is_not_saved(bench: Bench, tmp_path: Path) -> None:
    with Transcript(tmp_path / "other.jsonl", REDACT) as empty:
        keeper = CheckpointKeeper(
            bench.parts,
            bench.parts.forge.issue(7),
            bench.workspace,
            empty,
            profile="p",
            binding="0",
            verdict="",
            warn=bench.warnings.append,
        )
        keeper.save()
    assert not bench.saved()


def test_the_run_that_has_the_claim_is_right(bench: Bench, tmp_path: Path) -> None:
    """What a run has left that had the issue before, and saved late, gives way."""
    late = open_workspace(str(bench.repository), tmp_path)
    origin = CheckpointKeeper(
        bench.parts,
        bench.parts.forge.issue(7),
        late,
        bench.transcript,
        profile="other",
        binding="0",
        verdict="",
        warn=bench.warnings.append,
    )
    origin.save()
    theirs = bench.saved()
    bench.keeper.save()
    assert bench.saved() != theirs
    assert bench.warnings == []


def test_files_with_a_secret_stay_here(bench: Bench) -> None:
    write_files(bench.workspace.checkout, {"leak.txt": f"{API_CANARY}\n"})
    for _ in range(2):
        bench.keeper.save()
    assert git(bench.repository, "ls-tree", "--name-only", REF).split() == ["about.json", "transcript.jsonl"]
    (warning,) = bench.warnings
    assert warning.startswith("the files are not saved in the forge for a next run: The work was refused: leak.txt")


# What cannot be done is a warning.


def lock(bench: Bench) -> None:
    """Let nobody write the ref."""
    folder = bench.repository / ".git" / "refs" / "coordinator" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issue-7.lock").touch()


def test_a_forge_that_takes_nothing_is_one_warning(bench: Bench) -> None:
    lock(bench)
    for _ in range(3):
        bench.keeper.save()
    assert len(bench.warnings) == 1
    assert bench.warnings[0].startswith("what a next run needs to go on could not be saved in the forge: The branch")


def test_a_checkout_that_is_gone_is_one_warning(bench: Bench) -> None:
    bench.workspace.checkout.rename(bench.workspace.checkout.with_name("elsewhere"))
    bench.keeper.save()
    assert bench.warnings == ["what a next run needs to go on could not be saved in the forge: FileNotFoundError"]


def test_what_cannot_be_taken_away_is_a_warning(bench: Bench) -> None:
    judged(bench)
    lock(bench)
    forget(bench.workspace, bench.warnings.append)
    assert len(bench.warnings) == 1
    assert bench.warnings[0].startswith("what was saved for a next run could not be taken away: ")


def test_an_issue_that_cannot_be_looked_at_counts_as_open(bench: Bench) -> None:
    store = bench.repository / ".git" / "coordinator" / "forge"
    store.rename(store.with_name("gone"))
    bench.keeper.finish(Ending.STOPPED)
    assert bench.saved()


# What is in the checkout.


def test_the_state_of_the_work_is_told_for_a_handoff(bench: Bench) -> None:
    before = bench.keeper.work_state()
    assert before.verdict == "Old."
    assert before.git.endswith("none")
    write_files(bench.workspace.checkout, {"a.txt": "changed\n", "new.txt": API_CANARY, ".gitea/workflows/x.yml": "x"})
    judged(bench)
    state = bench.keeper.work_state()
    assert state.verdict == "Rejected: lint."
    assert bench.workspace.merge_base[:7] in state.git
    assert "a.txt" in state.git
    assert "create mode 100644 new.txt" in state.git
    assert "Not counted as work:\n.gitea/workflows/x.yml: protected" in state.git
    assert API_CANARY not in state.git


def test_a_secret_in_a_name_is_masked(bench: Bench) -> None:
    write_files(bench.workspace.checkout, {f"{API_CANARY}.txt": "x"})
    assert API_CANARY not in bench.keeper.work_state().git


# What the next run makes of it.


def test_what_cannot_be_read_is_said(bench: Bench, tmp_path: Path) -> None:
    said = Lines()
    record = journal(said)
    judged(bench)
    assert read_earlier(bench.workspace, record) is None, "there was none when this run began"
    whole = read_earlier(open_workspace(str(bench.repository), tmp_path), record)
    assert whole is not None
    assert whole.verdict == "Rejected: lint."
    assert said.said == []
    listing = git(bench.repository, "ls-tree", REF).splitlines()
    about, transcript, work = (line.encode() for line in listing)
    nonsense = transcript.replace(transcript.split()[2], write_blob(bench.repository, b"nonsense\n").encode())
    rewrite(bench.repository, about, nonsense, work)
    assert read_earlier(open_workspace(str(bench.repository), tmp_path), record) is None
    assert "could not be read completely: it holds no conversation" in said.said[-1]
    rewrite(bench.repository, transcript, work)
    assert read_earlier(open_workspace(str(bench.repository), tmp_path), record) is None
    assert f"What an earlier run has left in {REF}" in said.said[-1]


def rewrite(repository: Path, *listing: bytes) -> None:
    """Set the ref to a commit of another tree."""
    tree = write_tree_of(repository, *listing)
    git(repository, "update-ref", REF, git(repository, "commit-tree", "-p", "main", "-m", "x", tree))
