"""What a confined command can learn of the coordinator: nothing. Each control has a test that dies without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.sandbox.protocol import Command, Limits
from coordinator.sandbox.selftest import self_test
from tests.sandbox.support import IS_ROOT, coordinator, ordinary_coordinator, python, sh
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from coordinator.sandbox.confined import ConfinedSandbox
    from coordinator.sandbox.protocol import Sandbox

CANARIES = {"FORGE_TOKEN": FORGE_CANARY, "API_KEY": API_CANARY}

SNOOP = r"""
own = os.getpid()
spy = f'''
import os, sys
from pathlib import Path
for pid in ({own}, os.getppid()):
    for name in ("environ", "mem", "maps", "auxv", "stack", "syscall"):
        try:
            with open(f"/proc/{{pid}}/{{name}}", "rb") as file:
                file.read(64) if name != "mem" else None
            print("read", pid == {own}, name)
        except OSError:
            pass
    for name in ("cwd", "exe", "root", "fd/0"):
        try:
            print("followed", pid == {own}, name, os.readlink(f"/proc/{{pid}}/{{name}}"))
        except OSError:
            pass
for process in Path("/proc").glob("[0-9]*"):
    try:
        sys.stdout.write((process / "environ").read_bytes().decode(errors="replace"))
    except OSError:
        pass
'''
with open_sandbox(visible=interpreter_paths()) as sandbox:
    argv = (sys.executable, "-I", "-c", spy)
    print(sandbox.run(Command(argv=argv, cwd=Path("/"), limits=Limits(seconds=20))))
"""


@pytest.mark.skipif(not IS_ROOT, reason="needs a coordinator that is root")
def test_nothing_of_a_root_coordinator_or_its_launcher_can_be_read() -> None:
    seen = coordinator(SNOOP, env=CANARIES)
    assert "exit_code=0" in seen
    assert "HOME=" in seen
    for word in (FORGE_CANARY, API_CANARY, "read True", "read False", "followed"):
        assert word not in seen


def test_nothing_of_an_ordinary_users_coordinator_or_its_launcher_can_be_read() -> None:
    seen = ordinary_coordinator(SNOOP, env=CANARIES)
    assert "exit_code=0" in seen
    assert "HOME=" in seen
    for word in (FORGE_CANARY, API_CANARY, "read True", "read False", "followed"):
        assert word not in seen


@pytest.mark.skipif(not IS_ROOT, reason="only root can look into its launcher, which is hidden")
def test_the_launcher_starts_without_the_coordinators_environment() -> None:
    script = """
with open_sandbox() as sandbox:
    folder = sandbox.make_folder("x")
    script = f"echo $PPID > {folder}/p; mv {folder}/p {folder}/pid; sleep 1"
    thread = threading.Thread(target=sh, args=(sandbox, script))
    thread.start()
    while not (folder / "pid").exists():
        time.sleep(0.02)
    launcher = Path("/proc") / (folder / "pid").read_text().strip()
    print((launcher / "environ").read_bytes(), (launcher / "cwd").readlink())
    thread.join()
"""
    assert coordinator(script, env=CANARIES) == "b'' /\n"


def test_the_launcher_runs_the_standard_library_and_this_room_only(sandbox: ConfinedSandbox) -> None:
    script = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from coordinator.sandbox.launcher import supervisor; print(*sys.modules)"
    )
    root = str(Path(__file__).parents[2])
    done = coordinator(
        f"print(subprocess.run([sys.executable, '-I', '-S', '-c', {script!r}, {root!r}], "
        "env={}, capture_output=True, text=True).stdout)"
    )
    ours = {name for name in done.split() if name.partition(".")[0] not in sys.stdlib_module_names} - {"__main__"}
    assert ours == {
        "coordinator",
        "coordinator.sandbox",
        "coordinator.sandbox.kernel",
        "coordinator.sandbox.launcher",
        "coordinator.sandbox.launcher.child",
        "coordinator.sandbox.launcher.supervisor",
        "coordinator.sandbox.launcher.tree",
        "coordinator.sandbox.launcher.view",
    }
    assert {"typing", "json", "re"}.isdisjoint(done.split())
    assert sandbox.description


@pytest.mark.skipif(not IS_ROOT, reason="only root has files that its commands may not read")
def test_files_of_root_are_closed(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(FORGE_CANARY, encoding="utf-8")
    secret.chmod(0o600)
    result = sh(sandbox, f"cat {secret} /etc/shadow; cat /proc/1/environ; ls /proc/1/fd ~root/.ssh")
    assert result.stdout == b""
    assert result.exit_code != 0


@pytest.mark.skipif(not IS_ROOT, reason="with one uid for all, kernel filters have to do this")
def test_the_kernel_is_closed(sandbox: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for script in (
        f"kill -0 {os.getpid()}",
        "kill -0 $PPID",
        f"mount -t tmpfs none {tmp_path}",
        "unshare --net true",
        "chroot / true",
        f"echo > /proc/{os.getpid()}/oom_score_adj",
    ):
        assert not sh(sandbox, script).ok, script


def test_a_setuid_program_gives_nothing(sandbox: ConfinedSandbox) -> None:
    programs = [
        Path(name) for name in ("/usr/bin/su", "/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/newgrp")
    ]
    program = next((path for path in programs if path.exists() and path.stat().st_mode & 0o4000), None)
    if program is None:
        pytest.skip("this machine has no setuid program")
    script = (
        "import os, time\n"
        f"pid = os.posix_spawn({str(program)!r}, [{str(program)!r}, '--no-such-option'], dict(os.environ))\n"
        "_, status = os.waitpid(pid, 0)\n"
        "print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])"
    )
    assert python(sandbox, script).stdout.split()[-1] == b"1"


def test_the_self_test_finds_nothing_here(sandbox: ConfinedSandbox) -> None:
    if IS_ROOT:
        assert self_test(sandbox, [FORGE_CANARY]) is None
    else:
        assert ordinary_coordinator("with open_sandbox() as s: print(self_test(s))").strip() == "None"


def test_the_self_test_finds_a_parent_that_holds_a_secret() -> None:
    script = f"""
