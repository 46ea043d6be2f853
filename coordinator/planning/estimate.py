"""How many tokens of context an issue will need, counted on the real files.

Bytes become tokens at 3 to 1. Anthropic's glossary gives 3.5 English characters for a token; program text and the
tokenizers since Claude 4.7 make more of it. The other numbers are ours, and follow from what the agent step does:
one tool result shows at most some ten thousand characters, so that a turn adds about a thousand tokens on average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.protocol import Usage
from coordinator.planning.file_index import FileIndex, is_source
from coordinator.planning.models import ContextEstimate, Difficulty
from coordinator.planning.show import thousands

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coordinator.planning.file_index import Reader
    from coordinator.planning.models import AgentProfile

BYTES_PER_TOKEN = 3
CONVERSATION_TOKENS = 20_000
"""The system prompt, the tools, and about twenty turns."""
TURNS = 20
REPLY_TOKENS = 500
"""Of one turn: a command or an edit, and what is thought before it."""
MOST_BYTES_OF_FILE = 60_000
"""Of a longer file the agent reads the parts that it needs."""
MOST_NAMED = 60
"""Files that count as named, and the same number of neighbours."""
UNNAMED_SHARE = 0.10
UNNAMED_BOUNDS = (4_000, 40_000)
"""Where an issue names nothing: a tenth of the source, and not less or more than this (tokens)."""
EASY_FILES, EASY_TOKENS = 2, 15_000
HARD_FILES, HARD_TOKENS = 10, 60_000
"""Up to the first pair an issue counts as easy, beyond one of the second as hard, where nobody says otherwise."""


class Survey:
    """What the repository says about one issue. Counting is done once, on construction."""

    def __init__(self, title: str, body: str, files: Mapping[str, int], read: Reader | None = None) -> None:
        """Take the issue, the listing of the base commit (path to bytes) and a reader for single files."""
        index = FileIndex(files)
        text = f"{title}\n{body}"
        self._text_tokens = len(text.encode(errors="replace")) // BYTES_PER_TOKEN
        self.named = index.named_in(text, read)[:MOST_NAMED]
        self.neighbours = _neighbours(index, self.named, read)[:MOST_NAMED]
        self.named_tokens = _tokens(index, self.named)
        self.neighbour_tokens = _tokens(index, self.neighbours)
        self._source_tokens = sum(size for path, size in index.sizes.items() if is_source(path)) // BYTES_PER_TOKEN
        self._empty = not index.sizes

    @property
    def file_tokens(self) -> int:
        """Tokens of the files that count; a share of the source where the issue names none."""
        if self.named:
            return self.named_tokens + self.neighbour_tokens
        low, high = UNNAMED_BOUNDS
        return min(self._source_tokens, max(low, min(high, round(self._source_tokens * UNNAMED_SHARE))))

    @property
    def difficulty(self) -> Difficulty | None:
        """What the number and size of the named files suggest; None when none is named."""
        if not self.named:
            return None
        if len(self.named) > HARD_FILES or self.named_tokens > HARD_TOKENS:
            return Difficulty.HARD
        if len(self.named) <= EASY_FILES and self.named_tokens <= EASY_TOKENS:
            return Difficulty.EASY
        return Difficulty.MEDIUM

    def estimate(self, stated: int | None, stated_by: str = "the issue") -> ContextEstimate:
        """Return the larger of what was stated and what was counted, with the reason."""
        counted = CONVERSATION_TOKENS + self._text_tokens + self.file_tokens
        words = f"counted {thousands(counted)}: {self._counted_words()}, the rest for the conversation"
        if stated is not None:
            words += f"; {stated_by} says {thousands(stated)}"
        return ContextEstimate(
            tokens=max(stated or 0, counted),
            stated=stated,
            files=len(self.named) + len(self.neighbours),
            file_tokens=self.file_tokens,
            reason=words,
        )

    def _counted_words(self) -> str:
        if self.named:
            words = f"{len(self.named)} named {_files(len(self.named))} with {thousands(self.named_tokens)}"
            if self.neighbours:
                words += f", {len(self.neighbours)} beside them with {thousands(self.neighbour_tokens)}"
            return words
        if self._empty:
            return "an empty repository"
        return (
            f"{thousands(self.file_tokens)} of {thousands(self._source_tokens)} of source, as the issue names no file"
        )


def predicted_cost(tokens: int, profile: AgentProfile) -> float:
    """Return the dollars of work whose context grows evenly to so many tokens.

    What was sent before is read from the provider's cache, where there is one.
    """
    new = tokens // TURNS
    return sum(profile.price.cost(_usage(turn * new, new, cached=profile.vendor_features)) for turn in range(TURNS))


def _usage(before: int, new: int, *, cached: bool) -> Usage:
    if cached:
        return Usage(cache_read_tokens=before, cache_write_tokens=new, output_tokens=REPLY_TOKENS)
    return Usage(input_tokens=before + new, output_tokens=REPLY_TOKENS)


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


def _tokens(index: FileIndex, paths: Iterable[str]) -> int:
    return sum(min(index.sizes[path], MOST_BYTES_OF_FILE) for path in paths) // BYTES_PER_TOKEN


def _neighbours(index: FileIndex, named: list[str], read: Reader | None) -> list[str]:
    beside = (other for path in named for other in index.neighbours(path, read))
    return [path for path in dict.fromkeys(beside) if path not in set(named)]
