"""The environment that every confined command starts with. It is an allow-list: nothing comes along by itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SYSTEM_PATH = tuple(
    Path(name) for name in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
)

PASSTHROUGH = frozenset(
    {
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "GOFLAGS",
        "GOPROXY",
        "GOSUMDB",
        "LD_LIBRARY_PATH",
        "NODE_EXTRA_CA_CERTS",
        "NPM_CONFIG_REGISTRY",
        "PIP_CERT",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_NO_INDEX",
        "PIP_TRUSTED_HOST",
        "REQUESTS_CA_BUNDLE",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
        "UV_DEFAULT_INDEX",
        "UV_FIND_LINKS",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_NATIVE_TLS",
        "all_proxy",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "ALL_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
    }
)
"""Variables that a set-up with network needs. The confined side reads them: whether an address in one of them carries
a password is the decision of who configured the runner. LD_LIBRARY_PATH is there for interpreters that find their own
shared library by it."""

_LIBRARIES = "LD_LIBRARY_PATH"


def select_passthrough(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick from the coordinator's own environment what may be passed on, by `PASSTHROUGH`."""
    return {name: value for name, value in environment.items() if name in PASSTHROUGH}


def search_path_of(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Give the absolute folders of a PATH: Go, Node and Rust mostly stand in one that only their user knows of."""
    entries = (Path(entry) for entry in environment.get("PATH", "").split(os.pathsep) if entry)
    return tuple(dict.fromkeys(entry for entry in entries if entry.is_absolute()))


def rust_toolchains(environment: Mapping[str, str], *, closed_home: bool) -> dict[str, str]:
    """Name the folder of rustup's toolchains where rustup itself would look for it: below HOME, which commands lose.

    In a home that is closed to the commands it is of no use to them; `RUSTUP_HOME` can name it elsewhere.
    """
    folder = Path(environment.get("HOME", "/nonexistent"), ".rustup")
    if closed_home or "RUSTUP_HOME" in environment or not os.access(folder, os.R_OK | os.X_OK):
        return {}
    return {"RUSTUP_HOME": str(folder)}


def launcher_environment(passthrough: Mapping[str, str]) -> dict[str, str]:
    """Give what the launcher's interpreter cannot start without."""
    return {_LIBRARIES: passthrough[_LIBRARIES]} if _LIBRARIES in passthrough else {}


def paths_in(passthrough: Mapping[str, str]) -> list[Path]:
    """Find files and folders that passed-on variables name and that exist: the confined side has to read them."""
    names = (name for value in passthrough.values() for name in value.split(os.pathsep) if name.startswith("/"))
    return [Path(name) for name in names if Path(name).exists()]


def clean_search_path(entries: Iterable[Path]) -> list[Path]:
    """Keep existing absolute folders, each once: a relative entry would run what lies in the checkout."""
    return list(dict.fromkeys(entry for entry in entries if entry.is_absolute() and entry.is_dir()))


def base_environment(home: Path, temporary: Path, search_path: Iterable[Path]) -> dict[str, str]:
    """Give the variables of a quiet, non-interactive session. USER is set because the uid has no account to ask."""
    return {
        "PATH": os.pathsep.join(map(str, search_path)),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "USER": "coordinator",
        "LOGNAME": "coordinator",
        "LANG": "C.UTF-8",
        "CI": "1",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def interpreter_paths() -> tuple[Path, ...]:
    """Give what a confined command needs to see for running this very Python: pass it as `visible`."""
    names = (sys.prefix, sys.base_prefix, sys.executable)
    return tuple(dict.fromkeys(Path(name) for name in names))