code = "import sys; sys.stdin.read()"
with subprocess.Popen([sys.executable, "-c", code], env={{"TOKEN": {FORGE_CANARY!r}}}, stdin=subprocess.PIPE) as parent:
    with open_sandbox() as sandbox:
        print(parent.pid)
        print(self_test(sandbox, ["", {FORGE_CANARY!r}]))
    parent.stdin.close()
"""
    pid, answer = ordinary_coordinator(script).splitlines()
    assert answer == f"a confined command can read a secret in /proc/{pid}/environ"


def test_the_self_test_finds_a_secret_in_a_command_line() -> None:
    script = f"""
code = "import sys; sys.stdin.read()"
with subprocess.Popen([sys.executable, "-c", code, {API_CANARY!r}], stdin=subprocess.PIPE) as process:
    with open_sandbox() as sandbox:
        print(process.pid)
        print(self_test(sandbox, [{API_CANARY!r}]))
    process.stdin.close()
"""
    without_mounts = ("setpriv", "--bounding-set", "-sys_admin") if IS_ROOT else ()
    pid, answer = coordinator(script, *without_mounts).splitlines()
    assert answer == f"a confined command can read a secret in /proc/{pid}/cmdline"


def test_the_self_test_finds_a_coordinator_whose_memory_is_open() -> None:
    script = """
import ctypes
with open_sandbox() as sandbox:
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    print(self_test(sandbox))
"""
    assert ordinary_coordinator(script) == "a confined command can read a secret in memory of the coordinator\n"


def test_a_self_test_that_does_not_end_well_says_so(sandbox: ConfinedSandbox) -> None:
    class WithoutPrograms:
        """The sandbox, with a search path on which nothing is found."""

        description = ""
        make_folder = sandbox.make_folder
        give = sandbox.give

        def run(self, command: Command) -> object:
            limits = Limits(seconds=9)
            return sandbox.run(Command(argv=command.argv, cwd=command.cwd, limits=limits, env={"PATH": "/none"}))

    answer = self_test(WithoutPrograms())  # type: ignore[arg-type]  # `run` narrows what it gives on purpose
    assert answer is not None
    assert "nothing is known" in answer


def test_a_command_line_of_somebody_else_is_not_seen(sandbox: ConfinedSandbox) -> None:
    if not sandbox.means.hides_processes:
        pytest.skip("needs a mount namespace: root with CAP_SYS_ADMIN")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", FORGE_CANARY]) as holder:
        try:
            seen = sh(sandbox, "cat /proc/[0-9]*/cmdline; cat /proc/self/comm")
        finally:
            holder.kill()
    assert FORGE_CANARY.encode() not in seen.stdout
    assert not sh(sandbox, "ls -d /proc/1").ok
    assert seen.stdout.endswith(b"cat\n"), "its own processes are there"


def test_a_machine_that_cannot_hide_processes_is_used_without() -> None:
    if not IS_ROOT:
        pytest.skip("only root loses a capability here")
    script = """
from coordinator.sandbox.opening import open_sandbox
with open_sandbox() as sandbox:
    print(sandbox.means.hides_processes, sandbox.means.uid is not None)
"""
    assert coordinator(script, "setpriv", "--bounding-set", "-sys_admin") == "False True\n"
