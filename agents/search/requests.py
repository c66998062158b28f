"""The vocabulary between strategies and the scheduler: nodes, requests, and what comes back.

A strategy is a generator for one problem. It yields requests and receives their results:

    def greedy(root: Node) -> Search:
        [[node]] = yield from generate([root], until="solution", temperature=0.0)
        return Choice(node)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agents.models.base import Completion
from agents.search.tree import Tree
from reason_env.env import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A point that a search has reached: an environment snapshot and the way there.

    Attributes:
        snapshot: to go on from. Strategies do not look into it: what they may know of a node
            comes from `Evaluate`.
        context: token ids that the model reads: prompt, lines, feedback.
        actions: the lines from the root, as written.
        tokens: their token ids, newlines included.
        logprobs: natural log-probability of each line under the model at temperature 1.
        done: whether the episode is over, or its last line was cut and so can't be played.
        written: the last completion, as the model gave it.
        played: how many of the actions the environment has taken. Where the verifier is private,
            a wrong claim has ended the episode without the search being told: it goes on writing
            lines that are not played.
    """

    snapshot: Snapshot
    context: tuple[int, ...]
    actions: tuple[str, ...] = ()
    tokens: tuple[tuple[int, ...], ...] = ()
    logprobs: tuple[float, ...] = ()
    done: bool = False
    written: Completion | None = None
    played: int = 0

    @property
    def logprob(self) -> float:
        """Log-probability of all lines from the root."""
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue each node `n` times by one line, or until its episode is over.

    Answered by one list of `n` nodes per node of the request. Nodes that are done come back as
    they are. Lines in `without` are not drawn again (temperature 1, one line).
    """

    nodes: Sequence[Node]
    n: int = 1
    until: str = "line"
    temperature: float = 1.0
    without: Sequence[Completion] = ()


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Value each node by the search's guide. Answered by one `Value` per node."""

    nodes: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Value:
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


Request: TypeAlias = Generate | Evaluate
Response: TypeAlias = Any
"""`list[list[Node]]` for a `Generate`, `list[Value]` for an `Evaluate`."""
Search: TypeAlias = Generator[Request, Response, Choice]
Strategy: TypeAlias = Callable[[Node], Search]


def generate(
    nodes: Sequence[Node],
    n: int = 1,
    until: str = "line",
    temperature: float = 1.0,
    without: Sequence[Completion] = (),
) -> Generator[Request, Response, list[list[Node]]]:
    """`yield Generate(...)` with the type of its answer."""
    groups: list[list[Node]] = yield Generate(nodes, n, until, temperature, without)
    return groups


def evaluate(nodes: Sequence[Node]) -> Generator[Request, Response, list[Value]]:
    """`yield Evaluate(...)` with the type of its answer."""
    values: list[Value] = yield Evaluate(nodes)
    return values
