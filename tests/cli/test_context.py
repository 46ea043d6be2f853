"""A long job with a small context, through the whole command: what a person sees of it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from coordinator.agent.handoff import INTRODUCTION
from coordinator.demo.model_script import say
from tests.agent.support import asks_for_note
from tests.cli.support import Shell, make_project, the_model
from tests.small_project import FILES, GOOD, LINT_ONLY, bash, submit
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pathlib import Path

SMALL = "agents:\n  haiku: {context_limit: 44000, max_output_tokens: 20000}\n"
NOTE = f"Done: TWO stands in tool.py. Next: submit. {'More. ' * 50}"


def test_the_work_goes_on_after_a_reset_and_the_reset_is_shown_everywhere(shell: Shell, tmp_path: Path) -> None:
    looking = [bash(f"echo {number}; seq 1000 2800") for number in range(9)]
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": LINT_ONLY + SMALL})
    shell.set(ANTHROPIC_API_KEY=API_CANARY, INPUT_AGENT="haiku")
    with the_model(shell, say(NOTE, when=asks_for_note), GOOD, *looking, submit()) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.code == 0, ended.err
    [reset] = ended.document["compactions"]
    assert reset["kind"] == "compacted"
    assert reset["reduction"] >= 0.4
    lines = [line for line in ended.err.splitlines() if "context compacted: " in line]
    assert len(lines) == 1
    assert re.search(r"context compacted: 2\d,\d{3} → [\d,]{5,6} tokens \(\d\d % less\), \$0\.0", lines[0])
    turns = re.findall(r"turn (\d+)/\d+ · context (\d+) %", ended.err)
    assert [int(turn) for turn, _ in turns] == list(range(1, 12))
    shares = [int(share) for _, share in turns]
    assert min(later - earlier for earlier, later in pairwise(shares)) < -30
    [comment] = project.comments()
    assert "context resets: 1 compacted, " in comment
    [page] = project.kept.glob("*.html")
    assert "context resets" in page.read_text(encoding="utf-8")
    [start] = [request.body for request in model.requests if INTRODUCTION in str(request.body["messages"][0])][:1]
    text = start["messages"][0]["content"][0]["text"]
    assert "Solve issue #7" in text
    assert NOTE.strip() in text
    assert "tool.py" in re.split("kind=checkout>", text)[1], "the handoff says what was changed"
