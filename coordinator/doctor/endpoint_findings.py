"""What a trial of a model says: a finding for each thing that a run needs of it, and what to set where it lacks."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from coordinator.agent.failures import host
from coordinator.agent.protocol import Price
from coordinator.doctor.endpoint_trial import ECHO, UNKNOWN, may_not_know_the_model
from coordinator.doctor.models import Finding, bad, doubtful, good
from coordinator.errors import CoordinatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.agent.reply import Reply
    from coordinator.doctor.endpoint_trial import Trial

MOST_NAMED = 8
"""Models that one line names: gateways have hundreds."""
LONGEST_QUOTE = 80

_NO_TOOLS = (
    "Serve the model with its tool calls read (vLLM: --enable-auto-tool-choice and the --tool-call-parser of this "
    "model), or choose a model that calls tools"
)
_CUT = (
    "Find what cuts the stream before its message_stop: the server's own log, or a proxy before it (its time limit for "
    "an answer, its buffering)"
)
_OTHER_STREAM = (
    "Update the server, or put a gateway before it: its stream is not that of the Messages API (events with names, "
    "usage in message_start and message_delta, stop_reason, message_stop)"
)
_BROKEN_STREAMS = (
    ("ended before the reply did|RemoteProtocolError|ReadError", _CUT),
    ("input of a tool call in it is incomplete|Unable to parse tool parameter", _NO_TOOLS),
    ("AssertionError|AttributeError|IndexError|TypeError|ValueError|JSONDecodeError|UnusableReply", _OTHER_STREAM),
)
"""Words in the fault of a stream that broke every time, and what to do about it."""


def trial_findings(trial: Trial) -> Iterator[Finding]:
    """Give what was found out about one profile; each finding is named by the profile and what it is about."""
    for about, finding in _findings(trial):
        yield finding.model_copy(update={"name": f"{trial.endpoint.profile} {about}"})


def _findings(trial: Trial) -> Iterator[tuple[str, Finding]]:
    answer = trial.answer
    if isinstance(answer, CoordinatorError):
        yield "endpoint", bad(answer.what, _mend(trial, answer))
    else:
        yield "endpoint", good(f"{host(trial.endpoint)} answers and knows {trial.endpoint.model}")
        yield from _answered(trial, answer)
    yield from (("window", finding) for finding in _card(trial))
    if trial.usage.total_tokens:
        yield "trial", good(f"{trial.seconds:.1f} s, {trial.usage.total_tokens} tokens, {trial.cost_usd:.6f} dollars")


def _mend(trial: Trial, fault: CoordinatorError) -> str:
    """Return what to do about a fault: often more is known here than in the middle of a run."""
    endpoint, shelf = trial.endpoint, trial.shelf
    if shelf.names and shelf.card is None and may_not_know_the_model(fault):
        return f"Set agents.{endpoint.profile}.model to one that is there: {_nearest(endpoint.model, shelf.names)}"
    if endpoint.base_url.endswith("/v1") and UNKNOWN in fault.what:
        return "Leave out the /v1 at the end of the address: /v1/messages is added to it"
    broken = fault.what.partition("at last with")[2]
    cut_later = bool(trial.usage.total_tokens)
    mends = (mend for words, mend in _BROKEN_STREAMS if re.search(words, broken) and (cut_later or mend != _CUT))
    return next(mends, fault.mend)


def _nearest(wanted: str, names: tuple[str, ...]) -> str:
    """Name some of the models that are there, those first whose names are most like the one that is not."""
    near = difflib.get_close_matches(wanted, names, n=MOST_NAMED)
    shown = [*near, *(name for name in names if name not in near)][:MOST_NAMED]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _answered(trial: Trial, reply: Reply) -> Iterator[tuple[str, Finding]]:
    yield "tool call", _tool_call(reply)
    yield "stream", good("came whole, to its message_stop")
    yield "usage", _usage(reply)
    if trial.endpoint.vendor_features:
        yield "thinking", _vendor_fields(trial)
        yield "cache", _cache(reply)
    yield "price", _price(trial.endpoint)


def _tool_call(reply: Reply) -> Finding:
    if reply.stop_reason == "refusal":
        return bad(f"the model declined the trial ({reply.refusal or 'no reason given'})", "Choose another model")
    if not reply.calls:
        said = " ".join(reply.text.split())[:LONGEST_QUOTE]
        return bad(f"the tool was not called, the answer was {said!r} ({reply.stop_reason})", _NO_TOOLS)
    call = reply.calls[0]
    if call.fault is not None:
        return bad(f"the tool was called, but {call.fault}", _NO_TOOLS)
    if call.name != ECHO:
        return bad(f"a tool was called that there is not: {call.name[:LONGEST_QUOTE]}", _NO_TOOLS)
    if not isinstance(call.arguments.get("text"), str):
        return bad(
            f'the tool was called with {str(call.arguments)[:LONGEST_QUOTE]} in place of {{"text": …}}', _NO_TOOLS
        )
    return good("came back as tool_use with valid input")


def _usage(reply: Reply) -> Finding:
    turns = "Limit runs by budget.run.turns and budget.run.minutes as well, or have the server count"
    if reply.estimated:
        return doubtful("the server counts no tokens, so budget and context go by estimates", turns)
    if not reply.usage.output_tokens:
        return doubtful("the server counts no tokens of replies, so the budget sees only prompts", turns)
    return good(f"counted, {reply.usage.prompt_tokens} tokens in and {reply.usage.output_tokens} out")


def _vendor_fields(trial: Trial) -> Finding:
    if trial.refused is None:
        return good("not refused, nor is cache_control")
    mend = (
        f"Set agents.{trial.endpoint.profile}.base_url in the configuration to {trial.endpoint.base_url}: a profile "
        "with an address of its own is called without these fields"
    )
    return bad(f"answers only without thinking and cache_control; with them {trial.refused.what}", mend)


def _cache(reply: Reply) -> Finding:
    cached = reply.usage.cache_read_tokens + reply.usage.cache_write_tokens
    if cached:
        return good(f"counted, {cached} tokens")
    return good("not used: so short a prompt need not be cached")


def _price(endpoint: ModelEndpoint) -> Finding:
    price = endpoint.price
    if price == Price():
        return good("0, so budget.run.dollars never ends a run; tokens, turns and minutes do")
    return good(f"{price.input:g} dollars per million tokens in, {price.output:g} out")


def _card(trial: Trial) -> Iterator[Finding]:
    """Compare what the server says of the model with what the profile counts on."""
    card, endpoint = trial.shelf.card, trial.endpoint
    if card is None:
        if not isinstance(trial.answer, CoordinatorError):
            yield good(f"not told by the server; the profile uses {endpoint.context_limit} tokens")
        return
    section = f"agents.{endpoint.profile}"
    if card.window and card.window < endpoint.context_limit:
        found = f"the server's window is {card.window} tokens, context_limit is {endpoint.context_limit}"
        yield doubtful(found, f"Set {section}.context_limit to at most {card.window}")
    elif card.window:
        yield good(f"{card.window} tokens, of which the profile uses {endpoint.context_limit}")
    if card.max_tokens and card.max_tokens < endpoint.max_output_tokens:
        found = f"one reply may have {card.max_tokens} tokens, max_output_tokens is {endpoint.max_output_tokens}"
        yield bad(found, f"Set {section}.max_output_tokens to at most {card.max_tokens}")
    if card.lifecycle in {"deprecated", "retired"}:
        when = f", its end is {card.retires_at[:10]}" if card.retires_at else ""
        yield doubtful(f"{endpoint.model} is {card.lifecycle}{when}", f"Set {section}.model to a newer one")
