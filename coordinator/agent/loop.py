"""The agent loop: ask, run what was asked for, append, again; until a submission is judged or a limit is reached.

What the loop goes by is whether a reply has tool calls, not its stop reason: gateways are known to send ``end_turn``
together with a call (BerriAI/litellm#34692). The way out is an exception, `_Ended`, from wherever the end is seen.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from coordinator.agent.compaction import ContextCompactor, Subject
from coordinator.agent.context import ContextMonitor
from coordinator.agent.conversation import estimate_tokens
from coordinator.agent.failures import ContextOverflow, HistoryRefused
from coordinator.agent.guard import RepetitionGuard
from coordinator.agent.history import History
from coordinator.agent.model import Request
from coordinator.agent.notes import NoteTaker
from coordinator.agent.protocol import AgentResult, Ending, StopRequested, TurnReport
from coordinator.agent.reply import CUT_REASONS, EMPTY
from coordinator.agent.tools import SUBMIT, BadInput, SubmitInput, ToolResult, read_input
from coordinator.errors import BudgetExceeded, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.agent.budget import Budget
    from coordinator.agent.compaction import CompactionResult
    from coordinator.agent.model import ModelClient
    from coordinator.agent.protocol import SubmissionJudge, TurnWatcher, WorkState
    from coordinator.agent.reply import Block, Message, Reply, ToolCall
    from coordinator.agent.tools import Toolbox
    from coordinator.agent.transcript import Transcript
    from coordinator.configuration import ContextSection

FRUITLESS_REPLIES = 3
"""So many replies in a row may be without a call, cut off or paused; the next one ends the work."""
MOST_CALLS = 8
"""In one reply. Every call adds two blocks to the prompt, and the provider finds what it has cached only within the
last 20 blocks before the new end (its documentation of prompt caching). It also bounds what one turn adds."""
LONGEST_ACTIVITY = 100

NUDGE = "You called no tool. Use a tool to go on, or call submit when the work is done."
GO_ON = "Your reply was cut off by the limit on its length. Go on with a tool call, and keep replies short."
TOO_MANY_CALLS = (
    f"The call did not run: one reply may hold {MOST_CALLS} calls at most. Repeat it if it is still needed."
)
NOT_SUBMITTED = f"Nothing was submitted: the reply held more than {MOST_CALLS} calls, and not all of them ran."
ONE_SUBMIT = "Only the first submit of a reply is judged; this one was not."


class _Ended(Exception):
    """The agent step is over."""

    def __init__(self, ending: Ending, reason: str) -> None:
        super().__init__(reason)
        self.ending = ending
        self.reason = reason


def _nobody(_result: CompactionResult) -> None:
    """Tell nobody."""


class AgentLoop:
    """One agent step: one model at work on one task, in one conversation or, when its context is full, in several."""

    def __init__(
        self,
        client: ModelClient,
        tools: Toolbox,
        *,
        budget: Budget,
        transcript: Transcript,
        watcher: TurnWatcher,
        judge: SubmissionJudge,
        system: str,
        redact: Callable[[str], str],
        context: ContextSection,
        work_state: Callable[[], WorkState],
        on_reset: Callable[[CompactionResult], None] = _nobody,
    ) -> None:
        """Take the parts. `redact` masks secrets in what tools print, before the model or a log sees it.

        `context` says when the context counts as full. `work_state` is asked what a new conversation has to be told,
        and `on_reset` is told of each one.
        """
        self._client = client
        self._tools = tools
        self._budget = budget
        self._transcript = transcript
        self._watcher = watcher
        self._judge = judge
        self._system = system
        self._redact = redact
        self._on_reset = on_reset
        self._guard = RepetitionGuard()
        self._fruitless = 0
        self._summary = ""
        self._monitor = ContextMonitor.of(client.endpoint, context)
        notes = NoteTaker(client, budget=budget, system=system, tools=tools.definitions, redact=redact)
        self._compactor = ContextCompactor(notes, budget=budget, work_state=work_state)

    def trigger_compaction(self) -> None:
        """Have the history compacted before the next request, however small it is. May be called from any thread."""
        self._monitor.trigger_compaction()

    def run(self, task: str, *, opening: Sequence[Message] = (), note: str = "") -> AgentResult:
        """Work on a task until the end, whichever it is.

        `opening` is the history of a conversation that is gone on with; it ends with a message of the user. `note` is
        the last note in it that has to outlive the next reset.

        Raises `Misconfigured` when key, model or request are refused, and whatever the judge, the sandbox or the
        transcript raise: then nothing more can be done here, and what was used stands in the budget.
        """
        started = time.monotonic()
        endpoint = self._client.endpoint
        self._transcript.write("start", profile=endpoint.profile, model=endpoint.model)
        history = History(
            Subject(task, note),
            opening,
            overhead_tokens=estimate_tokens([self._system, list(self._tools.definitions)]),
            monitor=self._monitor,
            compactor=self._compactor,
            transcript=self._transcript,
            budget=self._budget,
            on_reset=self._on_reset,
        )
        try:
            while True:
                self._turn(history)
        except _Ended as end:
            ending, reason = end.ending, end.reason
        except StopRequested as stop:
            ending, reason = Ending.STOPPED, str(stop)
        except BudgetExceeded as limit:
            ending, reason = Ending.BUDGET, str(limit)
        self._transcript.write("end", ending=ending.value, reason=reason)
        return AgentResult(
            ending=ending,
            reason=reason,
            summary=self._summary,
            turns=self._budget.turns,
            usage=self._budget.usage,
            cost_usd=self._budget.cost_usd,
            seconds=time.monotonic() - started,
        )

    def _turn(self, history: History) -> None:
        """Ask once and answer every call of the reply."""
        history.make_room()
        try:
            reply = self._ask(history)
        except ContextOverflow:
            return history.overflowed()
        except HistoryRefused as error:
            return history.refused(error)
        self._budget.turns += 1
        history.append_reply(reply)
        self._summary = self._redact(reply.text) or self._summary
        self._watcher(self._report(reply, history))
        if reply.stop_reason == "refusal":
            raise _Ended(Ending.DECLINED, f"The model refused the task (category: {reply.refusal or 'none given'})")
        self._count_fruitless(reply)
        if reply.stop_reason == "pause_turn" and not reply.calls:
            return None  # the conversation is sent again as it is, and the model goes on
        answer = self._run_calls(reply, history) if reply.calls else [_text(GO_ON if _was_cut(reply) else NUDGE)]
        history.append_answer(answer)
        if self._guard.stuck:
            raise _Ended(Ending.STUCK, "The agent went on repeating a call that gives the same result, after a warning")
        if reply.stop_reason == "model_context_window_exceeded":
            history.overflowed()
        return None

    def _ask(self, history: History) -> Reply:
        conversation = history.conversation
        try:
            self._budget.check(conversation.tokens)
            return self._client.send(
                Request(
                    conversation.messages,
                    system=self._system,
                    tools=self._tools.definitions,
                    estimate=conversation.estimate,
                )
            )
        except Unreachable as error:
            raise _Ended(Ending.FAILED, str(error)) from error

    def _count_fruitless(self, reply: Reply) -> None:
        """End the work after too many replies in a row that brought nothing forward."""
        if any(not call.fault for call in reply.calls):
            self._fruitless = 0
            return
        self._fruitless += 1
        if self._fruitless > FRUITLESS_REPLIES:
            how = "were cut off or held no tool call that can run"
            raise _Ended(Ending.STUCK, f"{self._fruitless} replies in a row {how} (the last: {reply.stop_reason})")

    def _run_calls(self, reply: Reply, history: History) -> list[Block]:
        """Answer every call, in the order of the calls; the submission is judged when all others have run."""
        if len(reply.calls) > MOST_CALLS:
            return self._run_first(reply)
        submission = next((call for call in reply.calls if call.name == SUBMIT and not call.fault), None)
        results = {call.identifier: self._run(call) for call in reply.calls if call is not submission}
        ended: _Ended | None = None
        if submission is not None:
            results[submission.identifier], ended = self._submit(submission, history)
        answer = [_result(call, results[call.identifier]) for call in reply.calls]
        if ended is not None:
            history.append_answer(answer)
            raise ended
        return answer

    def _run_first(self, reply: Reply) -> list[Block]:
        """Run the first calls of too many. Nothing is submitted: the agent means a checkout in which all have run."""
        answer: list[Block] = []
        for position, call in enumerate(reply.calls):
            if call.name == SUBMIT:
                result = ToolResult(NOT_SUBMITTED, is_error=True)
            elif position < MOST_CALLS:
                result = self._run(call)
            else:
                result = ToolResult(TOO_MANY_CALLS, is_error=True)
            answer.append(_result(call, result))
        return answer

    def _run(self, call: ToolCall) -> ToolResult:
        if call.name == SUBMIT and not call.fault:
            return ToolResult(ONE_SUBMIT, is_error=True)
        result = self._tools.run(call)
        result = ToolResult(self._redact(result.text), is_error=result.is_error)
        return ToolResult(result.text + self._guard.note(call, result), is_error=result.is_error)

    def _submit(self, call: ToolCall, history: History) -> tuple[ToolResult, _Ended | None]:
        """Have the checkout judged. Returns the result of the call, and the end if this was it."""
        try:
            self._summary = self._redact(read_input(SubmitInput, call.arguments).summary)
        except BadInput as error:
            return ToolResult(f"Nothing was submitted: {error}.", is_error=True), None
        verdict = self._judge(self._summary, self._budget.turns)
        text = self._redact(verdict.text)
        self._transcript.write("verdict", accepted=verdict.accepted, final=verdict.final, text=text)
        history.judged(text)
        result = ToolResult(text, is_error=not verdict.accepted)
        if verdict.accepted:
            return result, _Ended(Ending.ACCEPTED, "The quality gates accepted the work")
        if verdict.final:
            reason = verdict.reason or "The quality gates rejected the last submission that was allowed"
            return result, _Ended(Ending.REJECTED, reason)
        return result, None

    def _report(self, reply: Reply, history: History) -> TurnReport:
        return TurnReport(
            turn=self._budget.turns,
            activity=_shortened(self._redact(_activity(reply))),
            context_tokens=history.conversation.tokens,
            context_share=history.share,
            cost_usd=self._budget.cost_usd,
            usage=self._budget.usage,
            resets=history.resets,
        )


def _was_cut(reply: Reply) -> bool:
    return reply.stop_reason in CUT_REASONS


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _result(call: ToolCall, result: ToolResult) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": call.identifier, "content": result.text or EMPTY}
    return {**block, "is_error": True} if result.is_error else block


def _activity(reply: Reply) -> str:
    """Return one line on what a reply asks for."""
    parts = [f"{call.name}: {next(iter(call.arguments.values()), '')}" for call in reply.calls]
    line = " ".join(" | ".join(parts or [reply.text or reply.stop_reason]).split())
    return "".join(letter for letter in line if letter.isprintable())


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST_ACTIVITY else f"{line[:LONGEST_ACTIVITY]}…"
