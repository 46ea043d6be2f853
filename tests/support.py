"""What many tests build: git repositories and canaries."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORGE_CANARY = "fcanary-7b1c9e55d0a84f3e"
API_CANARY = "sk-ant-canary-3f8e1d6ab2c94705"
"""Secrets that tests hand to the coordinator. They may never come out anywhere but in an Authorization header."""

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Dev",
    "GIT_AUTHOR_EMAIL": "dev@example.invalid",
    "GIT_COMMITTER_NAME": "Dev",
    "GIT_COMMITTER_EMAIL": "dev@example.invalid",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed, without the last newline."""
    command = ["git", "-c", "init.defaultBranch=main", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(command, cwd=folder, env=GIT_ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.removesuffix("\n")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files below a folder, with their parents."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make_repository(folder: Path, files: Mapping[str, str]) -> Path:
    """Create a git repository with one commit on `main` that holds the files."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    write_files(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Start")
    return folder


def commit_files(folder: Path, files: Mapping[str, str], message: str = "Change") -> str:
    """Write files into a repository, commit all, and return the commit's id."""
    write_files(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")
