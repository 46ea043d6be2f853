"""A hostile or careless head: what judges it is what was there before, and what it runs reaches nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.demo import model_server
from tests.run.pull_requests import HEAD, PullRequests
from tests.run.support import Job, files_below, found_in, objects_of
from tests.small_project import LINT_ONLY
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLE = Path(model_server.__file__).parent / "sample"
MODULE = "src/slugs/__init__.py"
TESTS = "tests/test_slugs.py"
ALL_GREEN = dict.fromkeys(("build", "lint", "test", "coverage", "integrity"), "success")


@pytest.fixture
def pulls(job: Job) -> PullRequests:
    """Give the sample project with all four gates on main, and what opens pull requests there."""
    source = job.folder / "source"
    (source / "tool.py").unlink()
    shutil.copytree(SAMPLE, source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    job.push({".coordinator.yml": "", "mypy.ini": "[mypy]\nstrict = true\n"})
    return PullRequests(job)


def sample(name: str) -> str:
    return (SAMPLE / name).read_text(encoding="utf-8")


def states(job: Job, commit: str) -> dict[str, str]:
    """Return what each gate says by the statuses that count."""
    return {name.rpartition("/")[2]: state for name, state in job.statuses(commit).items() if "/" in name}


def broken(extra: Mapping[str, str]) -> dict[str, str]:
    """Return a module that no gate accepts, with what is to hide that."""
    module = f"import os\n{sample(MODULE)}\n\ndef shout(text: str) -> int:\n    return text.upper()\n"
    lines = "".join(f"    print({number})\n" for number in range(40))
    module += f"\n\ndef unused() -> None:\n{lines}"
    return {MODULE: module, TESTS: sample(TESTS).replace('"the-quick-brown-fox"', '"x"'), **extra}


def test_all_gates_accept_good_work(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open({MODULE: sample(MODULE).replace("titles.", "any titles.")})
    ended = pulls.judge()
    assert ended.code == 0, ended.err
    assert states(job, commit) == ALL_GREEN
    assert "✅ Accepted by 5 gates" in pulls.heading


def test_a_head_that_switches_all_rules_off_is_judged_by_those_of_the_base(job: Job, pulls: PullRequests) -> None:
    marker = job.folder / "marker"
    plugin = (
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n\n\ndef plugin(version):\n    raise SystemExit(0)\n"
    )
    commit = pulls.open(
        broken(
            {
                ".coordinator.yml": f"{LINT_ONLY}  lint: {{enabled: false}}\nsetup: [touch {marker}]\n",
                ".gitea/workflows/coordinator.yml": "on: push\n",
                "mypy.ini": "[mypy]\nignore_errors = true\nplugins = evil\n",
                "evil.py": plugin,
                "ruff.toml": "exclude = ['*']\n",
                "pytest.ini": "[pytest]\naddopts = -k nothing -p evil\n",
                ".coveragerc": "[report]\nexclude_also =\n    .\n",
                "tests/conftest.py": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
            }
        )
    )
    assert pulls.judge().code == 1
    assert set(states(job, commit)) == set(ALL_GREEN)
    assert "success" not in states(job, commit).values()
    assert not marker.exists()
    comment = pulls.comment
    assert "this changes them: .coordinator.yml, .gitea/workflows/coordinator.yml" in comment
    assert "ruff.toml: not in the base, so its rules for the gates do not count" in comment
    assert "mypy.ini: its rules for the gates differ from the base; the base's were used" in comment
    for place in (f"{MODULE}:1:8: F401", "return-value", f"{TESTS}::test_words_are_joined_by_hyphens"):
        assert place in comment, place


@pytest.mark.parametrize(
    "conftest",
    [
        "import os\nos._exit(0)\n",
        "import sys\nsys.exit(0)\n",
        "def pytest_collection_modifyitems(items):\n    items.clear()\n",
        "import pytest\n\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_cmdline_main(config):\n    return 0\n",
    ],
    ids=["os-exit", "sys-exit", "no-items", "main"],
)
def test_a_head_that_ends_the_tests_early_is_not_accepted(job: Job, pulls: PullRequests, conftest: str) -> None:
    failing = sample(TESTS).replace('"the-quick-brown-fox"', '"x"')
    commit = pulls.open({TESTS: failing, "tests/conftest.py": conftest, "conftest.py": conftest})
    assert pulls.judge().code == 1
    assert states(job, commit)["test"] in {"failure", "error"}
    assert job.statuses(commit)["coordinator"] == "failure"


def test_a_head_without_tests_is_not_accepted(job: Job, pulls: PullRequests) -> None:
    pulls.push({}, base="main")
    git(job.folder / "source", "rm", "-r", "-q", "tests")
    commit = pulls.open({"README.md": "# None\n"}, onto="")
    assert pulls.judge().code == 1
    assert states(job, commit)["test"] != "success"
    assert "no tests in the target" in pulls.comment


PRYING = """
import os
import pathlib

NEEDLE = bytes(reversed(b"-yranac"))


def readable(paths):
    for path in paths:
        try:
            yield path, path.read_bytes()
        except OSError:
            continue


def test_pry() -> None:
    seen = 0
    processes = list(pathlib.Path("/proc").glob("[0-9]*"))
    places = [
        (process / "environ" for process in processes),
        (process / "cmdline" for process in processes),
        pathlib.Path(RUNNER).rglob("*"),
        pathlib.Path.home().rglob("*"),
        pathlib.Path.cwd().rglob("*"),
        pathlib.Path(os.environ.get("TMPDIR", "/tmp")).rglob("*"),
    ]
    for paths in places:
        for path, content in readable(paths):
            seen += 1
            assert NEEDLE not in content, path
    assert seen > 3
    assert NEEDLE not in str(dict(os.environ)).encode()
    assert not [name for name in os.environ if name.startswith(("GITHUB_", "GITEA_", "INPUT_", "ANTHROPIC_"))]
