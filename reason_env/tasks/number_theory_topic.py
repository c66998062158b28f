"""Topic: what each sort of problem of NumberTheory implements.

A topic's valid claims are exactly its moves (but for the order of factors), so a line is judged by
looking it up among the few lines that are true and follow from the last ones.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, TypeAlias

from reason_env.problem import Json

MAX = 10**18
"""Numbers of a statement are at most this large."""
MAX_DIGITS = 40
"""Numbers of a claim that is worth working out."""

Work: TypeAlias = tuple[Json, ...]
Move = tuple[str, Work]
"""A valid claim in canonical text, and the work after it."""

N = "([0-9]+)"
MOD = rf"\s*mod\s*{N}"
PRODUCT = rf"{N}\s*\*\s*{N}"
"""Parts of the patterns of claims."""


class Topic(ABC):
    """One sort of problem, as pure functions of its statement and of the work so far.

    Attributes:
        claim: what a claim looks like.
        short: what a claim looks like whose residue is left out.
    """

    claim: ClassVar[re.Pattern[str]]
    short: ClassVar[re.Pattern[str] | None] = None

    @abstractmethod
    def check(self, data: Work) -> None:
        """Raises:
        ValueError: the data is no statement of the topic.
        """

    @abstractmethod
    def start(self, data: Work) -> Work:
        """The work before the first line."""

    @abstractmethod
    def moves(self, data: Work, work: Work) -> list[Move]:
        """All valid claims; none when only the answer is left to give."""

    @abstractmethod
    def distance(self, data: Work, work: Work) -> int:
        """The fewest claims until only the answer is left to give."""

    @abstractmethod
    def value(self, data: Work) -> int:
        """The answer."""

    @abstractmethod
    def statement(self, data: Work) -> str:
        """The problem in one line."""

    @abstractmethod
    def rules(self, data: Work) -> str:
        """The problem and how it is to be solved, in words."""

    @abstractmethod
    def show(self, data: Work, work: Work) -> str:
        """The work in one line."""

    @abstractmethod
    def is_true(self, parts: list[str]) -> bool:
        """Whether the claim with these numbers and signs holds, whatever it follows from."""

    def text(self, line: str) -> str:
        """What a claim is looked up by: without spaces."""
        return "".join(line.split())

    def canonical(self, data: Work) -> Work:
        """The statement without what does not matter."""
        return data


def integers(data: Iterable[Json]) -> list[int]:
    """The numbers of a statement.

    Raises:
        ValueError: something else, or a number out of bounds.
    """
    numbers: list[int] = []
    for number in data:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX:
            raise ValueError(f"Expected a whole number from 0 to {MAX}, received {number!r:.80}")
        numbers.append(number)
    return numbers


def require(condition: bool, data: Work, expected: str) -> None:
    if not condition:
        raise ValueError(f"Expected {expected}, received {data!r:.80}")
