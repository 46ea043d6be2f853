"""Which files of a repository a text means."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Reader = Callable[[str], bytes | None]

MOST_WORDS = 2_000
"""Different words of an issue that are looked up. A pasted log has more; its first ones name the files."""
MOST_MATCHES = 5
"""A name that more files share than this names none of them."""
MOST_OF_FOLDER = 25
"""Files of a folder that count when an issue names the folder."""
MOST_SCANNED = 8 * 1024 * 1024
"""Bytes of source that are searched for the definitions of named functions and classes."""

# fmt: off
_SOURCE_SUFFIXES = frozenset(
    (
        ".py", ".pyi", ".pyx", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".svelte", ".go", ".rs",
        ".java", ".kt", ".kts", ".scala", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".cs", ".rb",
        ".php", ".swift", ".m", ".mm", ".ex", ".exs", ".erl", ".hs", ".ml", ".clj", ".lua", ".pl", ".pm",
        ".r", ".jl", ".dart", ".sh", ".bash", ".zig", ".nim", ".sql", ".proto", ".graphql",
    )
)
# fmt: on
_TEXT_SUFFIXES = _SOURCE_SUFFIXES | frozenset(
    (".md", ".rst", ".txt", ".toml", ".cfg", ".ini", ".yml", ".yaml", ".json", ".html", ".css", ".xml", ".j2")
)
_LEFT_OUT = re.compile(
    r"(?:^|/)(?:\.git|node_modules|vendor|third_party|dist|build|\.venv|venv)/"
    r"|(?:\.min\.(?:js|css)|\.lock|-lock\.(?:json|yaml)|\.map|_pb2\.pyi?)$"
)
_WORD = re.compile(r"[\w./\\-]+")
_CODE = re.compile(r"`([A-Za-z_][\w.]*)(?:\(\))?`")
_CAMEL_OR_SNAKE = re.compile(r"\b(?:[a-z0-9]+(?:_[a-z0-9]+)+|(?:[A-Z][a-z0-9]+){2,})\b")
_PYTHON_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+([\w, \t*()]+)|import[ \t]+([\w., \t]+))", re.MULTILINE
)
_TEST_NAME = re.compile(r"\.(?:test|spec)\.\w+$")
_RELATIVE_IMPORT = re.compile(rb"""["'](\.{1,2}/[\w./-]+)["']""")


class FileIndex:
    """A listing of files, with the look-ups that an estimate needs. Built once; every look-up is by dictionary."""

    def __init__(self, files: Mapping[str, int]) -> None:
        """Take paths (``/``-separated, relative) and sizes in bytes. Binary, vendored and generated files drop out."""
        self.sizes = {path: size for path, size in files.items() if is_text(path)}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_folder: dict[str, list[str]] = defaultdict(list)
        for path in self.sizes:
            folder, name = posixpath.split(path)
            self._by_name[name].append(path)
            self._by_stem[_stem(path)].append(path)
            self._by_folder[folder].append(path)

    def named_in(self, text: str, read: Reader | None = None) -> list[str]:
        """Return the files that a text names by path, file name, module or, with a reader, by function or class."""
        found: dict[str, None] = {}
        for word in list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]:
            found.update(dict.fromkeys(self._resolve(word)))
        identifiers = _identifiers(text)
        for name in identifiers:
            found.update(dict.fromkeys(_few(self._by_stem.get(name.rpartition(".")[2], []))))
        if read is not None and identifiers:
            found.update(dict.fromkeys(self._defining(identifiers, read)))
        return list(found)

    def neighbours(self, path: str, read: Reader | None = None) -> list[str]:
        """Return the tests of a file and, with a reader, the files that it imports from the same repository."""
        stem = _stem(path)
        names = (f"test_{stem}", f"{stem}_test", f"{stem}Test", f"{stem}_spec")
        found = [test for name in names for test in _few(self._by_stem.get(name, []))]
        found += _few([other for other in self._by_stem.get(stem, []) if _TEST_NAME.search(other)])
        if read is not None:
            found += self._imports(path, read(path) or b"")
        return [other for other in dict.fromkeys(found) if other != path]

    def _resolve(self, word: str) -> list[str]:
        path = word.replace("\\", "/").removeprefix("./").strip("/.-")
        if path in self.sizes:
            return [path]
        if "/" in path or word.endswith("/"):
            return self._by_tail(path)
        if "." in path:
            return _few(self._by_name.get(path, [])) or self._module(path)
        return []

    def _by_tail(self, path: str) -> list[str]:
        """Resolve a path whose beginning is cut off, is ``a/`` or ``b/`` of a diff, or is a folder."""
        inner = re.sub(r"^[ab]/", "", path)
        candidates = self._by_name.get(posixpath.basename(path), [])
        tails = [
            other
            for other in candidates
            if other == inner or f"/{path}".endswith(f"/{other}") or other.endswith(f"/{path}")
        ]
        return _few(tails) or sorted(self._by_folder.get(path, []))[:MOST_OF_FOLDER]

    def _module(self, dotted: str) -> list[str]:
        """Resolve ``package.module.function`` by its longest part that is a file."""
        parts = dotted.split(".")
        for length in range(len(parts), 1, -1):
            found = self._module_file("/".join(parts[:length]))
            if found:
                return found
        return []

    def _module_file(self, path: str) -> list[str]:
        stem = posixpath.basename(path)
        wanted = re.compile(rf"(?:^|/){re.escape(path)}(?:\.\w+|/__init__\.py)$")
        return _few([other for other in self._by_stem.get(stem, []) if wanted.search(other)])

    def _imports(self, path: str, source: bytes) -> list[str]:
        folder = posixpath.dirname(path)
        found: list[str] = []
        for target in _import_targets(source, folder):
            found += self._module_file(target) or self._module_file(posixpath.dirname(target))
        return found

    def _defining(self, identifiers: Iterable[str], read: Reader) -> list[str]:
        names = "|".join(re.escape(name.rpartition(".")[2]) for name in identifiers)
        pattern = re.compile(rf"\b(?:def|class|func|fn|function|interface|struct|type|trait)\s+(?:{names})\b".encode())
        found, left = [], MOST_SCANNED
        for path, size in self.sizes.items():
            if is_source(path) and size <= left:
                left -= size
                if pattern.search(read(path) or b""):
                    found.append(path)
        return _few(found, most=MOST_MATCHES * 2)


