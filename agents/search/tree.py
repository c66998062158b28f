"""A search tree to read: frozen, flat, JSON-able."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Branch:
    """One node of a search tree.

    Attributes:
        parent: index of the parent in the tree, -1 for the root.
        line: the line that leads here from there (two, with a newline between, where the model
            ended a line with `<eos>` and so gave up too).
        prior: the policy's probability of the line among its siblings, in [0, 1]; at a root with
            noise, what came of it.
        reward: of the step that leads here.
        value: expected return from here on when the line was found: what the guide said, mixed
            with that of a rollout if there was one; with transpositions, at a state that was known
            already, the mean return from there then.
        visits: how often the search passed through.
        mean: average return from here on over those visits, and those of nodes merged with it.
        done: whether the episode is over here.
        merged: index of the earlier node at an equal state with which this one shares its mean
            and its children, which are listed there; -1 for none.
    """

    parent: int
    line: str
    prior: float
    reward: float
    value: float
    visits: int
    mean: float
    done: bool
    merged: int = -1


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes in the order they were found; the root is at index 0."""

    nodes: tuple[Branch, ...]

    def children(self, index: int) -> list[int]:
        """Indices of a node's children."""
        return [i for i, node in enumerate(self.nodes) if node.parent == index]

    def way(self, index: int) -> list[str]:
        """The lines from the root to a node."""
        lines: list[str] = []
        while index > 0:
            lines += reversed(self.nodes[index].line.split("\n"))
            index = self.nodes[index].parent
        return lines[::-1]

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(node) for node in self.nodes]
