"""What the set-up made, in the copies in which commands run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coordinator.gates.commands.products import Layer, products_of

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path, *, shared: bool = False) -> Path:
    """Lay what a set-up made into a copy of its source; return the copy."""
    prepared, source, copy = (folder / name for name in ("prepared", "source", "copy"))
    for root in (prepared, source, copy):
        (root / "src").mkdir(parents=True)
        (root / "src/a.js").write_text("source")
    (copy / "dist").mkdir()
    (copy / "dist/kept").write_text("of the judged tree")
    (copy / "linked").symlink_to("src")
    for name in ("node_modules/.bin/tool", "node_modules/lock", "dist/out", "src/made.js", "linked/x", ".git/config"):
        place = prepared / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("" if name.endswith("lock") else f"made {name}")
    (prepared / "node_modules/.bin/tool").chmod(0o755)
    (prepared / "node_modules/link").symlink_to(".bin/tool")
    os.mkfifo(prepared / "node_modules/fifo")
    layer = Layer(prepared, copy, products_of(prepared, source), shared=shared)
    layer.copy()
    assert not (copy / "node_modules/.bin/tool").exists()
    layer.link()
    return copy


def test_products_are_what_the_source_lacks(tmp_path: Path) -> None:
    made(tmp_path)
    products = products_of(tmp_path / "prepared", tmp_path / "source")
    assert sorted(products) == ["dist", "linked", "node_modules", "src/made.js"]


def test_packages_are_shared_and_all_else_is_copied(tmp_path: Path) -> None:
    copy, prepared = made(tmp_path), tmp_path / "prepared"
    assert (copy / "node_modules/.bin/tool").samefile(prepared / "node_modules/.bin/tool")
    assert os.access(copy / "node_modules/.bin/tool", os.X_OK)
    for name in ("src/made.js", "node_modules/lock"):
        assert (copy / name).read_bytes() == (prepared / name).read_bytes()
        assert not (copy / name).samefile(prepared / name)
    assert (copy / "node_modules/link").readlink().as_posix() == ".bin/tool"
    assert not (copy / "node_modules/fifo").exists()


def test_what_the_judged_tree_has_stays_and_its_links_are_not_followed(tmp_path: Path) -> None:
    copy = made(tmp_path)
    assert [path.name for path in (copy / "dist").iterdir()] == ["kept"]
    assert sorted(path.name for path in (copy / "src").iterdir()) == ["a.js", "made.js"]


def test_a_cache_is_shared_whatever_it_is_called(tmp_path: Path) -> None:
    copy = made(tmp_path, shared=True)
    assert (copy / "src/made.js").samefile(tmp_path / "prepared/src/made.js")