def is_text(path: str) -> bool:
    """Whether an agent would read this file: text, not vendored, not generated."""
    suffix = posixpath.splitext(path)[1].lower()
    return (not suffix or suffix in _TEXT_SUFFIXES) and not _LEFT_OUT.search(path)


def is_source(path: str) -> bool:
    """Whether this is program text."""
    return posixpath.splitext(path)[1].lower() in _SOURCE_SUFFIXES


def _stem(path: str) -> str:
    """Return the name without suffixes; of a package's ``__init__.py`` the name of the package."""
    folder, name = posixpath.split(path)
    return posixpath.basename(folder) if name == "__init__.py" else name.partition(".")[0]


def _few(paths: list[str], *, most: int = MOST_MATCHES) -> list[str]:
    return sorted(set(paths)) if len(set(paths)) <= most else []


def _identifiers(text: str) -> list[str]:
    """Return names of functions, classes and modules: in code marks, or unmistakable by their spelling."""
    words = _CODE.findall(text) + _CAMEL_OR_SNAKE.findall(text)
    return [word for word in dict.fromkeys(words) if len(word) > 2][:50]  # noqa: PLR2004  (shorter ones are in every file)


def _import_targets(source: bytes, folder: str) -> Iterator[str]:
    for match in _PYTHON_IMPORT.finditer(source):
        base, names, plain = (group.decode(errors="replace") if group else "" for group in match.groups())
        if plain:
            yield from (name.split()[0].replace(".", "/") for name in plain.split(",") if name.strip())
            continue
        start = _python_base(base, folder)
        yield start
        yield from (f"{start}/{name.split()[0]}" for name in names.strip("() \t").split(",") if name.strip())
    for relative in _RELATIVE_IMPORT.findall(source):
        yield posixpath.normpath(posixpath.join(folder, posixpath.splitext(relative.decode())[0]))


def _python_base(dotted: str, folder: str) -> str:
    """Turn ``package.module`` or ``..module`` into a path without suffix."""
    dots = len(dotted) - len(dotted.lstrip("."))
    inner = dotted[dots:].replace(".", "/")
    if not dots:
        return inner
    return posixpath.normpath(posixpath.join(folder, "/".join([".."] * (dots - 1)), inner))
