"""The coordinator as a user who is not root: commands share its uid, and may turn against what watches them."""

from __future__ import annotations

from tests.sandbox.support import ordinary_coordinator


def test_the_description_says_what_does_not_hold() -> None:
    script = "with open_sandbox() as sandbox: print(sandbox.description)"
    seen = ordinary_coordinator(script, measured=True)
    assert "own uid" in seen
    assert "network not held back here" in seen


def test_opening_hides_the_coordinator() -> None:
    script = """
import ctypes
from coordinator.sandbox.kernel import process_is_hidden
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
assert not process_is_hidden()
with open_sandbox():
    print(process_is_hidden())
"""
    assert ordinary_coordinator(script) == "True\n"


def test_a_command_that_kills_its_supervisor_leaves_nothing() -> None:
    script = """
with open_sandbox() as sandbox:
    result = sh(sandbox, "echo before; setsid sleep 60 & echo $!; sleep 0.2; kill -KILL $PPID; sleep 60")
    gone = not Path("/proc", result.stdout.split()[1].decode()).exists()
    print(result.exit_code, result.signal, result.timed_out, gone, result.stdout.split()[0])
    print(sh(sandbox, "echo and the next works").stdout)
"""
    first, second = ordinary_coordinator(script).splitlines()
    assert first == "None 9 False True b'before'"
    assert second == "b'and the next works\\n'"


def test_a_command_that_stops_its_supervisor_is_ended_all_the_same() -> None:
    script = """
from coordinator.sandbox.running import Launcher
with open_sandbox(launcher=Launcher(patience=1.5)) as sandbox:
    result = sh(sandbox, "setsid sleep 60 & echo $!; sleep 0.2; kill -STOP $PPID; sleep 60", seconds=1)
    gone = not Path("/proc", result.stdout.decode().strip()).exists()
    print(result.exit_code, result.signal, result.timed_out, gone)
"""
    assert ordinary_coordinator(script) == "None None True True\n"


def test_a_command_that_ends_its_supervisor_politely_is_a_result() -> None:
    script = """
with open_sandbox() as sandbox:
    result = sh(sandbox, "kill -TERM $PPID; sleep 60")
    print(result.exit_code, result.signal, result.timed_out)
"""
    assert ordinary_coordinator(script) == "None 9 False\n"


def test_a_closed_folder_of_its_own_does_not_stop_the_removal() -> None:
    script = """
with open_sandbox() as sandbox:
    folder = sandbox.make_folder("x")
    root = sandbox.root
    sandbox.give(folder)
    sandbox.take(folder)
    print(sh(sandbox, f"cd {folder}; mkdir -p a/b; touch a/b/c; ln -s / l; chmod 0 a/b a .").ok)
print(root.exists())
"""
    assert ordinary_coordinator(script) == "True\nFalse\n"


def test_a_path_that_it_cannot_see_itself_is_named() -> None:
    script = """
import tempfile
folder = Path(tempfile.mkdtemp())
inner = folder / "inner"
inner.mkdir()
(inner / "file").touch()
for path, mode in ((inner / "file", 0o000), (inner, 0o600)):
    path.chmod(mode)
    try:
        open_sandbox(visible=[inner / "file"])
    except Misconfigured as error:
        print(error.what.replace(str(folder), ""), "|", error.mend.replace(str(folder), ""))
    path.chmod(0o700)
"""
    first, second = ordinary_coordinator(script).splitlines()
    assert "cannot use /inner/file: /inner/file is closed to them | Open it with `chmod o+rx /inner/file`" in first
    assert "/inner/file" in second
