"""What the coordinator does inside a session, in sessions of this very process."""

from __future__ import annotations

import gc
import json
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.python.pytest_runner import PROPERTY
from coordinator.gates.python.pytest_session import COLLECTING, SessionPlugin
from coordinator.gates.reports.junit import read_report
from tests.support import write_files

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.reports.junit import TestReport

SIGNAL = 77
XUNIT1 = "junit_family=xunit1"
OTHER = "def test_one() -> None:\n    assert True\n\n\ndef test_two() -> None:\n    assert True\n"
MUST_FAIL = "def test_must_fail() -> None:\n    raise AssertionError('said')\n"


@pytest.fixture(autouse=True)
def load_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest load what is installed, whatever the tests themselves are run with."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)


def session(
    folder: Path, files: dict[str, str], *args: str, canaries: tuple[str, ...] = ("test_a.py",), only: list[str] | None
) -> tuple[int, TestReport]:
    """Run a session and return its exit code and report."""
    write_files(folder, {"pytest.ini": "[pytest]\n", "test_a.py": MUST_FAIL, "test_b.py": OTHER, **files})
    chosen = None
    if only is not None:
        chosen = str(folder / "only.json")
        (folder / "only.json").write_text(json.dumps(only))
    known = {"canaries": list(canaries), "only": chosen, "property": PROPERTY, "signal": SIGNAL, "tree": str(folder)}
    plugin = SessionPlugin(known)
    junit = folder / "junit.xml"
    options = (
        f"--rootdir={folder}",
        f"--junitxml={junit}",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-q",
        "-o",
        XUNIT1,
    )
    before = set(sys.modules)
    code = pytest.main([*options, *args, str(folder)], plugins=[plugin])
    for name in set(sys.modules) - before:  # the next session has modules of the same names
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    return int(code), read_report(junit)


def ids(report: TestReport) -> list[str]:
    return [case.node_id for case in report.cases]


def test_nothing_but_the_canary_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = session(tmp_path, {}, "-x", only=None)
    assert code == SIGNAL
    assert ids(report) == ["test_b.py::test_one", "test_b.py::test_two", "test_a.py::test_must_fail"]
    assert [case.exact_id for case in report.cases] == ids(report)
    assert not (tmp_path / "test_a.py").exists()
    printed = capsys.readouterr().out
    assert "2 passed" in printed
    assert "must_fail" not in printed


def test_another_failure_gives_pytest_s_own_code(tmp_path: Path) -> None:
    code, report = session(tmp_path, {"test_c.py": "def test_c() -> None:\n    assert 0\n"}, "--maxfail=2", only=None)
    assert code == 1
    assert ids(report)[-1] == "test_a.py::test_must_fail"


def test_only_what_is_wanted_runs(tmp_path: Path) -> None:
    code, report = session(tmp_path, {}, canaries=(), only=["test_b.py::test_two", "gone.py::test_a"])
    assert code == 0
    assert ids(report) == ["test_b.py::test_two"]


@pytest.mark.parametrize("args", [("-k", "two"), ("-m", "not slow")])
def test_what_the_project_s_own_options_leave_out_comes_back(tmp_path: Path, args: tuple[str, ...]) -> None:
    code, report = session(tmp_path, {}, *args, only=None)
    assert code == SIGNAL
    assert "test_a.py::test_must_fail" in ids(report)


def test_what_a_hook_leaves_out_does_not(tmp_path: Path) -> None:
    hook = "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if 'test_b' in i.nodeid]\n"
    code, report = session(tmp_path, {"conftest.py": hook}, only=None)
    assert code == 0
    assert ids(report) == ["test_b.py::test_one", "test_b.py::test_two"]


def test_a_session_of_canaries_alone_had_nothing_to_run(tmp_path: Path) -> None:
    hook = "def pytest_sessionfinish(session, exitstatus):\n    assert exitstatus == 5\n"
    code, report = session(tmp_path, {"conftest.py": hook, "test_b.py": ""}, only=None)
    assert code == SIGNAL
    assert ids(report) == ["test_a.py::test_must_fail"]


def test_a_hook_that_sets_another_code_is_left_alone(tmp_path: Path) -> None:
    hook = "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"
    assert session(tmp_path, {"conftest.py": hook}, only=None)[0] == 1


def test_fixtures_of_the_session_fail_for_all_to_see(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = (
        "import pytest\n\n\n@pytest.fixture(autouse=True, scope='session')\ndef late():\n    yield\n    raise OSError\n"
    )
    code, report = session(tmp_path, {"conftest.py": late}, only=None)
    assert code == 1
    assert [case.outcome for case in report.cases[-2:]] == ["failure", "error"]
    assert "1 error" in capsys.readouterr().out


PLUGIN = "from pathlib import Path\n\nPath('{mark}').write_text('loaded')\n"


def test_garbage_is_looked_for_less_often_while_tests_are_collected(tmp_path: Path) -> None:
    usual = gc.get_threshold()
    module = f"""
import gc

COLLECTING = gc.get_threshold()


def test_it() -> None:
    assert COLLECTING == {(COLLECTING, *usual[1:])}
    assert gc.get_threshold() == {usual}
"""
    try:
        assert session(tmp_path, {"test_b.py": module}, only=None)[0] == SIGNAL
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*usual)


