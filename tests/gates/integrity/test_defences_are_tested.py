"""Each defence of the integrity gate has a test that fails when the defence is taken out, and this is tried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutation import Change, check_all_pass, check_is_noticed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HERE = "tests/gates/integrity"
SESSION = "tests/gates/python/test_pytest_session.py"


def change(module: str, text: str, replacement: str, node: str) -> Change:
    """Return a change to a module of the gate, and the test in this folder that notices it."""
    return Change(f"gates/integrity/{module}.py", text, replacement, f"{HERE}/{node}")


def session(text: str, replacement: str, node: str) -> Change:
    return Change("gates/python/pytest_session.py", text, replacement, f"{SESSION}::{node}")


DEFENCES: dict[str, Change] = {
    "a canary has a name that nobody can guess": change(
        "canary",
        '"".join(secrets.choice(string.ascii_lowercase) for _ in range(16))',
        '"abcdefgh"',
        "test_canary.py::test_nobody_can_guess_them",
    ),
    "a canary that passed is a lie": change(
        "canary",
        'if case.outcome == "passed":',
        "if False:",
        "test_canary.py::test_another_outcome_is_a_lie[passed-passed]",
    ),
    "a canary that was skipped is a lie": change(
        "canary",
        'if case.outcome == "skipped":',
        "if False:",
        "test_canary.py::test_another_outcome_is_a_lie[skipped-skipped]",
    ),
    "a canary fails by its own words": change(
        "canary",
        'case.outcome == "failure" and self.said in f"{case.message}{case.text}"',
        'case.outcome == "failure"',
        "test_canary.py::test_another_failure_than_its_own_does_not_count",
    ),
    "a canary that is not there is missed": change(
        "canary",
        "if others.cases and (missed or not failed):",
        "if False:",
        "test_canary.py::test_a_session_that_is_ended_early_is_seen",
    ),
    "only the exit code that was asked for is believed": change(
        "canary",
        "if failed and exit_code != signal and exit_code in {0, NO_TESTS}:",
        "if False:",
        "test_canary.py::test_a_process_that_leaves_with_a_good_exit_code_is_seen",
    ),
    "the tests do not see the canaries": session(
        "Path(session.config.rootpath, name).unlink(missing_ok=True)",
        "pass",
        "test_nothing_but_the_canary_failed",
    ),
    "no plugin of the tree is loaded": session(
        "self.hidden.hide()",
        "pass",
        "test_a_plugin_that_lies_in_the_tree_is_not_loaded[src]",
    ),
    "nor one that is reached by a link from outside": session(
        "for place in (named, named.resolve())",
        "for place in (named,)",
        "test_a_plugin_that_lies_in_the_tree_is_not_loaded[../elsewhere]",
    ),
    "nor one that a link of the tree leads to": session(
        "for place in (named, named.resolve())",
        "for place in (named.resolve(),)",
        "test_a_plugin_that_lies_in_the_tree_is_not_loaded[src]",
    ),
    "a test that is gone is missed": change(
        "inventory",
        "gone = {test for test in passed if test not in now}",
        "gone: set[str] = set()",
        "test_inventory.py::test_a_removed_test_needs_a_person",
    ),
    "a test that is skipped is missed": change(
        "inventory",
        'SILENCED = {"skipped": (SKIP, "skipped"), "xfailed": (XFAIL, "expected to fail")}',
        'SILENCED = {"xfailed": (XFAIL, "expected to fail")}',
        "test_inventory.py::test_a_skipped_test_is_shown_at_its_line",
    ),
    "a new name needs the same body": change(
        "inventory",
        "there = homes[body.content] if body else []",
        "there = [name for names in homes.values() for name in names]",
        "test_inventory.py::test_a_renamed_test_is_known_by_its_body[new2-now2-attention]",
    ),
    "one new test is the new name of one alone": change(
        "inventory",
        "there.remove(fitting[0])",
        "pass",
        "test_inventory.py::test_one_new_test_is_the_new_name_of_one_old_test",
    ),
    "tests that did not end are not compared": change(
        "inventory",
        "if outcome.report is None or outcome.result.exit_code not in FINISHED:",
        "if outcome.report is None:",
        "test_inventory.py::test_a_head_whose_tests_do_not_end_cannot_be_compared[2-False-Unreachable]",
    ),
    "tests that were stopped are not compared": change(
        "inventory",
        "if outcome.cut:",
        "if False:",
        "test_inventory.py::test_a_head_whose_tests_do_not_end_cannot_be_compared[1-True-NotFinished]",
    ),
    "the base's tests are the base's": change(
        "base_tests",
        "old = {path: read_below(self.base, path, FILE_LIMIT) for path in changed}",
        "old: dict[str, bytes | None] = {}",
        "test_base_tests.py::test_an_assertion_that_was_changed_to_fit_needs_a_person[changed0]",
    ),
    "a changed helper touches its tests": change(
        "base_tests",
        "return any(self._serves(name, path) for name in helpers)",
        "return False",
        "test_base_tests.py::test_a_helper_that_asserts_less_is_put_back_for_it",
    ),
    "a new conftest touches them, too": change(
        "base_tests",
        'if is_new and PurePosixPath(helper).name != "conftest.py":',
        "if is_new:",
        "test_base_tests.py::test_a_conftest_that_is_new_is_taken_away_for_it",
    ),
    "a base test gets a second try": change(
        "base_tests",
        "for _ in range(2):",
        "for _ in range(1):",
        "test_base_tests.py::test_a_base_test_that_fails_by_chance_is_tried_once_more",
    ),
    "many failures are no chance": change(
        "flaky",
        "if len(unclear) > MOST_RETRIED:",
        "if False:",
        "test_flaky.py::test_many_failures_are_no_chance",
    ),
    "a new test is not forgiven": change(
        "flaky",
        "unclear = {test for test in failed - not_ours if test in known}",
        "unclear = failed - not_ours",
        "test_flaky.py::test_a_new_test_gets_no_second_look",
    ),
    "a mutant has to be noticed": change(
        "mutation",
        "return outcome.result.exit_code not in SILENT",
        "return True",
        "test_mutation.py::test_a_test_that_asserts_nothing_is_seen",
    ),
    "one mutant is gone before the next comes": change(
        "mutation",
        "        finally:\n            self._put(mutant.path, data)",
        "        finally:\n            pass",
        "test_mutation.py::test_one_mutant_is_gone_before_the_next_comes[more.py]",
    ),
    "sources in a folder of tests have mutants": change(
        "mutation",
        "if layout.is_source(path, places):",
        "if layout.is_source(path, places) and not layout.is_on_test_side(path, places):",
        "test_mutation.py::test_what_lies_in_a_folder_of_tests_is_judged_by_its_file[more.py-seen0]",
    ),
    "helpers in a file of tests have mutants": change(
        "mutation",
        "elif layout.is_test_file(path) and is_below(path, places):",
        "elif False:",
        "test_mutation.py::test_what_lies_in_a_folder_of_tests_is_judged_by_its_file[test_more.py-seen1]",
    ),
    "a run that is not believed has no witnesses": change(
        "mutation",
        "if outcome.cut or self._is_doubted(outcome) or not passed:",
        "if outcome.cut or not passed:",
        "test_mutation.py::test_a_run_that_is_not_believed_says_nothing_about_mutants[exit-False]",
    ),
    "both sides of a condition are tried first": change(
        "mutants",
        'yield from ((node, side, "conditional") for side in (node.body, node.orelse))',
        "yield from ()",
        "test_mutation.py::test_both_sides_of_a_condition_come_first",
    ),
    "what mypy leaves out is counted": change(
        "census",
        "*reached(source, tree), *unchecked(source, tree))",
        "*reached(source, tree))",
        "test_unchecked.py::test_more_in_a_branch_that_was_there_counts",
    ),
    "some kinds count in the packages only": change(
        "census",
        "if is_source or each.kind not in OF_SOURCES",
        "if each.kind",
        "test_census.py::test_every_kind_of_sources_counts_there_alone",
    ),
    "only what is more than before counts": change(
        "growth",
        "number = min(grown, sum(each.weight for each in fresh))",
        "number = sum(each.weight for each in fresh)",
        "test_census.py::test_only_what_is_more_than_before_counts",
    ),
    "what was moved is used up": change(
        "growth",
        "            gone[key] -= 1\n",
        "            pass\n",
        "test_census.py::test_what_was_moved_to_another_file_is_no_new_one",
    ),
    "a budget is for the whole change": change(
        "census",
        "totals[each.kind] += each.number",
        "totals[each.kind] = each.number",
        "test_census.py::test_a_budget_is_for_the_whole_change",
    ),
    "an encoding cannot hide the code": change(
        "sources",
        "if encoding not in ENCODINGS:",
        "if False:",
        "test_census.py::test_what_cannot_be_read_needs_a_person[file0-it is in utf-7]",
    ),
    "a link is no source": change(
        "census",
        'raise Unreadable("it is a symbolic link")',
        "pass",
        "test_census.py::test_what_cannot_be_read_needs_a_person[file5-it is a symbolic link]",
    ),
    "a file is protected by its name": change(
        "protected",
        "why = by_name(path) or self._shadows(path)",
        "why = self._shadows(path)",
        "test_protected.py::test_a_new_one_needs_a_person[conftest.py]",
    ),
    "a file is protected by what it takes the place of": change(
        "protected",
        "why = by_name(path) or self._shadows(path)",
        "why = by_name(path)",
        "test_protected.py::test_a_new_one_needs_a_person[pytest.py]",
    ),
    "installed packages are protected": change(
        "protected",
        '("node_modules", INSTALLED),',
        "",
        "test_protected.py::test_a_new_one_needs_a_person[node_modules/jest/index.js]",
    ),
    "the manifests of other languages are looked into": change(
        "tables",
        "if is_shared_file(path) or _parts(path))",
        "if is_shared_file(path))",
        "test_tables.py::test_it_is_said_by_which_rules_the_tree_was_judged",
    ),
    "a link in the place of a table is named": change(
        "tables",
        "if old == new and not file.is_link:",
        "if old == new:",
        "test_tables.py::test_a_link_in_its_place_is_named",
    ),
    "a pragma does not help": change(
        "changed_lines",
        "        | _by_comment(source, frozenset(report.excluded_lines), added, excluded),",
        "        | frozenset(),",
        "test_changed_lines.py::test_a_pragma_does_not_help",
    ),
    "a file that the report does not know was not run": change(
        "changed_lines",
        "return ChangedFile(file.path, frozenset(), _statements(source) & added)",
        "return ChangedFile(file.path, frozenset(), frozenset())",
        "test_changed_lines.py::test_a_file_that_the_report_does_not_know_counts_by_its_statements",
    ),
    "silenced violations are counted without their comments": change(
        "suppressed",
        "silenced = self._report(tool, IGNORE_NOQA)",
        "silenced = self._report(tool)",
        "test_suppressed.py::test_a_hidden_file_is_looked_at_all_the_same",
    ),
    "a check that could not be done never passes": change(
        "gate",
        "if faults:",
        "if False:",
        "test_gate.py::test_a_check_that_could_not_be_done_is_an_error_that_names_it",
    ),
    "a name cannot waive more than it shows": change(
        "findings",
        '"?" if mark == ANYTHING or not mark.isprintable() else mark',
        "mark",
        "test_gate.py::test_a_file_cannot_be_called_so_that_its_waiver_waives_more[*-?]",
    ),
    "a base that does not hold is not made to": change(
        "base_run",
        "if not is_about_strictness(outcome):",
        "if True:",
        "test_base_run.py::test_a_known_base_saves_the_strict_try",
    ),
    "a run that did not end is not kept": change(
        "base_records",
        "if self._files is not None and not record.fault:",
        "if self._files is not None:",
        "test_base_run.py::test_a_run_that_did_not_end_is_forgotten_with_the_process",
    ),
    "the answer of the base is one to the same question": change(
        "base_run",
        "content_digest(self._base), ",
        "",
        "test_base_run.py::test_another_question_has_another_answer",
    ),
}


def test_with_all_defences_they_pass(tmp_path: Path) -> None:
    check_all_pass(tmp_path, *[each.node for each in DEFENCES.values()])


@pytest.mark.parametrize("name", DEFENCES)
def test_without_the_defence_its_test_fails(tmp_path: Path, name: str) -> None:
    check_is_noticed(tmp_path, DEFENCES[name])
