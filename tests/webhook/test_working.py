"""Work in children of our own: real processes, in place of `coordinator run` a few lines of Python."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.webhook.relay import Relay
from coordinator.webhook.working import Working
from tests.webhook.support import SECRET, delivery, issue_body, signed, wait_until

NOTE = """
import json, os, sys
folder = os.environ["RUNNER_TEMP"]
event = open(os.environ["GITHUB_EVENT_PATH"], "rb").read()
note = {"environment": dict(os.environ), "event": event.hex(), "session": os.getsid(0) == os.getpid()}
json.dump(note, open(os.path.join(folder, "note.json"), "w"))
print("to standard output")
print("to standard error", file=sys.stderr)
"""
WAIT = """
import os, signal, sys, time
def save(*_):
    open(os.path.join(os.environ["RUNNER_TEMP"], "saved"), "w").close()
    sys.exit(4)
signal.signal(signal.SIGTERM, save)
open(os.path.join(os.environ["RUNNER_TEMP"], "started"), "w").write(str(os.getpid()))
for _ in range(600):  # short naps: a signal just before a long one would be seen at its end
    time.sleep(0.1)
"""
DEAF = WAIT.replace("signal.signal(signal.SIGTERM, save)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")


def working(folder: Path, script: str, **variables: str) -> Working:
    return Working((sys.executable, "-I", "-c", script), {"PATH": os.environ["PATH"], **variables}, folder)


def test_a_run_gets_the_raw_body_and_only_what_was_made_for_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = delivery(7)
    assert working(tmp_path, NOTE, INPUT_TOKEN="t").handle(given) == "done here, exit code 0"
    note = json.loads((tmp_path / "acme/app/note.json").read_text())
    found = note["environment"]
    path = found.pop("GITHUB_EVENT_PATH")
    found.pop("LC_CTYPE", None)  # set by the interpreter for itself (PEP 538)
    assert found == {
        "PATH": os.environ["PATH"],
        "INPUT_TOKEN": "t",
        "GITHUB_EVENT_NAME": "issues",
        "GITHUB_REPOSITORY": "acme/app",
        "RUNNER_TEMP": str(tmp_path / "acme/app"),
    }
    assert bytes.fromhex(note["event"]) == given.body
    assert note["session"]
    assert not Path(path).exists()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert {"to standard output", "to standard error"} <= set(captured.err.splitlines())


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "done here"), (1, "worked on here, and not accepted"), (3, "refused by the run here")],
)
def test_what_another_try_would_not_change(tmp_path: Path, code: int, said: str) -> None:
    assert working(tmp_path, f"raise SystemExit({code})").handle(delivery()) == f"{said}, exit code {code}"


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("raise SystemExit(2)", "with exit code 2"),
        ("raise SystemExit(4)", "with exit code 4"),
        ("import os; os.kill(os.getpid(), 9)", "by signal 9"),
    ],
)
def test_any_other_end_is_a_failure(tmp_path: Path, script: str, how: str) -> None:
    with pytest.raises(Misconfigured, match=how):
        working(tmp_path, script).handle(delivery())


def relay_of(handler: Working, *, workers: int = 1, stop_seconds: float = 10) -> Relay:
    relay = Relay(handler, secret=SECRET, workers=workers, waits=(), stop_seconds=stop_seconds)
    relay.start()
    return relay


def take(relay: Relay, number: int) -> None:
    body = issue_body(number)
    assert relay.take("1", list(signed(body).items()), body).status == "queued"


def test_at_the_end_runs_save_their_work_and_nothing_more_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    relay = relay_of(working(tmp_path, WAIT))
    take(relay, 1)
    wait_until((tmp_path / "acme/app/started").exists)
    take(relay, 2)
    (tmp_path / "acme/app/started").unlink()
    relay.stop()
    assert (tmp_path / "acme/app/saved").exists()
    assert not (tmp_path / "acme/app/started").exists()
    assert "#1: failed: the run ended with exit code 4" in caplog.text
    assert "#2: failed: the relay is ending" in caplog.text


def test_a_run_that_does_not_end_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    relay = relay_of(working(tmp_path, DEAF), stop_seconds=0.3)
    take(relay, 1)
    started = tmp_path / "acme/app/started"
    wait_until(lambda: started.exists() and started.read_text())
    relay.stop()
    assert "#1: not finished when the relay ended" in caplog.text
    wait_until(lambda: not is_alive(int(started.read_text())))


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_begins_after_the_end(tmp_path: Path) -> None:
    handler = working(tmp_path, NOTE)
    handler.end()
    with pytest.raises(Unreachable, match="ending"):
        handler.handle(delivery())


def test_as_many_at_once_as_asked_for_and_one_for_each_issue(tmp_path: Path) -> None:
    """Each run waits for a file; the first two are about one issue."""
    script = """
import os, time
folder = os.environ["RUNNER_TEMP"]
open(os.path.join(folder, f"started-{os.getpid()}"), "w").close()
while not os.path.exists(os.path.join(folder, "go")):
    time.sleep(0.01)
"""
    relay = relay_of(working(tmp_path, script), workers=2)
    bodies = [issue_body(1), issue_body(1, "gitea/issues.unassigned"), issue_body(2), issue_body(3)]
    for body in bodies:
        relay.take("1", list(signed(body).items()), body)
    folder = tmp_path / "acme/app"
    wait_until(lambda: len(list(folder.glob("started-*"))) == 2)
    threading.Event().wait(0.3)
    assert len(list(folder.glob("started-*"))) == 2
    (folder / "go").touch()
    wait_until(lambda: len(list(folder.glob("started-*"))) == 4)
    relay.stop()
