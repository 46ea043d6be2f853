"""Whether a delivery was signed with the secret that the forge and the relay share."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr

_PREFIXES: Final = {"x-gitea-signature": "", "x-forgejo-signature": "", "x-hub-signature-256": "sha256="}
"""The headers and what stands before the digits (Gitea: ``services/webhook/deliver.go``; Forgejo:
``services/webhook/shared/payloader.go``; GitHub: "Validating webhook deliveries"). Without a secret in the hook the
headers still come, empty."""


def sign(body: bytes, secret: SecretStr) -> str:
    """Return the HMAC-SHA256 of a raw body in lower-case hexadecimal digits."""
    return hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()


def fits(headers: Iterable[tuple[str, str]], signature: str) -> bool:
    """Whether the headers carry this signature: at least one of them, and none another. Takes as long either way."""
    given = [(_PREFIXES[name.lower()], value) for name, value in headers if name.lower() in _PREFIXES]
    right = [hmac.compare_digest(value.encode(), f"{prefix}{signature}".encode()) for prefix, value in given]
    return bool(right) and all(right)
