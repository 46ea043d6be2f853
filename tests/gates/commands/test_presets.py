"""Which commands a project in Go, Rust or for Node.js is judged by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.commands.presets import GO_COMPILED, Preset, find_presets
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEPENDS = {"dependencies": {"x": "1"}}


def only(folder: Path, files: Mapping[str, str]) -> Preset:
    write_files(folder, files)
    (preset,) = find_presets(folder)
    return preset


def lines(preset: Preset) -> dict[str, str]:
    return {command.gate: command.line for command in preset.commands}


def test_go(tmp_path: Path) -> None:
    preset = only(tmp_path, {"go.mod": "module x\n"})
    assert (preset.language, preset.file, preset.setup) == ("go", "go.mod", ("go mod download", GO_COMPILED))
    assert lines(preset) == {"build": "go build ./...", "lint": "go vet ./...", "test": "go test ./..."}
    assert preset.variables["GOTOOLCHAIN"] == "local"


def test_vendored_go_needs_no_network(tmp_path: Path) -> None:
    assert only(tmp_path, {"go.mod": "module x\n", "vendor/modules.txt": ""}).setup == (GO_COMPILED,)


@pytest.mark.parametrize(("lock", "flag"), [({}, ""), ({"Cargo.lock": ""}, " --locked")])
def test_rust(tmp_path: Path, lock: dict[str, str], flag: str) -> None:
    preset = only(tmp_path, {"Cargo.toml": "", **lock})
    assert preset.setup == (f"cargo fetch{flag}",)
    assert lines(preset) == {
        "lint": f"cargo clippy --workspace --all-targets --offline{flag}",
        "test": f"cargo test --workspace --offline{flag}",
    }


@pytest.mark.parametrize(
    ("files", "manager", "setup"),
    [
        ({}, "npm", "npm install --no-package-lock"),
        ({"package-lock.json": "{}"}, "npm", "npm ci"),
        ({"npm-shrinkwrap.json": "{}"}, "npm", "npm ci"),
        ({"pnpm-lock.yaml": ""}, "pnpm", "pnpm install --frozen-lockfile"),
        ({"yarn.lock": ""}, "yarn", "yarn install --frozen-lockfile"),
        ({"yarn.lock": "", ".yarnrc.yml": ""}, "yarn", "yarn install --immutable"),
    ],
)
def test_the_lock_file_decides_the_package_manager(
    tmp_path: Path, files: dict[str, str], manager: str, setup: str
) -> None:
    package = {"scripts": {"test": "x", "lint": "y", "build": "z", "deploy": "w"}, **DEPENDS}
    preset = only(tmp_path, {"package.json": json.dumps(package), **files})
    assert preset.setup == (setup,)
    assert lines(preset) == {"build": f"{manager} run build", "lint": f"{manager} run lint", "test": f"{manager} test"}


@pytest.mark.parametrize("package", [{}, {"scripts": []}, {"dependencies": {}}])
def test_a_project_without_scripts_has_to_be_tested_all_the_same(tmp_path: Path, package: dict[str, object]) -> None:
    preset = only(tmp_path, {"package.json": json.dumps(package)})
    assert lines(preset) == {"test": "npm test"}
    assert preset.setup == ()


@pytest.mark.parametrize("text", ["[]", "{", "", '{"a":' * 50_000])
def test_a_broken_package_file_is_no_project(tmp_path: Path, text: str) -> None:
    write_files(tmp_path, {"package.json": text})
    assert find_presets(tmp_path) == ()


def test_links_are_not_followed(tmp_path: Path) -> None:
    write_files(tmp_path, {"elsewhere/go.mod": "", "tree/README": ""})
    (tmp_path / "tree" / "go.mod").symlink_to("../elsewhere/go.mod")
    assert find_presets(tmp_path / "tree") == ()


def test_several_languages_are_all_found(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.mod": "", "package.json": "{}", "Cargo.toml": ""})
    assert [preset.language for preset in find_presets(tmp_path)] == ["go", "node", "rust"]


@pytest.mark.parametrize(
    ("file", "output", "ran"),
    [
        ("go.mod", "ok  \texample.org/toy\t…\n?   \texample.org/toy/cmd\t[no test files]", True),
        ("go.mod", "ok  \texample.org/toy\t(cached)", True),
        ("go.mod", "ok  \texample.org/toy\t… [no tests to run]", False),
        ("go.mod", "?   \texample.org/toy\t[no test files]", False),
        ("go.mod", "", False),
        ("Cargo.toml", "test result: ok. 0 passed; 0 failed\n\ntest result: ok. 3 passed; 0 failed", True),
        ("Cargo.toml", "test result: ok. 0 passed; 0 failed; 2 ignored", False),
        ("Cargo.toml", "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured", False),
        ("package.json", "# tests 0\n# suites 0\n# pass 0\n# fail 0", False),
        ("package.json", "\u2139 tests 0", False),
        ("package.json", "\u2139 tests 3\n\u2139 pass 0\n\u2139 fail 0\n\u2139 skipped 3", False),
        ("package.json", "# tests 0\n# pass 0\n\n# tests 12\n# pass 12\n", True),
        ("package.json", "1..2\n# tests 2\n# pass  2\n\n# ok", True),
        ("package.json", "  0 passing (2ms)", False),
        ("package.json", "  0 passing (2ms)\n  3 pending", False),
        ("package.json", "  0 passing (2ms)\n  4 passing (1ms)", True),
        ("package.json", "No tests found, exiting with code 0", False),
        ("package.json", "Tests:       3 skipped, 3 total", False),
        ("package.json", "Tests:       0 total", False),
        ("package.json", "Tests:       1 skipped, 1 todo, 2 passed, 4 total", True),
        ("package.json", "Tests:       2 passed, 2 total\nSnapshots:   0 total", True),
        ("package.json", "No test files found, exiting with code 0", False),
        ("package.json", " Test Files  1 passed (1)\n      Tests  2 passed | 1 skipped (3)", True),
        ("package.json", " Test Files  1 skipped (1)\n      Tests  3 skipped (3)", False),
        ("package.json", "No tests found, exiting with code 0\nTests:       2 passed, 2 total", True),
        ("package.json", "a runner that says nothing we know", True),
    ],
)
def test_whether_a_test_ran_is_read_from_the_output(tmp_path: Path, file: str, output: str, ran: bool) -> None:
    preset = only(tmp_path, {file: "{}"})
    test = next(command for command in preset.commands if command.gate == "test")
    assert test.ran is not None
    assert test.ran(output) is ran
