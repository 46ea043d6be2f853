"""Which gates a tree gets, by what command, from where, and why: for the suite and for people who ask.

Where there is a base, the base decides: a change can neither leave the gates of its project behind nor bring gates of
its own. Python's gates judge a Python project; another project is judged by ``gates.commands``, and without any by the
preset for its language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.commands.presets import find_presets
from coordinator.gates.files import files_below, read_below

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coordinator.configuration import GatesSection
    from coordinator.gates.commands.presets import Preset, PresetCommand

PYTHON_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "tox.ini", "noxfile.py")
"""Files in the root by which a project is one in Python whatever else stands beside them."""

PYTHON_GATES = ("build", "lint", "test", "coverage")


@dataclass(frozen=True, slots=True)
class ChosenCommand:
    """A gate that runs a shell command."""

    name: str
    line: str
    minutes: float
    why: str
    """Where it comes from, for people."""
    report: str | None = None
    threshold: float | None = None
    ran: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A gate that the tree does not get."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The gates of one tree, beside the integrity gate."""

    python: bool
    """Whether Python's gates judge it, as far as they are enabled."""
    why: str
    """What that was decided by."""
    commands: tuple[ChosenCommand, ...]
    setup: tuple[str, ...]
    """What prepares the folders in which commands run. In a Python project the configuration's own prepares its
    environment, and this is what other languages in it need."""
    variables: Mapping[str, str]
    left_out: tuple[LeftOut, ...]


def choose(section: GatesSection, tree: Path, base: Path | None, setup: tuple[str, ...] | None = None) -> Choice:
    """Choose the gates for the export `tree`, by the export `base` where there is one that holds anything.

    `setup` is the configuration's own. Raises `Misconfigured` when nothing is left to judge by.
    """
    decides = base if base is not None and any(files_below(base)) else tree
    presets = find_presets(decides)
    python, why = _is_python(decides, presets, commands=bool(section.commands))
    own = tuple(
        ChosenCommand(
            each.name, each.run, each.minutes, "gates.commands of .coordinator.yml", each.report, each.threshold
        )
        for each in section.commands
    )
    if python:
        made = _all_setup(presets) if own else ()
        left_out = (*_disabled(section, PYTHON_GATES), *_unused(presets))
        choice = Choice(python, why, own, made, _all_variables(presets), left_out)
    elif own:
        unused = tuple(LeftOut(name, f"{why}; gates.commands judge it") for name in PYTHON_GATES)
        choice = Choice(
            python, why, own, _all_setup(presets) if setup is None else setup, _all_variables(presets), unused
        )
    else:
        choice = _by_presets(section, presets, setup, why)
    _require_some(section, choice)
    return choice


def _is_python(folder: Path, presets: tuple[Preset, ...], *, commands: bool) -> tuple[bool, str]:
    """Tell whether Python's gates are to judge, and by what; they are where nothing else could."""
    for name in PYTHON_FILES:
        if read_below(folder, name) is not None:
            return True, f"{name} is there"
    if presets:
        return False, f"no Python project, but {' and '.join(preset.file for preset in presets)}"
    python = next((name for name in files_below(folder) if name.endswith((".py", ".pyi"))), None)
    if python is not None:
        return True, f"{python} is there"
    if commands:
        return False, "no Python file"
    return True, "no other language was recognised, and there are no gates.commands"


def _by_presets(section: GatesSection, presets: tuple[Preset, ...], setup: tuple[str, ...] | None, why: str) -> Choice:
    disabled = _disabled(section, ("build", "lint", "test"))
    off = {each.name for each in disabled}
    given = {command.gate for preset in presets for command in preset.commands}
    lacking = [name for name in PYTHON_GATES if name not in given | off]
    return Choice(
        python=False,
        why=why,
        commands=tuple(
            _from_preset(section, preset, command, several=len(presets) > 1)
            for preset in presets
            for command in preset.commands
            if command.gate not in off
        ),
        setup=_all_setup(presets) if setup is None else setup,
        variables=_all_variables(presets),
        left_out=(*disabled, *(LeftOut(name, f"{why}; the preset has no command for it") for name in lacking)),
    )


def _from_preset(section: GatesSection, preset: Preset, command: PresetCommand, *, several: bool) -> ChosenCommand:
    name = f"{preset.language}-{command.gate}" if several else command.gate
    why = f"preset for {preset.language}, because of {preset.file}"
    return ChosenCommand(name, command.line, section.test.minutes, why, ran=command.ran)


def _all_setup(presets: tuple[Preset, ...]) -> tuple[str, ...]:
    return tuple(line for preset in presets for line in preset.setup)


def _all_variables(presets: tuple[Preset, ...]) -> Mapping[str, str]:
    return {name: value for preset in presets for name, value in preset.variables.items()}


def _disabled(section: GatesSection, names: tuple[str, ...]) -> tuple[LeftOut, ...]:
    off = [name for name in names if not getattr(section, name).enabled]
    return tuple(LeftOut(name, f"gates.{name}.enabled is false in .coordinator.yml") for name in off)


def _unused(presets: tuple[Preset, ...]) -> tuple[LeftOut, ...]:
    return tuple(
        LeftOut(preset.language, f"{preset.file} is there, but presets are for projects without Python: name what is "
                "to be run below gates.commands")
        for preset in presets
    )  # fmt: skip


def _require_some(section: GatesSection, choice: Choice) -> None:
    if not choice.commands and not (choice.python and any_enabled(section)):
        raise Misconfigured(
            "All quality gates are disabled, so nothing could be accepted",
            mend="Enable at least one gate below `gates` in .coordinator.yml",
        )


def any_enabled(section: GatesSection) -> bool:
    """Return whether one of the gates that look at the work itself is switched on."""
    return any(getattr(section, name).enabled for name in PYTHON_GATES)


def gate_names(section: GatesSection) -> tuple[str, ...]:
    """Return the gates that a Python project gets by the configuration alone, in the order in which they are shown."""
    enabled = [name for name in PYTHON_GATES if getattr(section, name).enabled]
    return (*enabled, *(command.name for command in section.commands))
