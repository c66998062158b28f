"""The vocabulary between strategies and the scheduler: requests, and what comes back.

A strategy is a generator for one problem. It yields requests and receives their results:

    def greedy(root: Node) -> Search:
        [[node]] = yield from generate([root], until="solution", temperature=0.0)
        return Choice(node)

Requests and values are named tuples, which are made in a fifth of the time of frozen dataclasses:
there is one of each for every line that a search writes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from agents.models.base import Completion
from agents.search.node import Node
from agents.search.tree import Tree

__all__ = [
    "Answers",
    "Choice",
    "Evaluate",
    "Generate",
    "Node",
    "Search",
    "Strategy",
    "Value",
    "answers",
    "evaluate",
    "generate",
]


class Generate(NamedTuple):
    """Continue each node `n` times by one line, or until its episode is over.

    Answered by one list of `n` nodes per node of the request. Nodes that are done come back as
    they are. What `without` has for a node is not drawn again there (temperature 1, one line).
    """

    nodes: Sequence[Node]
    n: int = 1
    until: str = "line"
    temperature: float = 1.0
    without: Sequence[Sequence[Completion]] = ()


class Evaluate(NamedTuple):
    """Value each node by the search's guide. Answered by one `Value` per node."""

    nodes: Sequence[Node]


class Answers(NamedTuple):
    """What each node answers, in canonical form: to vote over. Answered by one string per node.

    None where nothing was answered: the episode is not over, was given up, or has ended before an
    `answer:` line where there must be one, or at a wrong claim. Equal values in other forms (`1/2`,
    `0.5`) are one answer. Where the task asks for no answer, it is the state that the lines have
    led to if the verifier is public, else the last line.
    """

    nodes: Sequence[Node]


class Value(NamedTuple):
    """What a guide says of a node.

    Attributes:
        value: expected return from here on (0 where nothing more can come), higher is better.
        reward: return for the step that led here.
        solved: whether the guide knows that the goal is reached.
    """

    value: float
    reward: float = 0.0
    solved: bool = False

    @property
    def total(self) -> float:
        return self.reward + self.value


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy's answer, and the tree it grew if it grew one."""

    node: Node
    tree: Tree | None = field(default=None, compare=False)


Request: TypeAlias = Generate | Evaluate | Answers
Response: TypeAlias = Any
"""`list[list[Node]]` for a `Generate`, `list[Value]` for an `Evaluate`, `list[str | None]` for
`Answers`."""
Search: TypeAlias = Generator[Request, Response, Choice]
Strategy: TypeAlias = Callable[[Node], Search]


def generate(
    nodes: Sequence[Node],
    n: int = 1,
    until: str = "line",
    temperature: float = 1.0,
    without: Sequence[Sequence[Completion]] = (),
) -> Generator[Request, Response, list[list[Node]]]:
    """`yield Generate(...)` with the type of its answer."""
    groups: list[list[Node]] = yield Generate(nodes, n, until, temperature, without)
    return groups


def evaluate(nodes: Sequence[Node]) -> Generator[Request, Response, list[Value]]:
    """`yield Evaluate(...)` with the type of its answer."""
    values: list[Value] = yield Evaluate(nodes)
    return values


def answers(nodes: Sequence[Node]) -> Generator[Request, Response, list[str | None]]:
    """`yield Answers(...)` with the type of its answer."""
    found: list[str | None] = yield Answers(nodes)
    return found
