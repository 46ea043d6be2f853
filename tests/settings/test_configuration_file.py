from __future__ import annotations

import time

import pytest

from coordinator.configuration import Configuration
from coordinator.configuration_file import load_configuration
from coordinator.errors import Misconfigured
from coordinator.sandbox.protocol import Network
from tests.support import API_CANARY

FILE = ".coordinator.yml"


def load(text: str) -> Configuration:
    return load_configuration(text.encode(), file=FILE)


def fault(text: str | bytes) -> Misconfigured:
    """Load what is wrong, and return the error after looking at what holds for every one."""
    with pytest.raises(Misconfigured) as caught:
        load_configuration(text if isinstance(text, bytes) else text.encode(), file=FILE)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("text", [None, b"", b"---\n", b"--- \n...\n", b"# only a comment\n", b"\xef\xbb\xbf", b"{}"])
def test_nothing_is_all_defaults(text: bytes | None) -> None:
    assert load_configuration(text, file=FILE) == Configuration()


def test_reads_every_kind_of_value() -> None:
    configuration = load(
        """
trigger: {assignee: robot, label: "no"}
allow: [alice, 42]
agents:
  sonnet: {context_limit: 100000, capabilities: [easy, medium], price: {input: 3, output: 15.5}, enabled: no}
  house: {model: m, base_url: "http://models.example.com:8000/", api_key_env: HOUSE_API_KEY}
context: {compact_at: 0.5}
attempts: 4
escalate: off
setup: [pip install -e ., make]
gates:
  test: {args: [-x], minutes: 1.5}
  coverage: {threshold: 90}
  commands:
    - {name: vet, run: go vet ./..., report: out/report.xml}
sandbox: {network: loopback}
"""
    )
    assert configuration.trigger.label == "no"
    assert configuration.allow == ("alice", 42)
    assert configuration.agents["sonnet"].capabilities == ("easy", "medium")
    assert configuration.agents["sonnet"].price is not None
    assert configuration.agents["sonnet"].price.output == 15.5
    assert not configuration.agents["sonnet"].enabled
    assert configuration.agents["house"].base_url == "http://models.example.com:8000"
    assert configuration.context.rotate_at == 0.95
    assert (configuration.attempts, configuration.escalate) == (4, False)
    assert configuration.setup == ("pip install -e .", "make")
    assert configuration.gates.test.minutes == 1.5
    assert configuration.gates.commands[0].report == "out/report.xml"
    assert configuration.sandbox.network is Network.LOOPBACK