@pytest.mark.parametrize("own", [0, COLLECTING, 300])
@pytest.mark.parametrize("place", ["conftest.py", "test_b.py"])
def test_a_project_s_own_setting_of_the_garbage_collector_stays(tmp_path: Path, own: int, place: str) -> None:
    usual = gc.get_threshold()
    check = f"def test_it() -> None:\n    assert gc.get_threshold()[0] == {own}\n"
    files = {"test_b.py": f"import gc\n\n\n{check}"}
    files[place] = f"import gc\n\ngc.set_threshold({own}, 5, 5)\n" + (check if place == "test_b.py" else "")
    try:
        code, _ = session(tmp_path, files, only=None)
    finally:
        gc.set_threshold(*usual)
    assert code == SIGNAL


def a_distribution(name: str, mark: str) -> dict[str, str]:
    """Return a plugin that leaves a mark when it is loaded, and what tells pytest about it."""
    return {
        f"{name}.py": PLUGIN.format(mark=mark),
        f"{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{name}-1.dist-info/entry_points.txt": f"[pytest11]\n{name} = {name}\n",
    }


@pytest.mark.parametrize("place", ["src", "link", "./src/../src", "../elsewhere"])
def test_a_plugin_that_lies_in_the_tree_is_not_loaded(tmp_path: Path, place: str) -> None:
    """Neither from a folder of pytest's option for the search path nor from a link to it, into or out of the tree."""
    tree, beside, mark = tmp_path / "tree", tmp_path / "beside", tmp_path / "mark"
    write_files(tree / "src", a_distribution("evil_plugin", str(mark)))
    (tree / "link").symlink_to("src")
    (tmp_path / "elsewhere").symlink_to(tree / "src")
    code, _ = session(tree, {"pytest.ini": f"[pytest]\npythonpath = {place}\n"}, only=None)
    assert (code, mark.exists()) == (SIGNAL, False)
    write_files(beside, a_distribution("evil_plugin", str(mark)))
    (tree / "out").symlink_to(beside)
    code, _ = session(tree, {"pytest.ini": "[pytest]\npythonpath = out\n"}, only=None)
    assert (code, mark.exists()) == (SIGNAL, False)
    code, _ = session(tree, {"pytest.ini": f"[pytest]\npythonpath = {beside}\n"}, only=None)
    assert (code, mark.exists()) == (SIGNAL, True)
    del sys.modules["evil_plugin"]


def test_a_distribution_of_the_tree_is_found_when_the_tests_run(tmp_path: Path) -> None:
    look = (
        "from importlib.metadata import version\n\n\ndef test_look() -> None:\n    assert version('own_thing') == '1'\n"
    )
    files = {f"src/{name}": text for name, text in a_distribution("own_thing", str(tmp_path / "mark")).items()}
    files |= {"pytest.ini": "[pytest]\npythonpath = src\n", "test_b.py": look}
    code, report = session(tmp_path, files, only=None)
    assert (code, report.broken()) == (SIGNAL, [case for case in report.cases if "must_fail" in case.node_id])
    assert not (tmp_path / "mark").exists()


FAKE = {
    "xdist": "parser.getgroup('x')._addoption('-n', dest='numprocesses', type=int, default=9)",
    "pytest_cov": "parser.addoption('--no-cov', action='store_true')\n    parser.addoption('--cov', nargs='?')",
    "randomly": "parser.addoption('--randomly-seed', dest='seed', type=int, default=9)",
}
"""How plugins of these names take the options that are given to them."""

LIKE_A_PLUGIN = """import json

import pytest


def pytest_addoption(parser):
    {options}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    early_config.early = dict(vars(early_config.known_args_namespace))
"""
TOLD = """import json


def test_told(request):
    config = request.config
    early = {name: config.early.get(name) for name in ("numprocesses", "no_cov")}
    late = {name: config.getoption(name, None) for name in ("numprocesses", "no_cov", "seed", "cov")}
    print(json.dumps([early, late]))
"""


@pytest.mark.parametrize(
    ("name", "addopts", "early", "late"),
    [
        ("xdist", "-n 2", {"numprocesses": 0}, {"numprocesses": 0}),
        ("xdist", "-p no:xdist", None, {}),
        ("xdist", "--disable-plugin-autoload", None, {}),
        ("xdist", "--disable-plugin-autoload -p xdist -n 2", {"numprocesses": 0}, {"numprocesses": 0}),
        ("pytest_cov", "--cov=a --no-header", {"no_cov": True}, {"no_cov": True, "cov": "a"}),
        ("pytest_cov", "-p no:cov", None, {}),
        ("randomly", "", {}, {"seed": 0}),
        ("randomly", "--randomly-seed=7", {}, {"seed": 7}),
    ],
)
def test_plugins_that_measure_spread_or_shuffle_are_tamed_where_they_are_loaded(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    name: str,
    addopts: str,
    early: dict[str, object] | None,
    late: dict[str, object],
) -> None:
    """Before their first hook and for good; one that is not loaded would not know the option."""
    beside, module = tmp_path / "beside", f"like_{name}"
    told = TOLD if early is not None else TOLD.replace("config.early", "{}")
    write_files(
        beside,
        {
            f"{module}.py": LIKE_A_PLUGIN.format(options=FAKE[name]),
            f"{module}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n",
            f"{module}-1.dist-info/entry_points.txt": f"[pytest11]\n{name} = {module}\n",
        },
    )
    ini = f"[pytest]\naddopts = {addopts}\npythonpath = {beside}\n"
    code, _ = session(tmp_path / "tree", {"pytest.ini": ini, "test_told.py": told}, "-s", only=None)
    sys.modules.pop(module, None)
    assert code == SIGNAL
    line = next(line for line in capsys.readouterr().out.splitlines() if "[{" in line)
    seen = [
        {key: value for key, value in each.items() if value is not None}
        for each in json.loads(line[line.index("[{") :])
    ]
    assert seen == [early or {}, late]
