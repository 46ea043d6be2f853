"""Files that steer the checks themselves, by name and place: nobody changes one of them without a person's look."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.integrity.findings import attention
from coordinator.gates.rules import TOOL_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coordinator.gates.integrity.findings import PolicyFinding
    from coordinator.gates.tree import JudgedTree

PROTECTED = "protected-file"

STARTS_BY_ITSELF = "Python runs it by itself at its start, the tools' Python too"
STEERS_TESTS = "pytest runs it before the tests and lets it change what they say"
UNREAD = "it is code that no reader and no tool can read"
PLUGIN = "it tells tools about plugins that are then loaded"
PIPELINE = "it decides what the forge runs, and with which rights"
TOOL = "it configures a gate tool; the base's was used"
OTHER_TOOL = "it configures a tool that the commands of the gates run, with what it says now"
INSTALLED = "what lies there takes the place of a package that the set-up installs"

BY_NAME: dict[str, str] = {
    "conftest.py": STEERS_TESTS,
    "sitecustomize.py": STARTS_BY_ITSELF,
    "usercustomize.py": STARTS_BY_ITSELF,
    "pyvenv.cfg": "Python takes its own paths from it",
    **dict.fromkeys(sorted(TOOL_FILES), TOOL),
    **dict.fromkeys(
        (
            ".npmrc", ".yarnrc", ".yarnrc.yml", "jsconfig.json", ".eslintrc", ".eslintignore", "biome.json",
            "biome.jsonc", ".oxlintrc.json", ".nycrc", "staticcheck.conf", "clippy.toml", ".clippy.toml",
            "rustfmt.toml", ".rustfmt.toml", "rust-toolchain", "rust-toolchain.toml",
        ),
        OTHER_TOOL,
    ),
}  # fmt: skip
"""By the last part of the path, in any folder. Those of other languages have the names that the documentation of npm,
Yarn, ESLint, Biome, Oxlint, nyc, Staticcheck, Clippy, rustfmt and rustup gives them."""

BY_PATTERN: tuple[tuple[str, str], ...] = (
    ("*.pth", STARTS_BY_ITSELF),
    ("*.pyc", UNREAD),
    ("*.so", UNREAD),
    ("*.pyd", UNREAD),
    ("*.egg-link", PLUGIN),
    *(
        (pattern, OTHER_TOOL)
        for pattern in (
            "jest.config.*", "vitest.config.*", "vitest.workspace.*", "vite.config.*", ".mocharc.*", "ava.config.*",
            "playwright.config.*", "cypress.config.*", "karma.conf.*", "eslint.config.*", ".eslintrc.*",
            "tsconfig.json", "tsconfig.*.json", ".nycrc.*", ".c8rc.*", ".pnpmfile.*", ".pnp.*", ".golangci.*",
        )
    ),
)  # fmt: skip
"""By the last part of the path. Python runs some ``.pyc`` files without a look at their source (PEP 552). The others
have the names that the documentation of Jest, Vitest, Mocha, AVA, Playwright, Cypress, Karma, ESLint, TypeScript, nyc,
c8, pnpm, Yarn and golangci-lint gives them, with the endings of every language that they may be written in."""

BY_FOLDER: tuple[tuple[str, str], ...] = (
    ("*.dist-info", PLUGIN), ("*.egg-info", PLUGIN), ("node_modules", INSTALLED),
)  # fmt: skip
"""By any folder on the way."""

BY_END: tuple[tuple[str, str], ...] = (
    (".cargo/config.toml", OTHER_TOOL), (".cargo/config", OTHER_TOOL), (".config/nextest.toml", OTHER_TOOL),
)  # fmt: skip
"""By the last two parts of the path: Cargo's configuration, which can put another program in the compiler's place, and
that of nextest."""

AT_THE_TOP: tuple[tuple[str, str], ...] = (
    (".gitea", PIPELINE),
    (".github", PIPELINE),
    (".forgejo", PIPELINE),
    (".coordinator.y*ml", "it decides what the gates demand; the base's was used"),
)
"""By the first part of the path."""

TOOL_MODULES = frozenset({
    "pytest", "_pytest", "py", "pluggy", "iniconfig", "pygments", "packaging", "exceptiongroup", "xdist", "pytest_cov",
    "coverage", "mypy", "mypyc", "mypy_extensions", "typing_extensions", "ruff", "coordinator_pytest",
})  # fmt: skip
"""What the gate tools import beside the standard library."""

TESTS = ("test_*.py", "*_test.py", "conftest.py")
"""Files with which pytest puts their folder on the module search path (its import mode ``prepend``)."""

SHADOWING = TOOL_MODULES | sys.stdlib_module_names


@dataclass(frozen=True, slots=True)
class ProtectedFiles:
    """Looks at the names of the changed files."""

    name: ClassVar[str] = "protected files"
    tree: JudgedTree
    base: Path

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding per changed file that steers a check."""
        return list(self._found())

    def _found(self) -> Iterator[PolicyFinding]:
        for path, file in sorted(self.tree.change.files.items()):
            why = by_name(path) or self._shadows(path)
            if why:
                done = "new" if file.before is None else "gone" if file.after is None else "changed"
                yield attention(PROTECTED, path, f"{path} is {done}, and {why}.", path=path)

    def _shadows(self, path: str) -> str:
        """Say so where a new module takes the place of another one."""
        place = PurePosixPath(path)
        if place.suffix == ".pyi":
            return self._shadows_types(place)
        if place.suffix != ".py":
            return ""
        module = self._top_module(place)
        if module.name not in SHADOWING or not self._is_searched(module.parent):
            return ""
        if (self.base / module).is_dir() or (self.base / f"{module}.py").is_file():
            return ""
        return f"a module of this name takes the place of the {module.name} that the tools import"

    def _shadows_types(self, place: PurePosixPath) -> str:
        if (self.base / place).is_file() or not (self.tree.reading / place).is_file():
            return ""
        if (self.tree.reading / place.with_suffix(".py")).is_file():
            return f"mypy reads it in the place of {place.with_suffix('.py')}, which it then does not check"
        inside = any(place.is_relative_to(source) for source in self.tree.sources.places)
        return "" if inside else "mypy believes what it says about another module"

    def _top_module(self, place: PurePosixPath) -> PurePosixPath:
        """Return the path, without a suffix, of the top-level module that a file belongs to."""
        module = place.parent if place.name == "__init__.py" else place.with_suffix("")
        while module.parent.name and (self.tree.reading / module.parent / "__init__.py").is_file():
            module = module.parent
        return module

    def _is_searched(self, folder: PurePosixPath) -> bool:
        """Return whether modules are looked up in a folder: the root, source roots, and where pytest finds tests."""
        if str(folder) in {".", *self.tree.sources.roots}:
            return True
        return any(next((self.tree.reading / folder).glob(pattern), None) for pattern in TESTS)


def by_name(path: str) -> str:
    """Say why a path is protected, from its name alone; empty when it is not."""
    parts = PurePosixPath(path).parts
    first, folders, last = parts[0], parts[:-1], parts[-1]
    rules = (
        *((reason for name, reason in BY_NAME.items() if last == name)),
        *((reason for pattern, reason in BY_PATTERN if fnmatchcase(last, pattern))),
        *((reason for end, reason in BY_END if "/".join(parts[-2:]) == end)),
        *((reason for pattern, reason in BY_FOLDER if any(fnmatchcase(folder, pattern) for folder in folders))),
        *((reason for pattern, reason in AT_THE_TOP if fnmatchcase(first, pattern))),
    )
    return next(iter(rules), "")
