from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.agent.protocol import Usage
from coordinator.errors import Misconfigured
from coordinator.state.files import FORMAT, decode, differences, is_ours
from coordinator.state.records import ClaimRecord, DayRecord, IssueRecord, RunRecord, State, Totals, total
from tests.state.parts import NOON, run_record

if TYPE_CHECKING:
    from collections.abc import Mapping

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (aware by `timezones`)
DOLLARS = st.floats(0, 1e6, allow_nan=False)
TOKENS = st.integers(0, 10**9)
USAGES = st.builds(Usage, input_tokens=TOKENS, output_tokens=TOKENS)
WORDS = st.text(max_size=20)
CLAIMS = st.builds(
    ClaimRecord,
    run=WORDS,
    attempt=st.integers(1, 9),
    taken_at=MOMENTS,
    renewed_at=MOMENTS,
    lease_seconds=st.floats(1, 1000),
    request=st.none() | MOMENTS,
    stop=WORDS,
)
RUNS = st.builds(
    RunRecord,
    run=WORDS,
    run_attempt=st.integers(1, 9),
    started_at=MOMENTS,
    ended_at=MOMENTS,
    outcome=WORDS,
    usage=USAGES,
    cost_usd=DOLLARS,
    predicted_tokens=st.none() | TOKENS,
    peak_tokens=st.none() | TOKENS,
)
TOTALS = st.builds(Totals, runs=TOKENS, cost_usd=DOLLARS, usage=USAGES, predicted_tokens=TOKENS, peak_tokens=TOKENS)
ISSUES = st.builds(
    IssueRecord,
    number=st.integers(1, 10**6),
    claim=st.none() | CLAIMS,
    answered=st.none() | MOMENTS,
    waiting=st.booleans(),
    text=WORDS,
    runs=st.lists(RUNS, max_size=3).map(tuple),
    folded=TOTALS,
    touched_at=st.none() | MOMENTS,
)
DAYS = st.builds(DayRecord, day=st.dates(), runs=TOKENS, cost_usd=DOLLARS, usage=USAGES)
STATES = st.builds(
    State,
    issues=st.lists(ISSUES, max_size=4).map(lambda found: {each.number: each for each in found}),
    days=st.lists(DAYS, max_size=4).map(lambda found: {each.day: each for each in found}),
    folded=TOTALS,
)


def read(files: Mapping[str, bytes]) -> State:
    return decode(files, place="the place", mend="Mend it")


@given(STATES, STATES)
def test_what_was_written_is_read_again(first: State, second: State) -> None:
    files: dict[str, bytes] = {}
    for before, after in ((State(), first), (first, second)):
        for path, data in differences(before, after, complete=not files).items():
            assert is_ours(path)
            if data is None:
                del files[path]
            else:
                files[path] = data
        assert read(files) == after
    assert differences(second, second, complete=False) == {}


def test_only_what_differs_is_written() -> None:
    before = State(issues={1: IssueRecord(number=1), 2: IssueRecord(number=2)})
    after = State(issues={1: IssueRecord(number=1), 2: IssueRecord(number=2, text="a")})
    assert differences(before, after, complete=False).keys() == {"issues/2.json"}
    assert differences(before, after, complete=True).keys() == {"issues/2.json", "totals.json"}
    assert differences(before, State(folded=Totals(runs=1)), complete=False).keys() == {
        "issues/1.json",
        "issues/2.json",
        "totals.json",
    }


def test_nothing_at_all_is_an_empty_state() -> None:
    assert read({}) == State()


def test_keys_of_later_versions_are_passed_over() -> None:
    claim = b'{"run":"1","colour":"red","taken_at":"%b","renewed_at":"%b","lease_seconds":600}'
    when = NOON.isoformat().encode()
    files = {
        "totals.json": b'{"format": 1, "folded": {"runs": 2, "hours": 1}, "more": {}}',
        "issues/12.json": b'{"number": 12, "claim": %b, "mood": "good"}' % (claim % (when, when)),
        "days/2026-11-21.json": b'{"day": "2026-11-21", "hours": 3}',
        "teams/1.json": b"what",
    }
    state = read(files)
    found = state.issues[12].claim
    assert found is not None
    assert found.run == "1"
    assert state.folded.runs == 2
    assert len(state.days) == 1


def test_a_later_format_is_not_guessed_at() -> None:
    files = {"totals.json": b'{"format": %d}' % (FORMAT + 1), "issues/1.json": b"<xml>"}
    with pytest.raises(
        Misconfigured, match=r"the place was written by a later version .*format 2, known is 1.*Use one"
    ):
        read(files)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("totals.json", "{}", r"totals\.json of the place is broken \(format: Field required\)\. Mend it"),
        ("totals.json", "", r"totals\.json of the place is broken"),
        ("totals.json", '{"format": 0}', "format"),
        ("issues/12.json", "[]", r"issues/12\.json of the place is broken"),
        ("issues/12.json", '{"number": 13}', r"issues/12\.json .*it is about 13"),
        ("issues/12.json", '{"number": 12, "answered": "2026-11-21T12:00:00"}', r"answered: .*timezone"),
        ("issues/12.json", '{"number": 12, "folded": {"cost_usd": "NaN"}}', r"folded\.cost_usd: "),
        ("issues/12.json", '{"number": 12, "folded": {"cost_usd": -1}}', r"folded\.cost_usd: "),
        ("days/2026-11-21.json", '{"day": "2026-11-22"}', r"days/2026-11-21\.json .*it is about 2026-11-22"),
        ("days/2026-13-21.json", '{"day": "2026-11-22"}', r"its name is no day"),
        ("days/2026-11-21.json", "\xff", r"days/2026-11-21\.json of the place is broken"),
    ],
)
def test_a_broken_file_is_named(path: str, text: str, words: str) -> None:
    files = {"totals.json": b'{"format": 1}', path: text.encode("latin-1")}
    with pytest.raises(Misconfigured, match=words) as told:
        read(files)
    assert "\n" not in str(told.value)


def test_a_lease_has_a_bound() -> None:
    """A hand-written one must neither lock an issue for good nor overflow the calendar."""
    times = f'"taken_at": "{NOON.isoformat()}", "renewed_at": "{NOON.isoformat()}"'
    issue = f'{{"number": 1, "claim": {{"run": "1", {times}, "lease_seconds": 1e300}}}}'
    with pytest.raises(Misconfigured, match=r"claim\.lease_seconds"):
        read({"totals.json": b'{"format": 1}', "issues/1.json": issue.encode()})


@pytest.mark.parametrize("path", ["issues/0.json", "issues/01.json", "issues/../1.json", "days/x.json", "README.md"])
def test_other_names_are_none_of_ours(path: str) -> None:
    assert not is_ours(path)
    assert read({"totals.json": b'{"format": 1}', path: b"?"}) == State()


def test_the_context_that_was_predicted_is_compared_only_where_both_are_known() -> None:
    runs = (
        run_record(cost=1.5, predicted_tokens=100, peak_tokens=80),
        run_record(cost=0.5, predicted_tokens=50),
        run_record(peak_tokens=70),
    )
    expected = Totals(runs=3, cost_usd=2.0, usage=Usage(output_tokens=30), predicted_tokens=100, peak_tokens=80)
    assert total(runs) == expected
    issue = IssueRecord(number=1, runs=runs, folded=expected)
    assert issue.totals.runs == 6
    assert issue.totals.cost_usd == pytest.approx(4.0)
    assert issue.totals.predicted_tokens == 200
