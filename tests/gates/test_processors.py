from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.processors import usable_processors
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANY = len(os.sched_getaffinity(0)) * 100_000
"""A quota that is no bound here."""


def processors(tmp_path: Path, own: str, groups: Mapping[str, str]) -> int:
    write_files(tmp_path, {"own": own, **{f"groups/{name}": text for name, text in groups.items()}})
    return usable_processors(groups=tmp_path / "groups", own=tmp_path / "own")


def test_without_quotas_those_that_the_process_may_run_on_count(tmp_path: Path) -> None:
    all_of_them = len(os.sched_getaffinity(0))
    assert processors(tmp_path, "", {}) == all_of_them
    assert usable_processors(groups=tmp_path / "none", own=tmp_path / "none") == all_of_them
    assert 1 <= usable_processors() <= all_of_them


def test_a_process_that_is_bound_to_one_processor_counts_one() -> None:
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from coordinator.gates.processors import usable_processors; print(usable_processors())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("own", "groups", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "100000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": f"{MANY} 100000\n", "cpu.max": "100000 100000\n"}, 1),
        ("0::/of/the/host\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/../../x\n", {"x/cpu.max": "100000 100000\n"}, 1),
        ("4:cpu,cpuacct:/a\n", {"cpu,cpuacct/a/cpu.cfs_quota_us": "1\n", "cpu,cpuacct/a/cpu.cfs_period_us": "9\n"}, 1),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ("4:memory:/a\n", {"memory/a/cpu.cfs_quota_us": "1\n", "memory/a/cpu.cfs_period_us": "9\n"}, None),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("0::/a\n", {"a/cpu.max": "0 100000\n"}, None),
        ("0::/a\n", {"a/cpu.max": "100000\n"}, None),
        ("0::/a\n", {"a/cpu.max": "\u0663 100000\n"}, None),
        ("0::/a\n", {"a/cpu.max": "max 100000\n"}, None),
        ("nonsense\n\n", {"cpu.max": "1 9\n"}, None),
    ],
)
def test_quotas(tmp_path: Path, own: str, groups: dict[str, str], expected: int | None) -> None:
    assert processors(tmp_path, own, groups) == (expected or len(os.sched_getaffinity(0)))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two processors")
def test_a_part_of_a_processor_counts_as_one(tmp_path: Path) -> None:
    assert processors(tmp_path, "0::/\n", {"cpu.max": "110000 100000\n"}) == 2