"""
"""What the code of a head tries: every environment, every command line, every file of the runner."""

REACHING = """
import pathlib
import socket


def test_no_file_of_the_runner() -> None:
    for name in ("event.json", "output", "summary", "source/README.md"):
        try:
            (pathlib.Path(RUNNER) / name).read_bytes()
        except OSError:
            continue
        raise AssertionError(name)


def test_no_network() -> None:
    for address in (("127.0.0.1", PORT), ("192.0.2.1", 443)):
        try:
            socket.create_connection(address, timeout=2).close()
        except OSError:
            continue
        raise AssertionError(address)
"""


@pytest.mark.parametrize("fork", [False, True], ids=["own", "fork"])
def test_the_code_of_a_head_reaches_no_secret(job: Job, pulls: PullRequests, *, fork: bool) -> None:
    head = f"RUNNER = {str(job.folder)!r}\n{PRYING}"
    (pulls.open_fork if fork else pulls.open)({"tests/test_pry.py": head})
    assert pulls.judge_in_a_process() == 1, "ruff has something to say about it"
    assert "passed test" in job.said[-1], job.said[-1]
    told = "\n".join([*job.said, json.dumps(job.outputs()), job.summary, *pulls.comments]).encode()
    assert not found_in(told)
    assert not found_in(objects_of(job.forge.bare_repository))
    for name, content in files_below(job.folder / "temp").items():
        assert not found_in(content), name
    assert bool(job.writes) is not fork


def test_the_code_of_a_stranger_reaches_neither_network_nor_runner(job: Job, pulls: PullRequests) -> None:
    head = f"PORT = {job.forge.url.rpartition(':')[2]}\nRUNNER = {str(job.folder)!r}\n{REACHING}"
    pulls.open_fork({"tests/test_reach.py": head})
    pulls.judge()
    if "network not held back here" in job.summary:
        pytest.skip("another uid and network namespaces need root with CAP_SYS_ADMIN")
    assert "passed test" in job.said[-1], job.said[-1]


def test_what_it_is_built_from_is_that_of_the_base(pulls: PullRequests) -> None:
    setup = "raise SystemExit('must not run')\n"
    project = sample("pyproject.toml").replace("[tool.mypy]", "dependencies = ['no-such-thing']\n\n[tool.mypy]", 1)
    pulls.open({"setup.py": setup, "pyproject.toml": project, "tests/test_new.py": "import no_such_thing\n"})
    assert pulls.judge().code == 1
    note = "What it adds to pyproject.toml, setup.py is not installed: the environment is that of the base branch"
    assert note in pulls.comment


# Which branch the rules are of.


def test_the_gates_are_those_of_the_branch_that_it_is_for(job: Job, pulls: PullRequests) -> None:
    pulls.push({".coordinator.yml": f"{LINT_ONLY}sandbox: {{network: open, allow_unconfined: true}}\n"}, base="main")
    git(job.forge.bare_repository, "branch", "release", HEAD)
    commit = pulls.open({MODULE: f"{sample(MODULE)}\n\nx: int = 'a'\n"}, base="release")
    assert pulls.judge().code == 0
    assert job.statuses(commit) == {"coordinator": "success", "coordinator/lint": "success"}
    assert "by the rules of `release@" in pulls.comment
    configured = job.summary.partition("Configuration of this run")[2]
    assert "lint" not in configured
    assert "'build': {'enabled': False}" in configured.replace("&#", "")
    assert "unconfined" not in configured, "how it is confined is not the branch's to say"


def test_the_set_up_is_that_of_the_branch_that_it_is_for(pulls: PullRequests) -> None:
    pulls.push({".coordinator.yml": "setup: [echo unusual; exit 3]\n"}, base="main")
    git(pulls.job.forge.bare_repository, "branch", "release", HEAD)
    pulls.open({".coordinator.yml": ""}, base="release")
    ended = pulls.judge()
    assert ended.code == 2
    assert "unusual" in ended.complaint


def test_a_branch_whose_configuration_is_wrong_is_named(job: Job, pulls: PullRequests) -> None:
    pulls.push({".coordinator.yml": "gatez: {}\n"}, base="main")
    git(job.forge.bare_repository, "branch", "release", HEAD)
    commit = pulls.open({MODULE: sample(MODULE)}, base="release")
    ended = pulls.judge()
    assert ended.code == 2
    assert ".coordinator.yml of release:1" in ended.complaint
    assert set(job.statuses(commit).values()) == {"error"}


def test_a_branch_that_is_moved_on_counts_from_where_the_head_parted(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open({MODULE: sample(MODULE).replace("titles.", "any titles.")})
    pulls.push({"ruff.toml": "lint.select = ['ALL']\n", "later.py": "import os\n"}, base="main")
    git(job.forge.bare_repository, "update-ref", "refs/heads/main", HEAD)
    git(job.forge.bare_repository, "update-ref", f"refs/heads/{HEAD}", commit)
    git(job.forge.bare_repository, "update-ref", f"refs/pull/{pulls.number}/head", commit)
    assert pulls.judge().code == 0
    assert set(states(job, commit).values()) == {"success"}


def test_what_the_gates_do_not_see_is_said(job: Job, pulls: PullRequests) -> None:
    pulls.push({}, base="main")
    source = job.folder / "source"
    (source / "outside").symlink_to("/etc/passwd")
    make_repository(source / "vendored", {"README.md": ""})
    commit = pulls.open({}, onto="")
    assert pulls.judge().code == 0, job.said
    assert set(states(job, commit).values()) == {"success"}
    assert "Not there for the gates, as it is a submodule or leads out of the tree: outside, vendored" in pulls.comment