def test_keys_whose_values_are_commented_out_are_defaults() -> None:
    assert (
        load("budget:\n  run:\n    # dollars: 3\ntrigger:\nattempts:\nsetup:\ngates:\n  commands:\n") == Configuration()
    )


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        ("attempt: 3", "1: attempt: unknown key", "Write attempts instead; valid here are trigger, allow"),
        ("\nzzz: 3", "2: zzz: unknown key", "Valid here are trigger, allow"),
        ("zzz:", "1: zzz: unknown key", "Valid here are"),
        ("budget:\n  run: {turns: 1,\n    dolars: 3}", "3: budget.run.dolars: unknown key", "Write dollars instead"),
        ("agents:\n  opus:\n    price: {inptu: 3}", "3: agents.opus.price.inptu: unknown key", "Write input instead"),
        ("agents:\n  sonnet: {modle: x}", "2: agents.sonnet.modle: unknown key", "Write model instead"),
        ("gates:\n  comands: []", "2: gates.comands: unknown key", "Write commands instead"),
        (
            "gates:\n  commands:\n  - {name: a, run: b}\n  - {name: c, rum: d}",
            "4: gates.commands[1].run: missing",
            "Line 4: Add the key run with its value; Line 4: Write run instead",
        ),
        ("attempts: 0", "1: attempts: should be a number from 1 up, not 0", "Write a number from 1 up"),
        ("attempts: true", "1: attempts: should be a whole number, not true", "Write a whole number"),
        ("attempts: '3'", "1: attempts: should be a whole number, not '3'", "Write a whole number"),
        ("attempts: 2.5", "1: attempts: should be a whole number, not 2.5", "Write a whole number"),
        ("attempts: [3]", "1: attempts: should be a whole number, not a list", "Write a whole number"),
        ("attempts: {a: 3}", "1: attempts: should be a whole number, not a mapping", "Write a whole number"),
        ("context: {compact_at: 2}", "context.compact_at: should be a number up to 1, not 2", "Write a number up to 1"),
        ("context: {compact_at: 0}", "should be a number above 0, not 0", "Write a number above 0"),
        ("budget: {day: {dollars: yes}}", "budget.day.dollars: should be a number, not true", "Write a number"),
        ("budget: {day: {dollars: .inf}}", "should be a finite number, not Infinity", "Write a finite number"),
        ("budget: {day: {dollars: .nan}}", "should be a finite number, not NaN", "Write a finite number"),
        ("budget: {run: {minutes: 1.0e+300}}", "should be a number up to 10080, not 1e+300", "Write a number up to"),
        ("escalate: 1", "1: escalate: should be true or false, not 1", "Write true or false"),
        ("trigger: {label: no}", "trigger.label: should be a text, not false", "Put the value in quotes"),
        ("trigger: {label: 7}", "trigger.label: should be a text, not 7", "Put the value in quotes"),
        ("trigger: {label: ''}", "should be a text that is not empty, not ''", "Write a text that is not empty"),
        ("trigger: label", "1: trigger: should be a mapping, not 'label'", "Write a mapping"),
        ("allow:\n- a\n- yes", "3: allow[1]: should be a whole number or a text, not true", "Put the value in quotes"),
        ("allow: [0]", "allow[0]: should be a number from 1 up or a text, not 0", "Put the value in quotes"),
        ("setup: make", "1: setup: should be a list, not 'make'", "Write a list"),
        ("setup:\n-\n", "2: setup[0]: should be a text, not nothing", "Write a text"),
        ("sandbox: {network: on}", "should be one of 'none', 'loopback' or 'open', not true", "Write one of 'none'"),
        (
            "agents: {opus: {capabilities: [x]}}",
            "capabilities[0]: should be one of 'easy', 'medium' or 'hard'",
            "Write",
        ),
        ("agents: {opus: {capabilities: []}}", "should be a list that is not empty, not a list", "Write a list that"),
        ("agents: [opus]", "1: agents: should be a mapping, not a list", "Write a mapping"),
        ("agents: {Opus: {}}", "1: agents.Opus: should be a name of up to 32 small letters", "Write a name"),
        (
            "agents:\n  sonet: {enabled: no}",
            "2: agents.sonet: no built-in profile",
            "Write sonnet instead, or add both",
        ),
        ("agents: {house: {model: m}}", "1: agents.house: no built-in profile", "Use one of opus, sonnet, haiku"),
        ("context: {compact_at: 0.99}", "1: context: should be a compact_at that is not above rotate_at", "Write"),
        ("gates: {commands: [{name: test, run: x}]}", "1: gates: should be a name for each command that no", "Write"),
        ("gates: {commands: [{name: x, run: y, report: ../z}]}", "report: should be a path inside the", "Write a path"),
        ("base_branch: -x", "1: base_branch: should be the name of a branch", "Write the name of a branch"),
        ("[1]", "1: the file: should be a mapping, not a list", "Write a mapping"),
        ("just words", "1: the file: should be a mapping, not 'just words'", "Write a mapping"),
        ("42: x", "1: 42: unknown key", "Valid here are"),
        ("a: 1\nb: 2\na: 3", "3: the key 'a' stands here a second time, after line 1", "Correct that line"),
        ("a:\n  - x: 1\n    x: 2", "3: the key 'x' stands here a second time, after line 2", "Correct that line"),
        ("a: [", "1: no valid YAML: expected the node content", "Correct that line"),
        ("a: b\n c: d", "2: no valid YAML: mapping values are not allowed here", "Correct that line"),
        ("a: 'b", "no valid YAML: found unexpected end of stream", "Correct that line"),
        ("a: 1\n---\nb: 2", "2: no valid YAML: but found another document", "Correct that line"),
        ("a: 1\nb: \x07", "2: there is a control character in the file", "Correct that line"),
        ("a: &x [1]\nb: *x", "2: aliases (*name) are not supported", "Correct that line"),
        ("a: !!python/object/apply:os.system [id]", "1: tags (!name) are not supported", "Correct that line"),
        ("a: !x {}", "1: tags (!name) are not supported", "Correct that line"),
        ("a: !!int x", "1: a value that cannot be read", "Correct that line"),
        ('a: "\\ud800"', "1: a value that cannot be read", "Correct that line"),
        (f"a: {'9' * 5000}", "1: a value that cannot be read", "Correct that line"),
        ("? [a]\n: 3", "1: a key has to be a plain text", "Correct that line"),
    ],
)
def test_a_fault_is_named_with_line_path_and_mend(text: str, what: str, mend: str) -> None:
    error = fault(text)
    assert error.what.startswith(f"{FILE}:")
    assert what in error.what
    assert mend in error.mend


