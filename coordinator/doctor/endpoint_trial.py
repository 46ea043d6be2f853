"""Trying one model: a single tiny tool call over the client that a run uses, and what the server says of the model."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coordinator.agent.failures import ContextOverflow, RequestRefused
from coordinator.agent.model import ModelClient, Patience, Request
from coordinator.agent.protocol import Usage
from coordinator.doctor.endpoint_card import Shelf, look_up
from coordinator.errors import BudgetExceeded, CoordinatorError, Misconfigured, Unreachable

if TYPE_CHECKING:
    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.agent.reply import Block, Message, Reply

TRIAL_SECONDS = 30.0
"""For everything that is asked for one profile."""
LONGEST_REPLY = 2_000
"""Tokens: the call itself takes some 50, but models that think do so first, and what they think counts."""

UNKNOWN = "does not know the model"
"""Words of the client's error for status 404."""

ECHO = "echo"
WORD = "ready"
_TOOL: Block = {
    "name": ECHO,
    "description": "Gives back the text that it is called with.",
    "input_schema": {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "The text to give back."}},
        "required": ["text"],
    },
}
_MESSAGE: Message = {
    "role": "user",
    "content": [{"type": "text", "text": f'Call the tool {ECHO} once, with the text "{WORD}". Write nothing else.'}],
}
_SYSTEM = "This is a test of a connection. Answer with the tool call that you are asked for."


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying one endpoint."""

    endpoint: ModelEndpoint
    answer: Reply | CoordinatorError
    """The reply, or why there is none."""
    refused: RequestRefused | None
    """Why the reply came only without ``cache_control`` and ``thinking``."""
    shelf: Shelf
    usage: Usage
    """Of all calls, the failed ones among them."""
    cost_usd: float
    seconds: float


class _Bill:
    """Adds up what the calls of a trial cost."""

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self._price = endpoint.price
        self.usage = Usage()
        self.cost_usd = 0.0

    def charge(self, usage: Usage) -> None:
        """Add one call."""
        self.usage += usage
        self.cost_usd += self._price.cost(usage)


def try_endpoint(endpoint: ModelEndpoint, *, deadline: float, patience: Patience | None = None) -> Trial:
    """Try an endpoint until `deadline`, a reading of `time.monotonic()`.

    A request is sent a second time where the first one failed in a way that may pass, and once more without the fields
    of Anthropic's own API where the server refused it with them.
    """
    started = time.monotonic()
    bill = _Bill(endpoint)
    patience = patience or Patience(tries=2, stall=TRIAL_SECONDS)
    answer, refused = _call(endpoint, bill, deadline, patience), None
    if isinstance(answer, RequestRefused) and endpoint.vendor_features:
        plain = _call(replace(endpoint, vendor_features=False), bill, deadline, patience)
        answer, refused = (answer, None) if isinstance(plain, CoordinatorError) else (plain, answer)
    return Trial(
        endpoint=endpoint,
        answer=answer,
        refused=refused,
        shelf=look_up(endpoint, deadline) if _knows_more(answer) else Shelf(),
        usage=bill.usage,
        cost_usd=bill.cost_usd,
        seconds=time.monotonic() - started,
    )


def may_not_know_the_model(fault: CoordinatorError) -> bool:
    """Whether it may be the model's name that a server refuses: some answer 404, others 400 or 422."""
    return isinstance(fault, RequestRefused) or UNKNOWN in fault.what


def _knows_more(answer: Reply | CoordinatorError) -> bool:
    """Whether a server that answered so may tell of its models: none does to a key that it refuses."""
    return not isinstance(answer, CoordinatorError) or may_not_know_the_model(answer)


def _call(endpoint: ModelEndpoint, bill: _Bill, deadline: float, patience: Patience) -> Reply | CoordinatorError:
    limit = min(LONGEST_REPLY, endpoint.max_output_tokens)
    request = Request([_MESSAGE], system=_SYSTEM, tools=[_TOOL], max_tokens=limit)
    try:
        with ModelClient(endpoint, deadline=deadline, charge=bill.charge, patience=patience) as client:
            return client.send(request)
    except ContextOverflow as error:
        return Misconfigured(error.what, mend=f"Serve {endpoint.model} with a larger window (vLLM: --max-model-len)")
    except BudgetExceeded as error:
        return error if time.monotonic() < deadline else _too_slow(endpoint)
    except CoordinatorError as error:
        return error


def _too_slow(endpoint: ModelEndpoint) -> Unreachable:
    """Return the fault of a reply that did not come whole in time: the client takes the time for that of a run."""
    return Unreachable(
        f"{endpoint.model} had not answered whole when {TRIAL_SECONDS:.0f} s were over",
        mend="Try again later; where it stays so slow, choose a faster model or a larger machine for it",
    )
