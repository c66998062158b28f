"""LanguageModel: the little that search and learning ask of a model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from reason_env.tokenizer import Tokenizer

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote after a prefix.

    Attributes:
        tokens: generated ids, the stop token included.
        logprobs: the model's own natural log-probability of each token, at temperature 1.
        complements: natural log-probability of all other tokens at each place, likewise.
        stopped: whether a stop token ended it (else its token limit did).
        spent: tokens that were generated for it, where that is more than it has: reasoning that is
            not shown, or lines drawn in vain. Never more than its token limit.
        failed: why the model refuses this one prefix, for good; None: it does not.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    complements: tuple[float, ...]
    stopped: bool
    spent: int = 0
    failed: str | None = None

    @property
    def cost(self) -> int:
        """Generated tokens to be charged for it."""
        return max(len(self.tokens), self.spent)


class RequestRefused(Exception):
    """A model refused one prefix for good; others may well be served."""


class LanguageModel(Protocol):
    """A model that continues token sequences.

    Attributes:
        tokenizer: text to ids and back.
        digest: sha256 of what decides the model's output (weights, or the script).
        has_values: whether `values` is served (a value head was trained).
        has_rewards: whether `rewards` is served (a process reward head was trained).
        has_logprobs: whether the log-probabilities of its completions are its own. Where they are
            not, each line counts as equally likely (`agents.models.server`).
        prompt_style: how problems are put to it: `compact` or `verbose`; None: as the environment
            has it.
    """

    tokenizer: Tokenizer

    @property
    def digest(self) -> str: ...

    @property
    def has_values(self) -> bool: ...

    @property
    def has_rewards(self) -> bool: ...

    @property
    def has_logprobs(self) -> bool: ...

    @property
    def prompt_style(self) -> str | None: ...

    def remembering(self) -> AbstractContextManager[None]:
        """A context in which the model, whose weights do not change there, may keep what it has
        read, so as not to read it again, or a connection."""

    def generate(
        self,
        prefixes: Sequence[Tokens],
        *,
        stop: Collection[int],
        temperature: float,
        max_tokens: Sequence[int],
        seeds: Sequence[int],
        without: Sequence[Sequence[Completion]] | None = None,
    ) -> list[Completion]:
        """One completion per prefix.

        A row's completion depends on its own prefix, limit and seed only, never on the batch.

        Args:
            prefixes: token ids; repeat a prefix with other seeds for more samples.
            stop: token ids that end a completion.
            temperature: 0 takes the likeliest token.
            max_tokens: limit of each row, 1 or more.
            seeds: random stream of each row, 0 <= seed < 2**64.
            without: completions of each row's prefix that are not to be drawn again
                (temperature 1 only): the row is sampled from the model given that it is none
                of them.
        """

    def logprobs(
        self, prefixes: Sequence[Tokens], continuations: Sequence[Tokens]
    ) -> list[tuple[float, ...]]:
        """Natural log-probability of each continuation token, at temperature 1."""

    def values(self, prefixes: Sequence[Tokens]) -> list[float]:
        """Expected return from each prefix on, by the value head."""

    def rewards(self, prefixes: Sequence[Tokens]) -> list[float]:
        """Process reward of each prefix, in [0, 1]: how likely it is that its last line is right
        and the goal still in reach."""
