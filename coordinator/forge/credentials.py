"""What is checked about an address and a token before the one is sent to the other."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from coordinator.errors import Misconfigured


def checked_address(address: str, name: str) -> str:
    """Return an http(s) address without a slash at its end; raise `Misconfigured` for anything that is none."""
    text = address.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise _bad_address(name) from None
    plain = not (parts.username or parts.password or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", text))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain or not port_is_fine:
        raise _bad_address(name)
    return text


def _bad_address(name: str) -> Misconfigured:
    return Misconfigured(
        f"the {name} address of the forge is not a plain http(s) address",
        mend="Write it as https://host or https://host/path, without user, password, query or fragment",
    )


def checked_token(token: SecretStr) -> SecretStr:
    """Return the token without surrounding blanks; raise `Misconfigured` when it cannot stand in a header."""
    text = token.get_secret_value().strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        state = "has characters that no token has" if text else "is empty"
        raise Misconfigured(
            f"the forge token {state}", mend="Give one by the input `token` or the variable GITEA_TOKEN"
        )
    return SecretStr(text)


def basic_authorization(token: SecretStr, *, user: str = "x") -> str:
    """Return the header value with which git over http sends a token.

    Gitea takes a token as the password of any user name (services/auth/basic.go), and Forgejo does too; GitHub's
    documentation names ``x-access-token`` for the token of an app, which a job's token is.
    """
    return f"Basic {_basic(token, user)}"


def forms_of(token: SecretStr) -> tuple[str, ...]:
    """Return the spellings in which a token could come back in a server's message."""
    text = token.get_secret_value()
    return (text, _basic(token), quote(text, safe=""))


def _basic(token: SecretStr, user: str = "x") -> str:
    return base64.b64encode(f"{user}:{token.get_secret_value()}".encode()).decode()
