"""How many processors this process may use: those it may run on, and no more than its control groups give it."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
NUMBER = re.compile(r"[1-9][0-9]{0,14}")


def usable_processors(*, groups: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS) -> int:
    """Return the number of processors that can be kept busy, at least 1.

    A quota of 1.5 processors counts as 2: one busy process would leave half a processor idle. `groups` is where the
    control groups are mounted, and `own` names those of this process (cgroups(7)).
    """
    allowed = len(os.sched_getaffinity(0))
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(groups, own))]))


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """Yield the quotas of all groups that this process is in, inner and outer, in processors."""
    for line in _text(own).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            yield from _version_2(groups, path)
        elif "cpu" in controllers.split(","):
            yield from _version_1(groups, controllers, path)


def _version_2(groups: Path, path: str) -> Iterator[float]:
    """Yield quotas from ``cpu.max``: microseconds, or ``max``, and the period (kernel documentation, cgroup-v2)."""
    for folder in _upwards(groups, path):
        quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
        yield from _ratio(quota, period)


def _version_1(groups: Path, controllers: str, path: str) -> Iterator[float]:
    """Yield quotas from ``cpu.cfs_quota_us``, which is -1 without one (kernel documentation, sched-bwc)."""
    for mount in (groups / controllers, groups / "cpu"):
        for folder in _upwards(mount, path):
            yield from _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield the folder of a group and those around it.

    In a container the path may be one of the host's: then only the mount itself is there.
    """
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
    for count in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:count])


def _ratio(quota: str, period: str) -> Iterator[float]:
    if NUMBER.fullmatch(quota.strip()) and NUMBER.fullmatch(period.strip()):
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
