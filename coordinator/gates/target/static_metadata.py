"""Making a project known to an environment without building it, where ``pyproject.toml`` says all there is to say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coordinator.gates.files import write_below
from coordinator.gates.tables import Table, read_toml, subtable, text, texts
from coordinator.gates.target.borrowing import SITE, add_script

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TARGET = re.compile(r"(?P<module>[\w.]+):(?P<object>\w+)")
"""An entry point that a command can be made of."""


def write_static_metadata(project: Path, environment: Path) -> bool:
    """Write the ``dist-info`` and the commands of a project; False when a build would have to tell them.

    The format is that of the specification "Recording installed projects". The modules themselves stay where they are.
    """
    table = subtable(read_toml(project, "pyproject.toml"), "project")
    name, version = text(table.get("name")), text(table.get("version"))
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or not re.fullmatch(r"[\w.!+-]+", version):
        return False
    if texts(table.get("dynamic")) or (project / "setup.py").exists():
        return False
    info = f"{SITE}/{re.sub(r'[-_.]+', '_', name)}-{version}.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "entry_points.txt": "".join(_entry_points(table)),
        "INSTALLER": "coordinator\n",
        "RECORD": "",
    }
    for file, content in files.items():
        write_below(environment, f"{info}/{file}", content.encode())
    for command, target in subtable(table, "scripts").items():
        found = TARGET.fullmatch(text(target))
        if found is not None and re.fullmatch(r"[\w.-]+", command):
            add_script(environment, environment, command, found["module"], found["object"])
    return True


def _entry_points(table: Table) -> Iterable[str]:
    groups = {
        "console_scripts": subtable(table, "scripts"),
        "gui_scripts": subtable(table, "gui-scripts"),
        **{group: subtable(table, "entry-points", group) for group in subtable(table, "entry-points")},
    }
    for group, entries in groups.items():
        if entries:
            yield f"[{group}]\n" + "".join(f"{name} = {text(target)}\n" for name, target in entries.items()) + "\n"
