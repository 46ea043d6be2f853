"""What a project in Go, Rust or for Node.js is judged by when its configuration says nothing: its own usual commands.

The project is recognised by the file in its root that its build tool reads. Sources: ``go help build``, ``go help
vet``, ``go help test``; the Cargo book, "Cargo Commands"; npm, pnpm and Yarn, "install" and "run".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.gates.commands.ran import go_ran, node_ran, rust_ran
from coordinator.gates.commands.workshop import SCRIPTS, read_package
from coordinator.gates.files import read_below

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GO_COMPILED = "go vet ./... || true"
"""Compiles the base with all that it imports into Go's cache, which each gate then gets: else each would compile the
standard library once more. A base that has faults is none of the set-up's."""

OFFLINE = {"npm_config_update_notifier": "false", "npm_config_fund": "false", "npm_config_audit": "false"}


@dataclass(frozen=True, slots=True)
class PresetCommand:
    """One gate of a preset."""

    gate: str
    """``build``, ``lint`` or ``test``: switched off and limited by the key of that name below ``gates``."""
    line: str
    ran: Callable[[str], bool] | None = None
    """Tells from the output of a passing run whether a test ran at all."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The commands for one language."""

    language: str
    """``go``, ``node`` or ``rust``."""
    file: str
    """By which it was recognised."""
    commands: tuple[PresetCommand, ...]
    setup: tuple[str, ...] = ()
    """Fetches the dependencies, and compiles them where that is kept; the only step with a network."""
    variables: Mapping[str, str] = field(default_factory=dict)


def find_presets(folder: Path) -> tuple[Preset, ...]:
    """Return the presets of the languages that the tree in `folder` names in its root."""
    found = (_go(folder), _node(folder), _rust(folder))
    return tuple(preset for preset in found if preset is not None)


def _go(folder: Path) -> Preset | None:
    if not _has(folder, "go.mod"):
        return None
    return Preset(
        "go",
        "go.mod",
        (
            PresetCommand("build", "go build ./..."),
            PresetCommand("lint", "go vet ./..."),
            PresetCommand("test", "go test ./...", go_ran),
        ),
        (*(() if _has(folder, "vendor/modules.txt") else ("go mod download",)), GO_COMPILED),
        {"GOTOOLCHAIN": "local"},
    )


def _rust(folder: Path) -> Preset | None:
    if not _has(folder, "Cargo.toml"):
        return None
    locked = " --locked" if _has(folder, "Cargo.lock") else ""
    return Preset(
        "rust",
        "Cargo.toml",
        (
            PresetCommand("lint", f"cargo clippy --workspace --all-targets --offline{locked}"),
            PresetCommand("test", f"cargo test --workspace --offline{locked}", rust_ran),
        ),
        (f"cargo fetch{locked}",),
    )


def _node(folder: Path) -> Preset | None:
    package = read_package(folder)
    if package is None:
        return None
    manager = _manager(folder)
    scripts = package.get("scripts")
    named = scripts if isinstance(scripts, dict) else {}
    commands = [PresetCommand(name, f"{manager} run {name}") for name in ("build", "lint") if name in named]
    depends = any(package.get(key) for key in ("dependencies", "devDependencies", "optionalDependencies", "workspaces"))
    return Preset(
        "node",
        SCRIPTS,
        (*commands, PresetCommand("test", f"{manager} test", node_ran)),
        (_install(folder, manager),) if depends else (),
        OFFLINE,
    )


def _manager(folder: Path) -> str:
    """Return the package manager whose lock file there is; npm where there is none."""
    locks = (("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"))
    return next((manager for lock, manager in locks if _has(folder, lock)), "npm")


def _install(folder: Path, manager: str) -> str:
    if manager == "pnpm":
        return "pnpm install --frozen-lockfile"
    if manager == "yarn":
        return f"yarn install {'--immutable' if _has(folder, '.yarnrc.yml') else '--frozen-lockfile'}"
    locked = any(_has(folder, name) for name in ("package-lock.json", "npm-shrinkwrap.json"))
    return "npm ci" if locked else "npm install --no-package-lock"


def _has(folder: Path, name: str) -> bool:
    return read_below(folder, name, 64 * 1024 * 1024) is not None
