"""The target's environment: the interpreter with the project's dependencies that its tests run in.

``VIRTUAL_ENV`` if there is one, else ``.venv`` or ``venv`` in the checkout of the person, else one that is prepared
from the project's own files and kept. An environment of a person is never written to: what it lacks of pytest and
coverage is put beside it, on ``PYTHONPATH``.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from coordinator.errors import Misconfigured
from coordinator.gates.evidence import last_lines, one_line
from coordinator.gates.files import text_below
from coordinator.gates.target.borrowing import lend, missing_tools, normal_name
from coordinator.models import Frozen
from coordinator.sandbox.environment import SYSTEM_PATH
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.sandbox.protocol import Sandbox

SAFE_PATH_SINCE = (3, 11)
"""From here on Python knows ``-P``, which keeps the working folder off the module search path."""

PROBE = """
import json, os, sys, sysconfig

def described(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return {}
    head = lines[: lines.index("")] if "" in lines else lines
    fields = (line.partition(":") for line in head)
    return {name.lower(): value.strip() for name, _, value in fields}

found = {}
for folder in sys.path:
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        place = os.path.join(folder, name)
        fields = {}
        if name.endswith(".dist-info"):
            fields = described(os.path.join(place, "METADATA"))
        elif name.endswith(".egg-info"):
            fields = described(os.path.join(place, "PKG-INFO") if os.path.isdir(place) else place)
        if fields.get("name"):
            found.setdefault(fields["name"], fields.get("version", ""))
print(json.dumps({
    "version": sys.version_info[:2],
    "abi": sysconfig.get_config_var("SOABI") or "",
    "site": sysconfig.get_path("platlib"),
    "distributions": found,
}))
"""
"""Reads names and versions itself (PyPA, "Core metadata specifications" and "Recording installed projects"; beside them
what setuptools leaves as ``egg-info``): the tests wait for the answer, and `importlib.metadata` takes 40 ms longer."""


class Probed(Frozen):
    """What an interpreter says of itself."""

    version: tuple[int, int]
    abi: str
    """E.g. ``cpython-311-x86_64-linux-gnu``: compiled modules can be shared when it is the same."""
    site: Path
    """The folder where distributions are installed."""
    distributions: dict[str, str]
    """Versions by name as the distribution spells it."""


@dataclass(frozen=True, slots=True)
class TargetEnvironment:
    """An interpreter that can run the project's tests, and what has to be around it."""

    python: Path
    origin: str
    """For people: ``VIRTUAL_ENV``, ``.venv``, ``venv`` or ``prepared``."""
    version: tuple[int, int]
    distributions: Mapping[str, str]
    """Installed versions by normalised name, borrowed ones included."""
    site: Path
    """Its ``site-packages``."""
    module_folders: tuple[Path, ...] = ()
    """What stands beside the environment: goes on ``PYTHONPATH``."""
    path_entries: tuple[Path, ...] = field(default=SYSTEM_PATH)
    """What comes after the environment's own folder on ``PATH``."""
    notes: tuple[str, ...] = ()
    is_own: bool = True
    """False for a project without Python: there is none, and `python` is the coordinator's, for its own helpers."""

    @property
    def folder(self) -> Path:
        """The environment itself."""
        return self.python.parent.parent

    @property
    def isolation(self) -> tuple[str, ...]:
        """The interpreter's options that keep the working folder and a user's own packages out."""
        return ("-P", "-s") if self.version >= SAFE_PATH_SINCE else ("-s",)

    def variables(self, *source_roots: Path) -> dict[str, str]:
        """Return the variables under which ``python`` is this interpreter.

        With `source_roots` (absolute) modules below them win over an installed copy of the project: that is for the
        agent's commands in its checkout.
        """
        if not self.is_own:
            return {"PATH": os.pathsep.join(map(str, self.path_entries))}
        own = {
            "PATH": os.pathsep.join(str(entry) for entry in (self.python.parent, *self.path_entries)),
            "VIRTUAL_ENV": str(self.folder),
        }
        modules = os.pathsep.join(str(folder) for folder in (*source_roots, *self.module_folders))
        return own | ({"PYTHONPATH": modules} if modules else {})


def existing_environment(active: Path | None, checkout: Path | None) -> tuple[Path, str] | None:
    """Return the folder and the origin of the environment a person has made, None when there is none.

    `active` is the value of ``VIRTUAL_ENV``. Raises `Misconfigured` when it names no environment.
    """
    if active is not None:
        if not (active / "bin" / "python").exists():
            raise Misconfigured(
                f"VIRTUAL_ENV names {active}, where there is no bin/python",
                mend="Activate an existing environment, or unset VIRTUAL_ENV",
            )
        return active, "VIRTUAL_ENV"
    for name in (".venv", "venv") if checkout is not None else ():
        folder = Path(checkout or ".", name)
        if (folder / "bin" / "python").exists():
            return folder, name
    return None


def paths_to_show(environment: Path) -> tuple[Path, ...]:
    """Return what confined commands have to see to run the interpreter of an environment: its folder and its base."""
    paths = [environment]
    for line in (text_below(environment, "pyvenv.cfg") or "").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home" and Path(value.strip()).is_dir():
            paths.append(Path(value.strip()).parent)
    return tuple(dict.fromkeys(paths))


def probe(python: Path, sandbox: Sandbox) -> Probed:
    """Ask an interpreter what it is and what is installed. Raises `Misconfigured` when it cannot run."""
    result = sandbox.run(
        Command((str(python), "-I", "-c", PROBE), cwd=Path("/"), limits=Limits(60), network=Network.NONE)
    )
    lines = result.stdout.decode("utf-8", errors="replace").splitlines()
    try:
        probed = Probed.model_validate_json(lines[-1] if lines else "")
    except ValidationError as error:
        reason = one_line(last_lines(result.stderr.decode("utf-8", errors="replace"), 2)) or "it says nothing"
        raise Misconfigured(
            f"The interpreter {python} does not work here: {reason}",
            mend="Make the environment anew, or remove it so that one is prepared",
        ) from error
    named = {normal_name(name): version for name, version in probed.distributions.items()}
    return probed.model_copy(update={"distributions": named})


def describe_environment(
    folder: Path, origin: str, sandbox: Sandbox, cache: Path, path_entries: tuple[Path, ...]
) -> TargetEnvironment:
    """Return the environment of a person as it can be used: tools that it lacks are put into `cache`.

    Raises `Misconfigured` when the tools cannot be lent because the interpreter is of another kind than ours.
    """
    python = folder / "bin" / "python"
    probed = probe(python, sandbox)
    missing = missing_tools(probed.distributions)
    if missing and probed.version != sys.version_info[:2]:
        lacking = " and ".join(name for name in ("pytest", "coverage") if name in missing)
        raise Misconfigured(
            f"{folder} ({origin}) has no {lacking}, and its Python {probed.version[0]}.{probed.version[1]} is not the "
            f"coordinator's",
            mend=f"Install {lacking} in it",
        )
    lent = lend(missing, cache) if missing else None
    return TargetEnvironment(
        python=python,
        origin=origin,
        version=probed.version,
        distributions=probed.distributions | (lent[1] if lent else {}),
        site=probed.site,
        module_folders=(lent[0],) if lent else (),
        path_entries=path_entries,
        notes=(f"{', '.join(missing)} lent by the coordinator",) if missing else (),
    )
