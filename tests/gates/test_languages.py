"""Small projects in Go, Rust and for Node.js, judged by their presets with the real tools where there are these."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GatesSection, IntegrityGateSection
from coordinator.gates.suite import build_suite
from tests.gates.support import PlainSandbox, exporter
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.gates.protocol import GateResult
    from coordinator.gates.target.environment import TargetEnvironment

SECTION = GatesSection(integrity=IntegrityGateSection(enabled=False))

GO = {
    "go.mod": "module example.org/toy\n\ngo 1.21\n",
    "toy.go": "package toy\n\nfunc Double(n int) int { return 2 * n }\n",
    "toy_test.go": 'package toy\n\nimport "testing"\n\nfunc TestDouble(t *testing.T) {\n'
    '\tif Double(2) != 4 {\n\t\tt.Errorf("got %d", Double(2))\n\t}\n}\n',
}
RUST = {
    "Cargo.toml": '[package]\nname = "toy"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": "pub fn double(n: i32) -> i32 {\n    2 * n\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n"
    "    fn doubles() {\n        assert_eq!(super::double(2), 4);\n    }\n}\n",
}
NODE = {
    "package.json": '{"name": "toy", "version": "1.0.0", "scripts": {"test": "node --test", "lint": "node --check '
    'index.js"}, "dependencies": {"dep": "file:./dep"}}',
    "dep/package.json": '{"name": "dep", "version": "1.0.0", "main": "i.js"}',
    "dep/i.js": "module.exports = 2\n",
    "index.js": "module.exports = n => require('dep') * n\n",
    "test/a.test.js": "const test = require('node:test')\nconst assert = require('node:assert')\n"
    "test('double', () => assert.strictEqual(require('../index.js')(2), 4))\n",
}
"""The dependency is there only when the set-up ran."""


def tools(*names: str) -> pytest.MarkDecorator:
    lacking = [name for name in names if shutil.which(name) is None]
    return pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)}")


def caches() -> dict[str, str]:
    """What lets the tools find themselves, and Go its compiled standard library, in an empty home."""
    found = {"PATH": os.environ["PATH"]}
    go = shutil.which("go")
    if go is not None:
        asked = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True)
        found["GOCACHE"] = asked.stdout.strip()
    rustup = Path(os.environ.get("RUSTUP_HOME", Path.home() / ".rustup"))
    return found | ({"RUSTUP_HOME": str(rustup)} if rustup.is_dir() else {})


def judged(folder: Path, files: Mapping[str, str]) -> dict[str, GateResult]:
    repository = make_repository(folder / "repository", files)
    (folder / "home").mkdir()

    def environment(_source: Path) -> TargetEnvironment:
        pytest.fail("no environment for Python is wanted")

    suite = build_suite(
        export=exporter(repository),
        tree=git(repository, "rev-parse", "HEAD^{tree}"),
        base=None,
        section=SECTION,
        sandbox=PlainSandbox(folder / "home", caches()),
        environment=environment,
    )
    verdict = suite.judge()
    assert not [path.name for path in (folder / "home").iterdir() if not path.name.startswith(".")]
    return {result.gate: result for result in verdict.gates}


def states(results: Mapping[str, GateResult]) -> dict[str, object]:
    return {name: result.details["state"] for name, result in results.items()}


@tools("go")
def test_go(tmp_path: Path) -> None:
    assert states(judged(tmp_path, GO)) == {"build": "passed", "lint": "passed", "test": "passed"}


@tools("go")
def test_a_failing_test_in_go(tmp_path: Path) -> None:
    results = judged(tmp_path, {**GO, "toy.go": GO["toy.go"].replace("2 *", "3 *")})
    assert states(results) == {"build": "passed", "lint": "passed", "test": "failed"}
    assert results["test"].message == "`go test ./...` ended with exit code 1: toy_test.go:7: got 6"


@tools("go")
def test_go_without_a_test(tmp_path: Path) -> None:
    results = judged(tmp_path, {name: text for name, text in GO.items() if "_test" not in name})
    assert states(results) == {"build": "passed", "lint": "passed", "test": "error"}
    assert results["test"].message == "no tests in the target: `go test ./...` ran none"


@tools("go")
def test_go_that_does_not_compile(tmp_path: Path) -> None:
    results = judged(tmp_path, {**GO, "toy.go": GO["toy.go"].replace("2 * n", "m")})
    assert states(results) == {"build": "failed", "lint": "failed", "test": "failed"}
    assert results["build"].message.endswith("toy.go:3:33: undefined: m")


@tools("cargo")
def test_rust(tmp_path: Path) -> None:
    assert states(judged(tmp_path, RUST)) == {"lint": "passed", "test": "passed"}


@tools("cargo")
def test_a_failing_test_in_rust(tmp_path: Path) -> None:
    results = judged(tmp_path, {**RUST, "src/lib.rs": RUST["src/lib.rs"].replace("2 * n", "3 * n")})
    assert states(results) == {"lint": "passed", "test": "failed"}
    assert "src/lib.rs:9:9: assertion `left == right` failed" in results["test"].message


@tools("cargo")
def test_rust_without_a_test(tmp_path: Path) -> None:
    results = judged(tmp_path, {**RUST, "src/lib.rs": RUST["src/lib.rs"].partition("\n\n")[0] + "\n"})
    assert states(results) == {"lint": "passed", "test": "error"}
    assert results["test"].message.startswith("no tests in the target")


@tools("npm", "node")
def test_node(tmp_path: Path) -> None:
    assert states(judged(tmp_path, NODE)) == {"lint": "passed", "test": "passed"}


@tools("npm", "node")
def test_a_failing_test_in_node(tmp_path: Path) -> None:
    results = judged(tmp_path, {**NODE, "dep/i.js": "module.exports = 3\n"})
    assert states(results) == {"lint": "passed", "test": "failed"}
    assert results["test"].message.startswith("`npm test` ended with exit code 1: ")
    assert "6 !== 4" in str(results["test"].details["output"])


@tools("npm", "node")
def test_node_without_a_test(tmp_path: Path) -> None:
    results = judged(tmp_path, {name: text for name, text in NODE.items() if "test.js" not in name})
    assert states(results) == {"lint": "passed", "test": "error"}


@tools("npm", "node")
def test_a_runner_that_is_not_installed(tmp_path: Path) -> None:
    results = judged(tmp_path, {"package.json": '{"scripts": {"test": "no-such-runner"}}'})
    assert states(results) == {"test": "error"}
    assert results["test"].message.startswith("no-such-runner is not there for `npm test`: install it")
