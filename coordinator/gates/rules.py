"""The configuration of the gate tools: where it stands, whether a change touched it, and putting the base's in place.

Work is judged by the rules of the branch that it wants to join. Where the judged tree changes the configuration of
mypy, ruff, pytest or coverage, the base's is put into the export under its own name, so that every tool finds it as
it always does (nested files, relative paths) and agrees with what a person would see. What else stands in a shared
file, such as the dependencies in ``pyproject.toml``, stays the judged tree's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import files_below, read_below, remove_below, text_below, write_below
from coordinator.gates.tables import Table, parse_ini, parse_toml, subtable, texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TOOL_FILES = frozenset({
    "mypy.ini", ".mypy.ini", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "ruff.toml", ".ruff.toml",
    ".coveragerc", ".coveragerc.toml",
})  # fmt: skip
"""Files that hold nothing but the configuration of one gate tool, in any folder."""

TOML_TABLES = frozenset({"mypy", "ruff", "pytest", "coverage", "pydantic-mypy", "django-stubs"})
"""Tables below ``[tool]`` of ``pyproject.toml`` that the gate tools and their plugins read."""

INI_SECTION = re.compile(r"(?:mypy|tool:pytest|pytest|coverage:|pydantic-mypy|mypy\.plugins)")
"""How the sections of ``setup.cfg`` and ``tox.ini`` begin that the gate tools read."""

HEADER = re.compile(r"^[ \t]*\[+[ \t]*(?P<name>[^\]\n]+?)[ \t]*\]+", re.MULTILINE)

LOOKED_UP: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mypy": (("mypy.ini", "mypy"), (".mypy.ini", "mypy"), ("pyproject.toml", "mypy"), ("setup.cfg", "mypy")),
    "coverage": (
        (".coveragerc", "run"),
        (".coveragerc.toml", "run"),
        ("setup.cfg", "coverage:run"),
        ("tox.ini", "coverage:run"),
        ("pyproject.toml", "coverage"),
    ),
    "pytest": (
        ("pytest.toml", "pytest"),
        (".pytest.toml", "pytest"),
        ("pytest.ini", "pytest"),
        (".pytest.ini", "pytest"),
        ("pyproject.toml", "pytest"),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ),
}
"""Where each tool looks in the root of a project, first match wins: mypy's configuration page, coverage's
``config_files_to_try``, pytest's ``_pytest.config.findpaths``. The second part is the section or the table."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The configuration that one tool takes from the root of a tree."""

    file: str
    """Its name."""
    options: Table
    """What it holds: of coverage the ``run`` part."""


def rules_of(folder: Path, tool: str) -> Rules | None:
    """Return what `tool` (mypy, coverage or pytest) reads in the root of a tree, None when nothing there is for it."""
    for name, section in LOOKED_UP[tool]:
        content = text_below(folder, name)
        if content is None:
            continue
        options = _options(name, section, content)
        if options is not None:
            return Rules(name, options)
    return None


def omitted_from_coverage(folder: Path) -> tuple[str, ...]:
    """Return the patterns of files that the configuration of coverage leaves out, in its ``run`` or ``report`` part."""
    rules = rules_of(folder, "coverage")
    if rules is None:
        return ()
    content = text_below(folder, rules.file) or ""
    if rules.file.endswith(".toml"):
        inside = ("tool", "coverage") if rules.file == "pyproject.toml" else ()
        report: Table = subtable(parse_toml(content) or {}, *inside, "report")
    else:
        sections = parse_ini(content) or {}
        report = sections.get("report" if rules.file in TOOL_FILES else "coverage:report", {})
    listed = (*texts(rules.options.get("omit")), *texts(report.get("omit")))
    return tuple(pattern for text in listed for pattern in re.split(r"[,\s]+", text) if pattern)


def _options(name: str, section: str, content: str) -> Table | None:
    """Return the options for a tool; a file that is the tool's alone counts even without them."""
    if name == "pyproject.toml":
        tools = subtable(parse_toml(content) or {}, "tool")
        part = {"coverage": ("coverage", "run"), "pytest": ("pytest", "ini_options")}.get(section, (section,))
        if section not in tools:
            return None
        return subtable(tools, *part) or (subtable(tools, section) if section == "pytest" else {})
    if name.endswith(".toml"):
        return subtable(parse_toml(content) or {}, section)
    options = (parse_ini(content) or {}).get(section)
    return options if options is not None or name not in TOOL_FILES else {}


