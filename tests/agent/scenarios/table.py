"""The fifty ways in which work with a model goes wrong, what is expected then, and the tests that show it."""

from __future__ import annotations

from typing import NamedTuple


class Scenario(NamedTuple):
    """What happens, what is expected then, and the tests that show it: module below `tests`, and function."""

    happens: str
    expected: str
    nodes: tuple[str, ...]


def shown_by(module: str, *names: str) -> tuple[str, ...]:
    """Name tests of one module."""
    return tuple(f"{module}.py::test_{name}" for name in names)


API = "agent/scenarios/test_failing_api"
REPLIES = "agent/scenarios/test_replies"
NEW = "agent/scenarios/test_new_conversations"
LIMITS = "agent/scenarios/test_limits"
CHECKOUT = "agent/scenarios/test_work_in_the_checkout"
LOOP = "agent/test_loop"
MODEL = "agent/test_model"
COMPACTION = "agent/test_compaction"

SCENARIOS: dict[int, Scenario] = {
    1: Scenario(
        "a rate limit that ends within the run's time",
        "just that wait, the same request again, and no command twice",
        (
            *shown_by(API, "a_wait_that_the_server_asks_for_is_kept_and_nothing_runs_twice"),
            *shown_by(MODEL, "retry_after_is_waited_for"),
        ),
    ),
    2: Scenario(
        "a rate limit that ends after the run's time",
        "no wait at all; the work is safe and can go on",
        (
            *shown_by(API, "a_wait_beyond_the_time_limit_is_not_begun_and_the_work_can_go_on"),
            *shown_by("run/test_budgets", "a_wait_beyond_the_deadline_is_not_begun_and_the_work_is_safe"),
        ),
    ),
    3: Scenario(
        "an overloaded server, a server error, a proxy's error page",
        "longer and longer waits, so many tries and no more, and an end from which the work goes on",
        (
            *shown_by(
                API,
                "a_failure_that_stays_is_tried_with_longer_waits_and_then_ends_the_work_so_that_it_can_go_on",
                "a_part_of_a_wait_is_left_out_at_random_so_that_runs_do_not_come_back_all_at_once",
            ),
            *shown_by(MODEL, "a_passing_failure_is_tried_again"),
        ),
    ),
    4: Scenario(
        "a request that is wrong, a key that is refused, an account without credit, a model that is unknown",
        "no second try, profile and model by name, and never the key",
        (
            *shown_by(MODEL, "what_a_person_must_mend_is_not_tried_again", "a_key_that_the_api_repeats_is_not_shown"),
            *shown_by(
                "cli/test_work", "a_refused_key_names_profile_and_variable", "an_unknown_model_names_the_setting"
            ),
        ),
    ),
    5: Scenario(
        "a connection that is reset in the middle of a reply",
        "nothing of the reply is run or kept, and it is asked for again",
        shown_by(API, "of_a_reply_that_breaks_off_nothing_runs_and_nothing_is_kept"),
    ),
    6: Scenario(
        "a stream that ends in order, but before its last event",
        "the same",
        shown_by(API, "of_a_reply_that_breaks_off_nothing_runs_and_nothing_is_kept"),
    ),
    7: Scenario(
        "an empty stream, broken JSON, no usage, a block that was never begun",
        "the same, and not without end",
        (
            *shown_by(API, "of_a_reply_that_breaks_off_nothing_runs_and_nothing_is_kept"),
            *shown_by(MODEL, "streams_that_always_break_end_after_the_tries"),
        ),
    ),
    8: Scenario(
        "an error that comes as an event of the stream, under status 200",
        "what its kind asks for, as with a status",
        (
            *shown_by(
                API, "a_failure_that_stays_is_tried_with_longer_waits_and_then_ends_the_work_so_that_it_can_go_on"
            ),
            *shown_by(MODEL, "an_error_in_the_stream_counts_as_its_status"),
        ),
    ),
    9: Scenario(
        "nobody who listens, or no answer",
        "tries with waits, then an end that names the address",
        (
            *shown_by(API, "nobody_listens", "a_stream_that_stalls_is_ended_long_before_that_and_asked_again"),
            *shown_by(MODEL, "a_server_that_never_answers_times_out"),
        ),
    ),
    10: Scenario(
        "a stream of pings, or one that falls silent",
        "it is ended, at the latest with the time of the run",
        shown_by(
            API,
            "a_stream_that_brings_nothing_ends_with_the_time_of_the_run",
            "a_stream_that_stalls_is_ended_long_before_that_and_asked_again",
        ),
    ),
    11: Scenario(
        "a login page in place of a reply",
        "an end at once, with the words of the page",
        (
            *shown_by(API, "a_page_in_place_of_a_reply_ends_the_work_with_its_words"),
            *shown_by(MODEL, "what_is_no_stream_is_fatal_and_shown"),
        ),
    ),
    12: Scenario(
        "a call that the output limit cuts off",
        "it does not run, the model is told to be shorter, and three in a row are the end",
        shown_by(
            LOOP,
            "the_call_that_was_cut_off_does_not_run",
            "a_submit_that_was_cut_off_is_not_judged",
            "cut_calls_in_a_row_end_the_work",
        ),
    ),
    13: Scenario(
        "a text that the output limit cuts off",
        "it is continued, and not without end",
        (
            *shown_by(LOOP, "text_that_was_cut_off_is_continued"),
            *shown_by(REPLIES, "text_that_is_cut_off_again_and_again_ends_the_work"),
        ),
    ),
    14: Scenario(
        "a model that refuses the task",
        "the end, with the category; the same is not asked again",
        (
            *shown_by(LOOP, "a_refusal_ends_the_work_with_its_category"),
            *shown_by("cli/test_work", "a_model_that_refuses_the_task_ends_the_work"),
        ),
    ),
    15: Scenario(
        "a turn that the server pauses",
        "it is sent back unchanged, and not without end",
        shown_by(LOOP, "a_paused_turn_is_sent_again_as_it_is", "pauses_continue_one_message_and_are_bounded"),
    ),
    16: Scenario(
        "a reply without a call, or with nothing in it",
        "three reminders, then the end",
        shown_by(LOOP, "a_reply_without_a_call_is_nudged_three_times_at_most"),
    ),
    17: Scenario(
        "a call under the stop reason of a finished turn",
        "it runs",
        shown_by(LOOP, "a_call_runs_also_under_the_stop_reason_end_turn"),
    ),
    18: Scenario(
        "a call of a tool that was not offered",
        "an answer that names those that were",
        shown_by(REPLIES, "a_reply_full_of_faults_is_answered_call_by_call"),
    ),
    19: Scenario(
        "an input that lacks a field, has a wrong one, or is a string",
        "an answer that names the field; a string is read as JSON once",
        (
            *shown_by(REPLIES, "a_reply_full_of_faults_is_answered_call_by_call"),
            *shown_by(LOOP, "an_input_that_is_a_string_is_parsed_once"),
            *shown_by("agent/test_tools", "bad_input_of_bash_names_the_field"),
        ),
    ),
    20: Scenario(
        "several calls in one reply, and a bad one among them",
        "one answer to each, in their order, in one message",
        (
            *shown_by(LOOP, "every_call_gets_one_result_in_the_order_of_the_calls"),
            *shown_by(REPLIES, "a_reply_full_of_faults_is_answered_call_by_call"),
        ),
    ),
    21: Scenario(
        "two calls under one id",
        "never two answers to one id",
        shown_by(
            REPLIES,
            "of_two_calls_with_one_id_none_runs_and_the_reply_is_asked_for_again",
            "an_id_that_a_later_reply_uses_again_is_told_in_words_when_the_api_minds",
        ),
    ),
    22: Scenario(
        "a prompt that the server finds too long, in the words of several servers",
        "a new conversation without another call, and the task whole",
        (
            *shown_by(COMPACTION, "an_overflow_that_the_server_tells_of_is_rotated_without_another_call"),
            *shown_by(NEW, "an_overflow_in_the_words_of_another_server_is_one_too"),
            *shown_by(MODEL, "an_overflow_is_known_by_its_text", "a_real_overflow_of_the_window_is_seen"),
        ),
    ),
    23: Scenario(
        "a reply that the window cuts off",
        "the same, and the call that was cut does not run",
        shown_by(COMPACTION, "a_reply_that_fills_the_window_is_rotated_and_its_cut_call_does_not_run"),
    ),
    24: Scenario(
        "one result that leads from well below the limit beyond it",
        "it is counted before the next request",
        (
            *shown_by(COMPACTION, "one_large_result_is_counted_before_the_next_request"),
            *shown_by(NEW, "what_one_reply_adds_is_counted_before_the_server_has_to_refuse_it"),
        ),
    ),
    25: Scenario(
        "a server that counts no tokens",
        "an estimate in their place",
        (
            *shown_by(COMPACTION, "where_the_server_counts_nothing_the_size_is_estimated"),
            *shown_by(MODEL, "usage_that_is_not_counted_is_estimated"),
        ),
    ),
    26: Scenario(
        "a context that is four fifths full",
        "one note, and a new conversation that is at least 40 % smaller, with task, changes and verdict",
        shown_by(
            COMPACTION,
            "crossing_the_threshold_asks_for_one_note_and_goes_on_in_a_new_conversation",
            "the_last_verdict_is_told_also_where_nobody_else_knows_it",
        ),
    ),
    27: Scenario(
        "a note that fails, is empty, is refused, calls tools, or is too much for the window",
        "the new conversation is made of what is known, and nothing is lost",
        (
            *shown_by(
                COMPACTION,
                "without_a_note_the_work_goes_on_from_what_is_known",
                "a_reply_that_calls_a_tool_is_asked_once_more",
            ),
            *shown_by(NEW, "until_the_note_is_there_nothing_of_the_old_conversation_is_given_up"),
        ),
    ),
    28: Scenario(
        "a task that is too large, or a new conversation hardly smaller than the old one",
        "an end that tells the sizes, and no circle",
        shown_by(
            COMPACTION,
            "a_task_that_is_too_large_costs_nothing_and_is_told_with_sizes",
            "a_reset_that_would_free_too_little_ends_the_work_and_is_not_repeated",
            "resets_without_end_are_ended",
        ),
    ),
    29: Scenario(
        "a second and a third note",
        "the task still word for word, and one note in place of the one before",
        shown_by(COMPACTION, "the_second_and_third_note_take_the_place_of_the_one_before"),
    ),
    30: Scenario(
        "thoughts that are signed over all that stood before them",
        "none of them in a new conversation",
        shown_by(NEW, "no_thought_of_the_old_conversation_is_sent_in_the_new_one"),
    ),
    31: Scenario(
        "a conversation that another model goes on with",
        "it is told in words",
        (
            *shown_by(NEW, "another_model_is_told_of_the_conversation_in_words"),
            *shown_by("run/test_resume", "another_model_is_told_in_words"),
        ),
    ),
    32: Scenario(
        "gates that reject, and accept later",
        "what they say is the answer to the submission, and the work goes on",
        shown_by(LOOP, "a_rejection_is_the_result_of_submit_and_the_work_goes_on"),
    ),
    33: Scenario(
        "gates that always reject",
        "an end after so many submissions, which exit code and report tell from success",
        (
            *shown_by(LOOP, "the_last_rejection_ends_the_work"),
            *shown_by(
                "run/test_budgets", "gates_that_always_fail_end_the_run_after_as_many_submissions_as_are_allowed"
            ),
            *shown_by("cli/test_work", "rejected_as_often_as_allowed_is_a_draft_that_says_not_done"),
        ),
    ),
    34: Scenario(
        "a submission among other calls",
        "the others first, then the gates, once",
        shown_by(LOOP, "submit_runs_after_the_other_calls_of_its_reply_and_once"),
    ),
    35: Scenario(
        "turns, money, tokens or time that come to their end",
        "no call more; the work is pushed and can go on",
        (
            *shown_by(
                LIMITS,
                "the_call_that_would_exceed_a_limit_is_not_made",
                "time_that_a_command_has_used_up_is_noticed_before_the_next_call",
            ),
            *shown_by("run/test_budgets", "a_run_stops_before_the_call_that_would_exceed_a_limit"),
            *shown_by("cli/test_resume", "a_spent_budget_leaves_what_the_next_run_needs"),
        ),
    ),
    36: Scenario(
        "a command that does not end, or leaves something running, in its session or in another",
        "an answer in time with what was printed, and no process left",
        shown_by(CHECKOUT, "no_command_holds_up_the_work_and_none_of_its_processes_is_left"),
    ),
    37: Scenario(
        "output of 50 MB, in one line, of no text, with colours",
        "memory within bounds; beginning and end are shown, and where the rest is",
        shown_by(
            CHECKOUT,
            "output_without_end_is_bounded_in_memory_in_the_prompt_and_on_disk",
            "a_long_output_can_be_read_again_in_its_file",
        ),
    ),
    38: Scenario(
        "a command that asks a person: input, pager, password",
        "the end of input at once",
        shown_by(CHECKOUT, "nothing_waits_for_a_person"),
    ),
    39: Scenario(
        "a command that prints the environment, or a secret",
        "no key is in the environment, and none is in prompt, transcript or log",
        (
            *shown_by(LOOP, "secrets_that_a_command_prints_reach_neither_model_nor_transcript_nor_report"),
            *shown_by("cli/test_processes", "no_key_comes_out_anywhere"),
        ),
    ),
    40: Scenario(
        "the same call with the same result four times",
        "a warning, then the end",
        shown_by(
            LOOP, "the_same_call_with_the_same_result_is_warned_and_then_ended", "a_warning_that_is_heeded_is_forgotten"
        ),
    ),
    41: Scenario(
        "a kill between call and result, or in the middle of a line of the transcript",
        "each open call is answered, and none runs again",
        (
            *shown_by(NEW, "calls_that_a_kill_left_open_are_answered_and_not_run_again"),
            *shown_by("agent/test_replay", "it_may_be_torn_at_every_byte"),
            *shown_by("run/test_resume", "a_killed_run_goes_on_in_the_same_conversation"),
        ),
    ),
    42: Scenario(
        "a run that is told to end during a call, a wait, a command",
        "the end within five seconds, no process left, a whole transcript from which the work goes on",
        (
            *shown_by("cli/test_resume", "a_run_that_is_told_to_end_while_it_waits_for_the_model_goes_on_later"),
            *shown_by("cli/test_processes", "a_run_that_is_told_to_end_saves_the_work_and_says_so"),
            *shown_by("run/test_resume", "a_run_that_is_told_to_end_in_the_middle_of_a_command_answers_its_call_later"),
        ),
    ),
    43: Scenario(
        "a branch that somebody has pushed to meanwhile",
        "the model is told, and what it is told of the checkout is read anew",
        shown_by("run/test_resume", "a_branch_that_somebody_has_pushed_to_wins"),
    ),
    44: Scenario(
        "an edit without a match, with several, outside the checkout, through a link, in a file with other line ends",
        "the reason as the answer, and no file changed",
        (
            *shown_by(CHECKOUT, "an_edit_that_cannot_be_made_says_why_and_changes_nothing"),
            *shown_by("agent/test_tools", "edit_stays_in_the_checkout", "edit_keeps_the_line_ends_of_a_file"),
        ),
    ),
    45: Scenario(
        "a text of the repository that gives orders",
        "it is data: no right and no rule changes, and the gates decide",
        shown_by(CHECKOUT, "what_the_repository_says_is_data_and_the_gates_decide"),
    ),
    46: Scenario(
        "requests to servers that are only compatible",
        "plain tools with a schema, and no field of the vendor",
        (
            *shown_by(LOOP, "a_compatible_server_gets_plain_requests"),
            *shown_by(COMPACTION, "a_compatible_server_gets_plain_requests_after_a_reset_too"),
            *shown_by("cli/test_profiles", "the_job_is_done_by_each_agent_with_its_own_model_limit_key_and_fields"),
        ),
    ),
    47: Scenario(
        "two requests, one after the other",
        "the second begins with the first, byte for byte",
        (
            *shown_by(LOOP, "requests_share_their_beginning_byte_for_byte"),
            *shown_by(COMPACTION, "the_note_costs_only_what_is_new_as_its_request_continues_the_one_before"),
        ),
    ),
    48: Scenario(
        "a stray address or key in the environment",
        "what the profile says counts",
        (
            *shown_by(MODEL, "stray_variables_change_nothing"),
            *shown_by("cli/test_profiles", "stray_variables_never_win"),
        ),
    ),
    49: Scenario(
        "prices by tier, for cache and none, and models that cost nothing",
        "the sum to the cent",
        (
            *shown_by(
                LIMITS,
                "every_call_is_paid_at_its_own_price_to_the_cent",
                "a_model_that_costs_nothing_is_limited_by_its_tokens_alone",
            ),
            *shown_by("agent/test_records", "every_call_is_priced_by_itself"),
        ),
    ),
    50: Scenario(
        "a disk that is full, a transcript that cannot be written",
        "the end before the next command",
        (
            *shown_by("agent/test_resume", "a_full_disk_ends_the_work_before_the_next_command"),
            *shown_by("cli/test_resume", "a_transcript_that_cannot_be_written_stops_the_run_before_anything_runs"),
        ),
    ),
}