def test_a_date_is_a_text_here() -> None:
    assert load("trigger: {label: 2026-11-21}").trigger.label == "2026-11-21"


def test_no_utf8() -> None:
    assert f"{FILE}:2: the file is not UTF-8 text" in fault(b"a: 1\nb: \xff").what


def test_several_faults_stand_on_one_line_in_the_order_of_the_file() -> None:
    error = fault("zz: 1\nattempts: 0\ntrigger: {label: 1}\nyy: 2\nqueue: {parallel: x}\nxx: 3\nww: 4")
    parts = error.what.split("; ")
    assert [part.split(": ")[0] for part in parts[:5]] == [f"{FILE}:{line}" for line in range(1, 6)]
    assert parts[5] == "and 2 more"
    assert "Line 2: Write a number from 1 up; Line 3: Put the value in quotes" in error.mend


@pytest.mark.parametrize(
    "text",
    [
        f"agents: {{opus: {{api_key_env: {API_CANARY}}}}}",
        f"agents: {{opus: {{base_url: 'https://u:{API_CANARY}@x'}}}}",
        f"agents: {{opus: {{api_key: {API_CANARY}}}}}",
        f"attempts: {API_CANARY}{'x' * 60}",
        f"? {API_CANARY}{'x' * 60}\n: 1",
        f"a: *{API_CANARY}",
        f"a: !{API_CANARY} 1",
    ],
)
def test_a_key_in_the_file_is_not_repeated(text: str) -> None:
    assert API_CANARY not in str(fault(text))


def test_a_forge_token_cannot_be_named_as_the_key_of_a_model() -> None:
    error = fault("agents: {opus: {base_url: 'https://x', api_key_env: GITHUB_TOKEN}}")
    assert "agents.opus.api_key_env" in error.what


def test_a_long_value_is_told_by_its_length() -> None:
    assert "not a text of 61 characters" in fault(f"attempts: {'x' * 61}").what


def test_a_strange_key_stays_on_one_line() -> None:
    assert r"'a\x1b[31m\nb': unknown key" in fault('"a\\e[31m\\nb": 1').what


def test_a_file_that_is_too_large_is_not_read() -> None:
    assert "more than 262144" in fault(b"#" * (256 * 1024 + 1)).what


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text", [BOMB, "[" * 100_000, "a: &a [*a]", "{a: " * 1000], ids=["aliases", "deep", "self", "maps"]
)
def test_a_bomb_goes_off_nowhere(text: str) -> None:
    start = time.process_time()
    fault(text)
    assert time.process_time() - start < 2
