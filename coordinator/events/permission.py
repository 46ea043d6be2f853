"""Who may start runs: whoever the forge says may write now, and whom the configuration lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coordinator.errors import CoordinatorError
from coordinator.events.text import fold, one_line
from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.forge.models import Account
    from coordinator.forge.protocol import Forge

_PERSON: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Logins of people on all three forges. GitHub's apps have one that ends in ``[bot]``: list those by id."""


class Right(Frozen):
    """Whether an account may start runs, how that was found out, and what would change it."""

    allowed: bool
    reason: str
    mend: str
    known: bool = True
    """Whether it could be found out at all; what could not be is a no."""


class Permissions:
    """Answers for one run; each account is asked about once.

    A login in the list counts for the account that has it now by the forge's own word, because a login can be renamed,
    taken over and imitated, and an id cannot.
    """

    def __init__(self, forge: Forge, allow: Sequence[int | str]) -> None:
        self._forge = forge
        self._ids = frozenset(entry for entry in allow if type(entry) is int)
        self._logins = frozenset(fold(entry) for entry in allow if isinstance(entry, str))
        self._known: dict[Account, Right] = {}

    def of(self, account: Account) -> Right:
        """Return the account's right. Never raises: what cannot be found out is a no with the cause in it."""
        if account not in self._known:
            self._known[account] = self._find_out(account)
        return self._known[account]

    def _find_out(self, account: Account) -> Right:
        ask = f"Ask somebody with write access, or list {account.id} under allow in .coordinator.yml"
        if account.id <= 0:
            return Right(allowed=False, reason="no person's account", mend="Ask somebody with write access")
        if account.id in self._ids or self._listed_by_login(account):
            return Right(allowed=True, reason="listed under allow", mend="")
        try:
            access = self._forge.access(account)
        except CoordinatorError as error:
            reason = f"its rights cannot be found out: {error.what}"
            return Right(allowed=False, reason=reason, mend=error.mend, known=False)
        reason = one_line(access.reason, limit=200) or access.permission.value
        return Right(allowed=access.permission.may_write, reason=reason, mend=access.mend or ask)

    def _listed_by_login(self, account: Account) -> bool:
        if fold(account.login) not in self._logins or not _PERSON.fullmatch(account.login):
            return False
        try:
            holder = self._forge.account(account.login)
        except CoordinatorError:
            return False
        return holder is not None and holder.id == account.id
