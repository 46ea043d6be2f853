from __future__ import annotations

import base64

from coordinator.workspace.redaction import redacted
from tests.support import FORGE_CANARY


def test_a_header_and_its_parts_are_taken_out() -> None:
    text = redacted(
        f"a Authorization: token {FORGE_CANARY} b {FORGE_CANARY} c", [f"Authorization: token {FORGE_CANARY}"]
    )
    assert text == "a *** b *** c"


def test_the_password_inside_a_basic_header_is_taken_out_in_both_forms() -> None:
    coded = base64.b64encode(f"x:{FORGE_CANARY}".encode()).decode()
    assert redacted(f"{coded} {FORGE_CANARY} x", [f"Authorization: Basic {coded}"]) == "*** *** x"


def test_user_information_in_addresses_is_taken_out() -> None:
    assert redacted("at https://user:secret@host/x and http://t@h", []) == "at https://***@host/x and http://***@h"


def test_short_words_are_no_secrets() -> None:
    assert redacted("a token is missing", [f"token {FORGE_CANARY}"]) == "a token is missing"
