"""Find some pip that can fill an environment which has none itself, or fetch one by its hash.

Debian splits ``ensurepip`` off from Python and pip off from both, so each place is asked: a pip module that knows
``--python`` (22.3 and later), the wheel that a Python carries along for its ``ensurepip`` (it can run under another
one, as ``python pip.whl/pip``, at half the speed), and the package index that the machine is configured for. Standard
library only.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import html
import os
import re
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

from coordinator.errors import Misconfigured, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Wheel:
    """A file of a package index, and the only content that is taken for it."""

    file: str
    sha256: str

    def is_this(self, content: bytes) -> bool:
        """Tell whether these are its bytes."""
        return hashlib.sha256(content).hexdigest() == self.sha256


PINNED_PIP = Wheel(
    file="pip-26.3-py3-none-any.whl",
    sha256="f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13",
)
"""The pip that is fetched where a machine has none."""
LARGEST_DOWNLOAD = 16 * 1024 * 1024

PYTHON_NAMES = ("python3", "python3.11", "python3.12", "python3.13", "python3.14", "python")
PRINT_BUNDLED_FOLDERS = """\
import importlib.util, os, sysconfig
spec = importlib.util.find_spec("ensurepip")
print(os.path.join(os.path.dirname(spec.origin), "_bundled") if spec else "")
print(sysconfig.get_config_var("WHEEL_PKG_DIR") or "")
"""


def find_pip(folder: Path, own: str, env: Mapping[str, str], pinned: Wheel = PINNED_PIP) -> list[str]:
    """Return the start of a command line that runs some pip for the environment in the folder, made with `own`."""
    python = str(folder / "bin" / "python")
    for interpreter in dict.fromkeys([own, *pythons(env)]):
        installed = [interpreter, "-I", "-m", "pip", "--python", python]
        bundled = [[python, "-I", f"{wheel}/pip"] for wheel in bundled_pips(interpreter, env)]
        for command in [installed, *bundled]:
            if answer([*command, "--version"], env):
                return command
    return [python, "-I", f"{fetch_pip(folder.parent, env, pinned)}/pip"]


def pythons(env: Mapping[str, str]) -> list[str]:
    """Return the Pythons on the path, which may have the pip that this one lacks."""
    found = (shutil.which(name, path=env.get("PATH")) for name in PYTHON_NAMES)
    return [path for path in found if path]


def bundled_pips(interpreter: str, env: Mapping[str, str]) -> list[Path]:
    """Return the pip wheels that a Python carries along for its ``ensurepip``."""
    folders = answer([interpreter, "-I", "-c", PRINT_BUNDLED_FOLDERS], env).split("\n")
    return [wheel for folder in folders if folder for wheel in sorted(Path(folder).glob("pip-*.whl"))]


def answer(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Return what a command prints; nothing when it fails."""
    done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def fetch_pip(folder: Path, env: Mapping[str, str], pinned: Wheel) -> Path:
    """Return the pinned pip, from the folder or from the configured index; refuse one with another hash."""
    wheel = folder / pinned.file
    if not (wheel.exists() and pinned.is_this(wheel.read_bytes())):
        index = configured_index(env)
        if not index:
            raise Misconfigured(
                "This machine has no pip, and no package index is configured",
                mend="Install python3-venv, python3-pip or uv on the runner, or set PIP_INDEX_URL",
            )
        content = download(pinned.file, index, env)
        if not pinned.is_this(content):
            raise Unreachable(f"{pinned.file} from the package index has a wrong hash", mend="Check the package index")
        unfinished = wheel.with_suffix(".new")
        unfinished.write_bytes(content)
        unfinished.replace(wheel)
    return wheel


def configured_index(env: Mapping[str, str]) -> str:
    """Return the package index that the variables of pip and uv or a ``pip.conf`` name; empty for none."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if env.get(name):
            return env[name].split("=", 1)[-1] if name == "UV_DEFAULT_INDEX" else env[name]
    home = Path(env.get("HOME", "/nonexistent"))
    user = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    named = Path(env.get("PIP_CONFIG_FILE") or os.devnull)
    parser = configparser.RawConfigParser()
    try:
        parser.read([Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user, named], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return ""
    return parser.get("install", "index-url", fallback="") or parser.get("global", "index-url", fallback="")


def download(file: str, index: str, env: Mapping[str, str]) -> bytes:
    """Find a wheel of pip on the index's page of it (PEP 503) and return its bytes."""
    page_url = f"{index.rstrip('/')}/pip/"
    page = fetch(page_url, index, env).decode("utf-8", "replace")
    link = re.search(rf'href="([^"#]*{re.escape(file)})[#"]', page)
    if not link:
        raise Misconfigured(f"The package index has no {file}", mend="Install python3-venv or uv on the runner")
    return fetch(urljoin(without_password(page_url), html.unescape(link[1])), index, env)


def fetch(url: str, index: str, env: Mapping[str, str]) -> bytes:
    """Return what an address holds. User name and password of the index go to the index's host only."""
    known, wanted = urlsplit(index), urlsplit(without_password(url))
    if wanted.scheme not in {"http", "https"}:
        raise Misconfigured("The package index is no http or https address", mend="Correct PIP_INDEX_URL")
    request = Request(wanted.geturl())  # noqa: S310  (the scheme was checked in the line above)
    if known.username and known.hostname == wanted.hostname and known.scheme == wanted.scheme:
        pair = f"{unquote(known.username)}:{unquote(known.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    bundle = env.get("PIP_CERT") or env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
        with urlopen(request, timeout=60, context=context) as response:  # noqa: S310  (see above)
            content: bytes = response.read(LARGEST_DOWNLOAD)
            return content
    except (OSError, HTTPException) as error:
        reason = " ".join(str(error).split())[:200]
        raise Unreachable(f"cannot fetch pip: {reason}", mend="Check the network and PIP_INDEX_URL") from None


def without_password(url: str) -> str:
    """Return an address without its user name and password."""
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", url)
