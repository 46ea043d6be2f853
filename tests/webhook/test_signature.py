from __future__ import annotations

import inspect

import pytest
from pydantic import SecretStr

from coordinator.webhook.relay import Relay
from coordinator.webhook.signature import fits, sign
from tests.webhook.support import SECRET, Recorder

BODY = b'{"a": 1}'
GOOD = sign(BODY, SECRET)
GITEA, FORGEJO, HUB = "x-gitea-signature", "X-Forgejo-Signature", "X-Hub-Signature-256"


def test_the_signature_is_hmac_sha256_in_lower_case_digits() -> None:
    """The example of GitHub's "Validating webhook deliveries", which signs as Gitea does."""
    secret = SecretStr("It's a Secret to Everybody")
    assert sign(b"Hello, World!", secret) == "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


@pytest.mark.parametrize(
    "headers",
    [
        [(GITEA, GOOD)],
        [(FORGEJO, GOOD)],
        [(HUB, f"sha256={GOOD}")],
        [(GITEA, GOOD), (FORGEJO, GOOD), (HUB, f"sha256={GOOD}")],
        [("X-GITEA-SIGNATURE", GOOD), ("X-Hub-Signature", "sha1=00"), ("X-Gogs-Signature", "0")],
    ],
)
def test_a_good_signature(headers: list[tuple[str, str]]) -> None:
    assert fits(headers, GOOD)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Hub-Signature", f"sha1={GOOD}")],
        [("X-Other-Signature", GOOD)],
        [(GITEA, "")],
        [(GITEA, GOOD[:-1])],
        [(GITEA, GOOD + "0")],
        [(GITEA, GOOD.upper())],
        [(GITEA, f"sha256={GOOD}")],
        [(GITEA, "ü" * 64)],
        [(HUB, GOOD)],
        [(HUB, "sha256=")],
        [(HUB, f"SHA256={GOOD}")],
        [(GITEA, GOOD), (HUB, "sha256=")],
        [(GITEA, GOOD), (FORGEJO, "0" * 64)],
        [(GITEA, GOOD), (GITEA, "0" * 64)],
        [(GITEA, sign(BODY, SecretStr("another")))],
    ],
)
def test_a_wrong_or_missing_signature(headers: list[tuple[str, str]]) -> None:
    assert not fits(headers, GOOD)


def test_signatures_are_compared_in_constant_time() -> None:
    """Time cannot be measured in a test, so the comparison itself is looked for."""
    source = inspect.getsource(fits)
    assert "hmac.compare_digest(" in source
    assert " == " not in source


def test_no_relay_without_a_secret() -> None:
    with pytest.raises(ValueError, match="empty secret"):
        Relay(Recorder(), secret=SecretStr(""), workers=1)
