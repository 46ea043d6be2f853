"""The image, as far as it can be judged without building it: the file as its parser reads it, and its commands run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.webhook.support import Recorder, make_relay, serving

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
Instruction = tuple[str, str]


def instructions(text: str) -> list[Instruction]:
    """Return keyword and rest of each instruction: comments go, a backslash at the end joins lines."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    found = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [(keyword.upper(), " ".join(rest.split()) if keyword != "CMD" else rest) for keyword, _, rest in found]


STEPS = instructions(DOCKERFILE)


def rest_of(keyword: str) -> list[str]:
    return [rest for name, rest in STEPS if name == keyword]


def place(keyword: str, part: str = "") -> int:
    """Return where the first such instruction stands."""
    return next(index for index, (name, rest) in enumerate(STEPS) if name == keyword and part in rest)


def copied() -> list[str]:
    return [source for rest in rest_of("COPY") for source in rest.split()[:-1]]


def is_ignored(path: str) -> bool:
    """Judge a path of the context as docker does: the last matching pattern wins, a folder's pattern holds below it."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if pattern and not pattern.startswith("#") and matches(path, pattern):
            ignored = not line.startswith("!")
    return ignored


def matches(path: str, pattern: str) -> bool:
    parts = path.split("/")
    heads = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern[3:]) for part in parts)
    return any(fnmatch(head, pattern) for head in heads)


def test_the_base_is_pinned_and_slim() -> None:
    assert rest_of("FROM") == ["python:3.13-slim"]


def test_what_changes_seldom_comes_first() -> None:
    order = [
        place("RUN", "git"),
        place("COPY", "requirements.lock"),
        place("RUN", "--require-hashes"),
        place("COPY", "coordinator ./coordinator"),
        place("RUN", "--no-deps"),
        place("USER"),
        place("CMD"),
    ]
    assert order == sorted(order)


def test_every_download_is_checked_by_its_hash() -> None:
    installs = [rest for rest in rest_of("RUN") if "pip install" in rest]
    assert len(installs) == 2
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command
    assert not re.search(r"curl|wget|ADD |git clone", DOCKERFILE)


def test_it_does_not_run_as_root() -> None:
    assert rest_of("USER") == ["coordinator"]
    created = place("RUN", "useradd")
    assert created < place("USER") < place("CMD")
    assert not [keyword for keyword, _ in STEPS[place("USER") :] if keyword in {"RUN", "COPY", "ADD"}]


def test_no_secret_is_built_in() -> None:
    assert rest_of("ARG") == []
    assert not [rest for rest in rest_of("ENV") if re.search(r"(?i)token|secret|_key|password|_url", rest)]


def test_what_is_copied_is_there_and_let_through() -> None:
    assert "." not in copied()
    for path in copied():
        assert (ROOT / path).exists(), path
        assert not is_ignored(path), path


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        ".env.example",
        "coordinator/.env",
        "coordinator/webhook/.env.local",
        ".venv/bin/python",
        "tests/support.py",
        "coordinator/__pycache__/cli.cpython-313.pyc",
        ".gitea/workflows/ci.yml",
        "some.key",
    ],
)
def test_what_stays_out_of_the_context(path: str) -> None:
    assert is_ignored(path)


def test_what_the_package_needs_is_in_the_context() -> None:
    for path in (ROOT / "coordinator").rglob("*"):
        name = path.relative_to(ROOT).as_posix()
        assert is_ignored(name) == ("__pycache__" in name or name.endswith(".pyc")), name


def test_the_package_is_built_from_what_is_copied_alone(tmp_path: Path) -> None:
    """The command of the image, into a folder, without any index."""
    context = tmp_path / "context"
    for path in copied():
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, context / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            context.mkdir(exist_ok=True)
            shutil.copy(ROOT / path, context / path)
    command = next(rest for rest in rest_of("RUN") if "--no-deps" in rest).partition("&&")[0]
    words = [sys.executable, *shlex.split(command)[1:], "--target", str(tmp_path / "image"), "--quiet"]
    subprocess.run(words, cwd=context, check=True, capture_output=True)
    assert (tmp_path / "image/bin/coordinator").exists()
    assert (tmp_path / "image/coordinator/agent/system_prompt.md").exists()


def test_the_default_command_is_the_relay() -> None:
    assert json.loads(rest_of("CMD")[-1]) == ["coordinator", "serve"]
    assert rest_of("EXPOSE") == ["8000"]
    assert rest_of("ENTRYPOINT") == []  # so that `coordinator run` is as near


def health_check(port: int | str) -> int:
    """Run the health check of the image; return its exit code."""
    command = json.loads(rest_of("HEALTHCHECK")[0].partition(" CMD ")[2])
    assert command[0] == "python"
    environment = {"PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run([sys.executable, *command[1:]], env=environment, capture_output=True, check=False)
    return done.returncode


def test_the_health_check_tells_a_relay_that_answers_from_one_that_does_not() -> None:
    with serving(make_relay(Recorder()), ask=lambda: False) as served:
        assert health_check(served.port) == 0
    assert health_check(served.port) != 0
