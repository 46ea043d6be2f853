"""Which of its measurement cores coverage is to use: the faster one wherever it gives the same answer.

``sys.monitoring`` (``sysmon``) costs a few per cent of the tests' time, the C tracer half as much again. By coverage's
own documentation and release notes: there since coverage 7.4.0 and Python 3.12; no plugins, no dynamic contexts, no
greenlets; branches only from Python 3.14 on. From Python 3.14 on coverage 7.9.1 and later choose by themselves, and
fall back where they have to, so they are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "COVERAGE_CORE"
"""Wins over the configuration, so it is set only where that says nothing about the core."""

PYTHON_SINCE, PYTHON_CHOOSES = (3, 12), (3, 14)
COVERAGE_SINCE = (7, 4)

SWITCHED_ON = frozenset({"1", "yes", "true", "on"})
"""How an INI file says so, in any case (`configparser`)."""

NO_SYSMON = ("core", "plugins", "dynamic_context")
"""Options of coverage's ``[run]`` with any content of which the choice is not ours, or is against ``sysmon``."""

GREENLETS = re.compile(r"greenlet|eventlet|gevent")


def core_variables(python: tuple[int, int], coverage: str | None, options: Mapping[str, object]) -> dict[str, str]:
    """Return what to add to the environment of a covered run so that it uses the fastest core that is right.

    `coverage` is the installed version (None: as new as ours), and `options` are those of ``[run]`` in the project's
    configuration, from TOML or as the text of an INI file. Nothing is taken out of them for the sake of speed.
    """
    is_known = coverage is None or _numbers(coverage) >= COVERAGE_SINCE
    is_able = is_known and PYTHON_SINCE <= python < PYTHON_CHOOSES
    is_free = not any(options.get(name) for name in NO_SYSMON) and not GREENLETS.search(
        str(options.get("concurrency", ""))
    )
    if is_able and is_free and not _is_on(options.get("branch")) and not _is_on(options.get("timid")):
        return {VARIABLE: "sysmon"}
    return {}


def _is_on(value: object) -> bool:
    return value.strip().lower() in SWITCHED_ON if isinstance(value, str) else bool(value)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