def use_base_rules(judged: Path, base: Path) -> tuple[str, ...]:
    """Put the base's configuration of the gate tools into the judged export where the two differ.

    Returns one line per file that was changed by this, sorted; both folders are exports that nothing else writes to.
    """
    names = sorted({name for folder in (judged, base) for name in files_below(folder) if _is_rules_file(name)})
    return tuple(note for name in names if (note := _settle(judged, base, name)))


def _is_rules_file(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name in TOOL_FILES or is_shared_file(name)


def is_shared_file(name: str) -> bool:
    """Return whether a file can hold tables for the gate tools beside other things."""
    return PurePosixPath(name).name == "pyproject.toml" or name in {"setup.cfg", "tox.ini"}


def _settle(judged: Path, base: Path, name: str) -> str:
    ours, theirs = read_below(judged, name), read_below(base, name)
    if ours == theirs:
        return ""
    if PurePosixPath(name).name in TOOL_FILES:
        return _put(judged, name, theirs)
    old, new = _text(theirs), _text(ours)
    if old is not None and new is not None and gate_tables(name, old) == gate_tables(name, new):
        return ""
    mixed = merge_rules(name, judged=new or "", base=old or "")
    return _put(judged, name, theirs if mixed is None else mixed.encode())


def _put(judged: Path, name: str, data: bytes | None) -> str:
    if data is None:
        remove_below(judged, name)
        return f"{name}: not in the base, so its rules for the gates do not count"
    if not write_below(judged, name, data):
        return f"{name}: the rules of the base could not be put in place"
    return f"{name}: its rules for the gates differ from the base; the base's were used"


def _text(data: bytes | None) -> str | None:
    """Return the text; an absent file is an empty one, and one that is no text has no tables to compare."""
    try:
        return (data or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def gate_tables(name: str, content: str) -> object:
    """Return the part of a shared file that the gate tools read; the content itself when it cannot be parsed."""
    parsed = _parse(name, content)
    return content if parsed is None else {key: value for key, value in parsed.items() if _is_rule(name, key)}


def merge_rules(name: str, *, judged: str, base: str) -> str | None:
    """Return the judged file with the base's tables for the gate tools in place of its own.

    The text is cut at the headers of tables; whether that was right is proven by parsing. None when it was not
    (dotted keys, a header inside a string, a broken file): then the whole file of the base has to serve.
    """
    kept = [block for key, block in _blocks(judged) if not _is_rule(name, key)]
    taken = [block for key, block in _blocks(base) if _is_rule(name, key)]
    merged = "".join(block if block.endswith("\n") else f"{block}\n" for block in (*kept, *taken) if block)
    parsed, head, old = _parse(name, merged), _parse(name, judged), _parse(name, base)
    if parsed is None or head is None or old is None:
        return None
    expected = {key: value for key, value in head.items() if not _is_rule(name, key)}
    expected |= {key: value for key, value in old.items() if _is_rule(name, key)}
    return merged if parsed == expected else None


def _parse(name: str, content: str) -> dict[str, object] | None:
    """Return a shared file as one flat mapping from table or section to content."""
    if not name.endswith(".toml"):
        sections = parse_ini(content)
        return None if sections is None else dict(sections)
    document = parse_toml(content)
    if document is None:
        return None
    flat = {key: value for key, value in document.items() if key != "tool"}
    return flat | {f"tool.{key}": value for key, value in subtable(document, "tool").items()}


def _is_rule(name: str, key: str) -> bool:
    if not name.endswith(".toml"):
        return INI_SECTION.match(key) is not None
    parts = [part.strip().strip("\"'") for part in key.split(".")]
    return len(parts) > 1 and parts[0] == "tool" and parts[1] in TOML_TABLES


def _blocks(content: str) -> list[tuple[str, str]]:
    """Cut a file before each header: pairs of the header's name and the text up to the next one."""
    headers = list(HEADER.finditer(content))
    starts = [match.start() for match in headers]
    first = content[: starts[0]] if starts else content
    tables = zip(headers, [*starts[1:], len(content)], strict=False)
    return [("", first), *((match["name"], content[match.start() : end]) for match, end in tables)]
