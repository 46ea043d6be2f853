from __future__ import annotations

import pytest

from coordinator.events.text import clean, fold, one_line


def test_clean_replaces_what_cannot_be_stored() -> None:
    assert clean("a\0b\ud83dc\udc00") == "a\ufffdb\ufffdc\ufffd"
    assert clean("ordinary 😀 text\n") == "ordinary 😀 text\n"


@pytest.mark.parametrize("name", ["admın", "аdmin", "admin ", "ADMİN", "\u212aadmin", "admin\u200b", "ａdmin"])  # noqa: RUF001 - look-alikes are the point
def test_fold_makes_no_look_alike_the_same(name: str) -> None:
    assert fold(name) != "admin"
    assert fold(name) != fold("kadmin")


def test_fold_lowers_ascii() -> None:
    assert fold("AdMiN-9") == "admin-9"
    assert fold("ÄGENT") == "Ägent"


def test_one_line_is_printable_and_short() -> None:
    assert one_line("a\nb\x1bc") == "a?b?c"
    assert one_line("x" * 100) == "x" * 79 + "…"
    assert one_line("x" * 80) == "x" * 80
