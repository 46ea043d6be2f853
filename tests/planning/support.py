"""What the tests of planning share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from coordinator.forge.models import Account, Issue
from coordinator.planning.models import ContextEstimate, Difficulty, IssueMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class FakeVariables:
    """An environment in memory."""

    values: Mapping[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> SecretStr | None:
        return SecretStr(self.values[name]) if name in self.values else None

    def variable(self, name: str) -> str | None:
        return self.values.get(name)


def make_issue(body: str = "", *, number: int = 7, title: str = "Fix it", labels: tuple[str, ...] = ()) -> Issue:
    return Issue(number=number, title=title, body=body, labels=labels, author=Account(id=1, login="dev"))


def metadata(difficulty: str = "easy", wish: str | None = None) -> IssueMetadata:
    return IssueMetadata(difficulty=Difficulty(difficulty), assigned_agent=wish)


def estimate(tokens: int) -> ContextEstimate:
    return ContextEstimate(tokens=tokens, reason="said so")
