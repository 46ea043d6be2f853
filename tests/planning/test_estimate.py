"""Which files an issue means, and how many tokens that makes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from coordinator.planning.estimate import BYTES_PER_TOKEN, CONVERSATION_TOKENS, Survey
from coordinator.planning.file_index import MOST_SCANNED, FileIndex, is_text
from coordinator.planning.models import Difficulty
from coordinator.planning.show import thousands
from tests.support import make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCES = {
    "src/shop/__init__.py": "",
    "src/shop/cart.py": (
        "from shop.price import total\nfrom . import stock, tax as t\nimport os, shop.mail\n"
        "\n\ndef add_item():\n    ...\n"
    ),
    "src/shop/price.py": "class PriceTable:\n    ...\n",
    "src/shop/stock.py": "x = 1\n",
    "src/shop/tax.py": "from ..other import thing\n",
    "src/shop/mail/__init__.py": "",
    "src/other.py": "thing = 1\n",
    "tests/test_cart.py": "from shop.cart import add_item\n",
    "tests/test_price.py": "",
    "web/view.ts": 'import { a } from "./model";\n',
    "web/model.ts": "export const a = 1;\n",
    "web/view.spec.ts": "",
    "docs/guide.md": "# Guide\n",
    "docs/more.md": "# More\n",
    "Makefile": "all:\n",
}


def listing(sources: dict[str, str] = SOURCES) -> tuple[FileIndex, Callable[[str], bytes | None]]:
    def read(path: str) -> bytes | None:
        return sources[path].encode() if path in sources else None

    return FileIndex({path: len(text) for path, text in sources.items()}), read


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("see src/shop/cart.py.", ["src/shop/cart.py"]),
        ("./src/shop/cart.py:12: error", ["src/shop/cart.py"]),
        ("--- a/src/shop/cart.py\n+++ b/src/shop/cart.py", ["src/shop/cart.py"]),
        ("shop/cart.py", ["src/shop/cart.py"]),
        ("/home/me/checkout/src/shop/cart.py", ["src/shop/cart.py"]),
        (r"src\shop\cart.py", ["src/shop/cart.py"]),
        ("in cart.py", ["src/shop/cart.py"]),
        ("shop.cart.add_item fails", ["src/shop/cart.py"]),
        ("the package shop.mail", ["src/shop/mail/__init__.py"]),
        ("the module `stock`", ["src/shop/stock.py"]),
        ("all of docs/", ["docs/guide.md", "docs/more.md"]),
        ("the `Makefile`", ["Makefile"]),
        ("the Makefile", ["Makefile"]),
        ("`add_item()` fails", ["src/shop/cart.py"]),
        ("PriceTable is slow", ["src/shop/price.py"]),
        ("the stock is wrong, v1.2, e.g. here", []),
        ("nothing.here.at_all", []),
        ("", []),
    ],
)
def test_files_that_a_text_names(text: str, paths: list[str]) -> None:
    index, read = listing()
    assert index.named_in(text, read) == paths


def test_without_a_reader_functions_are_not_looked_for() -> None:
    index, _ = listing()
    assert index.named_in("`add_item()` fails") == []


def test_a_name_that_many_files_share_names_none() -> None:
    index = FileIndex({f"p{number}/util.py": 1 for number in range(6)})
    assert index.named_in("util.py and `util`") == []
    assert index.named_in("p3/util.py") == ["p3/util.py"]


def test_neighbours_are_tests_and_imports() -> None:
    index, read = listing()
    assert set(index.neighbours("src/shop/cart.py", read)) == {
        "tests/test_cart.py",
        "src/shop/price.py",
        "src/shop/__init__.py",
        "src/shop/stock.py",
        "src/shop/tax.py",
        "src/shop/mail/__init__.py",
    }
    assert index.neighbours("src/shop/tax.py", read) == ["src/other.py"]
    assert set(index.neighbours("web/view.ts", read)) == {"web/view.spec.ts", "web/model.ts"}
    assert index.neighbours("src/shop/cart.py") == ["tests/test_cart.py"]


def test_a_neighbour_that_cannot_be_read_counts_without_its_imports() -> None:
    index, _ = listing()
    assert index.neighbours("src/shop/price.py", lambda _: None) == ["tests/test_price.py"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", True),
        ("README", True),
        ("a.png", False),
        ("node_modules/x/a.js", False),
        ("web/a.min.js", False),
        ("uv.lock", False),
        ("package-lock.json", False),
        ("gen/a_pb2.py", False),
        ("builder/a.py", True),
    ],
)
def test_what_an_agent_reads(path: str, *, text: bool) -> None:
    assert is_text(path) is text


def test_the_search_for_definitions_is_bounded() -> None:
    reads: list[str] = []

    def read(path: str) -> bytes:
        reads.append(path)
        return b""

    size = MOST_SCANNED // 4
    FileIndex({f"a{number}.py": size for number in range(10)}).named_in("`SomeThing`", read)
    assert len(reads) == 4


def test_the_estimate_counts_named_files_and_their_neighbours() -> None:
    files = {"a.py": 3_000, "test_a.py": 6_000, "b.py": 900_000}
    survey = Survey("Fix a.py", "x" * 300, files)
    estimate = survey.estimate(None)
    text = len("Fix a.py\n" + "x" * 300) // BYTES_PER_TOKEN
    assert estimate.tokens == CONVERSATION_TOKENS + text + 3_000
    assert (estimate.files, estimate.file_tokens, estimate.stated) == (2, 3_000, None)
    assert "1 named file with 1k, 1 beside them with 2k" in estimate.reason


def test_of_a_long_file_only_a_part_is_read() -> None:
    assert Survey("a.py", "", {"a.py": 900_000}).file_tokens == 20_000


def test_the_larger_of_stated_and_counted_wins_and_both_are_said() -> None:
    survey = Survey("a.py", "", {"a.py": 3_000})
    larger = survey.estimate(90_000)
    assert (larger.tokens, larger.stated) == (90_000, 90_000)
    assert "counted 21k" in larger.reason
    assert "the issue says 90k" in larger.reason
    smaller = survey.estimate(500, "the model")
    assert smaller.tokens > 21_000
    assert "the model says 500" in smaller.reason


@pytest.mark.parametrize(
    ("source_tokens", "counted"), [(1_000, 1_000), (20_000, 4_000), (200_000, 20_000), (9_000_000, 40_000)]
)
def test_an_issue_that_names_nothing_counts_a_share_of_the_source(source_tokens: int, counted: int) -> None:
    survey = Survey("Make it better", "", {"a.py": source_tokens * BYTES_PER_TOKEN, "big.json": 10**9})
    assert survey.file_tokens == counted
    assert "names no file" in survey.estimate(None).reason


def test_an_empty_repository() -> None:
    estimate = Survey("Start", "", {}).estimate(None)
    assert estimate.file_tokens == 0
    assert "an empty repository" in estimate.reason


@pytest.mark.parametrize(
    ("files", "size", "difficulty"),
    [
        (0, 10, None),
        (1, 3_000, Difficulty.EASY),
        (2, 3_000, Difficulty.EASY),
        (1, 59_000, Difficulty.MEDIUM),
        (3, 3_000, Difficulty.MEDIUM),
        (11, 3_000, Difficulty.HARD),
        (4, 60_000, Difficulty.HARD),
    ],
)
def test_difficulty_by_the_named_files(files: int, size: int, difficulty: Difficulty | None) -> None:
    paths = {f"part{number}.py": size for number in range(files)}
    assert Survey("Change", " ".join(paths), {**paths, "other.py": 9}).difficulty is difficulty


def test_a_real_checkout(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", SOURCES)
    paths = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    survey = Survey("cart.py is wrong", "", files, lambda path: (folder / path).read_bytes())
    assert survey.named == ["src/shop/cart.py"]
    assert "src/shop/price.py" in survey.neighbours


def test_twenty_thousand_files_and_hostile_text_take_little_time() -> None:
    files = {f"pkg{number % 200}/mod{number}.py": 4_000 for number in range(20_000)}
    words = " ".join(f"pkg{number}/mod{number}.py pkg.mod{number} x{number}" for number in range(6_000))
    start = time.process_time()
    survey = Survey("Change", words + "-" * 100_000 + "/" * 100_000 + "`a" * 50_000, files, lambda _: b"import os\n")
    assert survey.named
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize(("tokens", "words"), [(0, "0"), (999, "999"), (1_000, "1k"), (37_600, "38k")])
def test_thousands(tokens: int, words: str) -> None:
    assert thousands(tokens) == words
