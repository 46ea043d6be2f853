"""Secrets do not come out, in whatever form."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from coordinator.report.comment import comment_body
from coordinator.report.document import json_report
from coordinator.report.models import Outcome
from coordinator.report.outputs import action_outputs
from coordinator.report.page import report_page
from coordinator.report.pull_request import pull_request_body, pull_request_title
from coordinator.report.redaction import MASK, Redactor, clean_report
from coordinator.report.statuses import verdict_statuses
from coordinator.report.summary import job_summary
from tests.report.scenarios import ACCEPTING, FIRST, REPORTS, gate
from tests.support import API_CANARY, FORGE_CANARY

ODD = 'p&ss "wörd"/+=%'
CANARIES = [FORGE_CANARY, API_CANARY, ODD, "a1b2c3"]
REDACT = Redactor(CANARIES)


def encodings(secret: str) -> dict[str, str]:
    raw = secret.encode()
    return {
        "plain": secret,
        "reversed": secret[::-1],
        "json": json.dumps(secret),
        "json, not ascii": json.dumps(secret, ensure_ascii=False),
        "url": quote(secret, safe=""),
        "path": quote(secret),
        "form": quote_plus(secret),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "hex with spaces": raw.hex(" "),
        "base64": base64.b64encode(raw).decode(),
        "base64 of user": base64.b64encode(b"x:" + raw).decode(),
        "base64 of longer user": base64.b64encode(b"me:" + raw + b"\n").decode(),
        "base64 of other": base64.b64encode(b"user:" + raw + b"ab").decode(),
        "url-safe base64": base64.urlsafe_b64encode(raw).decode(),
    }


@pytest.mark.parametrize("secret", CANARIES)
def test_all_forms_of_a_secret_go(secret: str) -> None:
    for name, form in encodings(secret).items():
        shown = REDACT(f"before {form} after")
        inner = form.strip('"=')[4:-4]
        assert MASK in shown, name
        assert len(inner) < 4 or inner not in shown, (name, shown)
        assert shown.startswith("before"), name
        assert shown.endswith("after"), name


def test_a_secret_of_several_lines_goes_line_by_line() -> None:
    redact = Redactor(["first-line-of-it\n  second-line-of-it\n"])
    assert redact("a second-line-of-it b first-line-of-it c") == f"a {MASK} b {MASK} c"


def test_the_beginning_of_a_long_secret_goes_too() -> None:
    assert FORGE_CANARY[:12] not in REDACT(f"token {FORGE_CANARY[:12]}… was refused")
    assert "canary" not in REDACT(f"invalid key {API_CANARY[:16]}...")


@pytest.mark.parametrize(
    "text",
    [
        "sk-ant-api03-AAAA_bbbb-CCCC",
        "ghp_" + "a" * 36,
        "github_pat_" + "a" * 40,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nabc",
    ],
)
def test_known_shapes_go_without_being_known(text: str) -> None:
    assert Redactor([])(f"x {text}") == f"x {MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef", "Authorization: Bearer ***"),
        ("authorization: token 0123", "authorization: token ***"),
        ('{"x-api-key": "abc"}', '{"x-api-key": "***"}'),
        ("https://user:pass@forge.example/a.git", "https://***@forge.example/a.git"),
        ("https://token@forge.example/a.git", "https://***@forge.example/a.git"),
    ],
)
def test_headers_and_addresses_lose_their_credentials(text: str, shown: str) -> None:
    assert Redactor([])(text) == shown


def test_other_text_is_left_alone() -> None:
    text = "def f() -> int: return 1  # " + "c0ffee254729296a45a3885639ac7e10f9d54979" + " https://x.example/a@b"
    assert REDACT(text) == text


def test_short_values_are_no_secrets() -> None:
    assert Redactor(["true", "", "12345"])("true 12345") == "true 12345"


def test_redacting_twice_changes_nothing_more() -> None:
    once = REDACT(" ".join(form for secret in CANARIES for form in encodings(secret).values()))
    assert REDACT(once) == once


def test_the_redactor_does_not_show_what_it_knows() -> None:
    assert FORGE_CANARY not in repr(REDACT)
    assert "forms" in repr(REDACT)


def test_it_is_fast_on_big_text() -> None:
    text = "some words of a log line that hold nothing\n" * 50_000
    start = time.process_time()
    REDACT(text)
    assert time.process_time() - start < 3.0


def test_no_rendering_of_a_report_shows_a_secret() -> None:
    hidden = "\u200b".join(FORGE_CANARY)
    leaky = f"{API_CANARY} and {FORGE_CANARY} and {hidden} and {base64.b64encode(FORGE_CANARY.encode()).decode()}"
    result = gate("test", leaky, passed=False, output=f"line\n{leaky}", findings=[{"message": leaky, leaky: 1}])
    verdict = ACCEPTING.model_copy(update={"passed": False, "gates": (result,)})
    source = REPORTS["rejected"]
    assert source.plan is not None
    report = source.model_copy(
        update={
            "reason": leaky,
            "issue_title": leaky,
            "verified": leaky,
            "summary": leaky,
            "notes": (leaky,),
            "refused_files": (leaky,),
            "sandbox": leaky,
            "settings": {leaky: leaky},
            "base": leaky,
            "event": leaky,
            "steps": (source.steps[0].model_copy(update={"detail": leaky}),),
            "attempts": (FIRST.model_copy(update={"verdict": verdict}),),
            "changes": source.changes.model_copy(update={"files": (leaky,)}),
            "plan": source.plan.model_copy(update={"reason": leaky, "title": leaky}),
        }
    )
    clean = clean_report(report, Redactor([API_CANARY, FORGE_CANARY]))
    statuses = verdict_statuses(verdict, redact=Redactor([API_CANARY, FORGE_CANARY]))
    shown = [
        comment_body(clean),
        pull_request_title(clean),
        pull_request_body(clean),
        job_summary(clean),
        report_page(clean),
        json.dumps(json_report(clean)),
        json.dumps(action_outputs(clean)),
        *(status.description for status in statuses),
    ]
    for text in shown:
        assert MASK in text or text == "rejected by test"
        assert "canary" not in text.replace("API_CANARY", "")
        assert base64.b64encode(FORGE_CANARY.encode()).decode()[:20] not in text


def test_cleaning_keeps_everything_else() -> None:
    for report in REPORTS.values():
        assert clean_report(report, REDACT) == report


def test_cleaning_survives_a_secret_that_is_a_word_of_ours() -> None:
    clean = clean_report(REPORTS["completed"], Redactor(["completed", "accepted"]))
    assert clean.outcome is Outcome.COMPLETED
    assert clean.reason == f"{MASK} by 4 gates"
