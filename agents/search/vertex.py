"""The graph that a tree search grows: states, and the lines between them.

It is a tree, unless equal states are merged (transpositions): then a state may be reached by more
than one line, and has one record of visits, returns and lines for all of them, while each line
counts its own visits (as in Czech et al., "Monte-Carlo graph search for AlphaZero", 2020). Equal
states that cannot be merged start from the mean return that the search has found so far.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from agents.models.base import Completion
from agents.search.final import Solution
from agents.search.requests import Node
from agents.search.tree import Branch, Tree


@dataclass(slots=True, eq=False)
class Vertex:
    """A state that the search has reached. (Tuples, since most states never get a line: an empty
    one costs nothing.)

    Attributes:
        node: the way by which it was found; what is written from here goes on from there.
        value: expected return from here on, as the guide said when it was new.
        mean: average return from here on over the visits; `value` while there is none.
        exact: once closed: the best return that there is from here on.
        visits: simulations that passed through.
        returns: their sum.
        rounds: how often lines were drawn here.
        due: number of visits at which lines are drawn again.
        dry: whether there are no more lines to draw.
        closed: whether all is known: it is finished, or dry and all below it is closed.
        drawn: completions not to be drawn again.
        edges: the lines that were found here.
        open: those that lead to what is not closed.
        parents: of each edge that leads here.
        index: of the first of these edges, in `Graph.edges`.
        ended: the finished way here, if this is one, else that of a rollout from here.
    """

    node: Node
    value: float
    mean: float
    index: int
    exact: float = 0.0
    visits: int = 0
    returns: float = 0.0
    rounds: int = 0
    due: float = 0.0
    dry: bool = False
    closed: bool = False
    drawn: tuple[Completion, ...] = ()
    edges: tuple[Edge, ...] = ()
    open: tuple[Edge, ...] = ()
    parents: tuple[Vertex, ...] = ()
    ended: Solution | None = None


@dataclass(slots=True, eq=False)
class Edge:
    """A line from one state to another.

    Attributes:
        parent: where it is written; None for the edge that stands above the root.
        logprob: natural log-probability of the line.
        reward: of the step.
        value: expected return from the child on, as known when the line was found.
        prior: probability by which the search explores it, among its siblings.
        visits: simulations that passed through.
    """

    parent: Vertex | None
    line: str
    logprob: float
    reward: float
    value: float
    child: Vertex
    prior: float = 1.0
    visits: int = 0


class Graph:
    """What a search has found.

    Args:
        root: where it starts.
        discount: of the return, per line.
        merge: whether nodes with equal keys are one vertex.

    Attributes:
        top: an edge that leads to the root, so that each vertex has one.
        edges: all, in the order in which they were found; the first is `top`.
        ended: all finished ways, in that order.
        solution: the first that the guide knows to be right.
    """

    def __init__(self, root: Node, discount: float, merge: bool) -> None:
        self.root = Vertex(root, 0.0, 0.0, 0)
        self.top = Edge(None, "", 0.0, 0.0, 0.0, self.root)
        self.edges = [self.top]
        self.ended: list[Solution] = []
        self.solution: Node | None = None
        self._discount = discount
        self._states: dict[Hashable, Vertex] | None = {} if merge else None
        if merge and root.key is not None:
            self._register(self.root)

    def add(self, parent: Vertex, found: Solution) -> Edge:
        """Add the line that was written from `parent` to a node, which is valued already."""
        node, value = found.node, found.value
        known = self._states.get(node.key) if self._states and node.key is not None else None
        child = known if known is not None and _may_merge(known, node, parent) else None
        if child is None:
            # What the search has found from an equal state tells more than the guide: else lines
            # that lead nowhere, such as thoughts, would each time look as promising as before.
            worth = known.mean if known is not None and known.visits else value.value
            child = Vertex(node, worth, worth, len(self.edges))
            if self._states is not None and node.key is not None:
                self._register(child)
            if node.done:
                child.closed, child.exact = True, value.value
                self.end(child, found)
        logprob = node.logprob - parent.node.logprob
        edge = Edge(parent, node.line, logprob, value.reward, child.mean, child)
        child.parents += (parent,)
        parent.edges += (edge,)
        if not child.closed:
            parent.open += (edge,)
        self.edges.append(edge)
        return edge

    def end(self, vertex: Vertex, found: Solution) -> None:
        """Note a finished way, at a vertex or written on from it."""
        vertex.ended = found
        self.ended.append(found)
        if found.value.solved and self.solution is None:
            self.solution = found.node

    def close(self, vertex: Vertex) -> None:
        """Close a vertex below which there is nothing left to find, and those above it that this
        was the last of."""
        waiting = [vertex]
        while waiting:
            vertex = waiting.pop()
            if vertex.closed or vertex.open or not vertex.dry:
                continue
            vertex.closed = True
            vertex.exact = max((self.worth(edge) for edge in vertex.edges), default=0.0)
            for parent in vertex.parents:
                parent.open = tuple(edge for edge in parent.open if not edge.child.closed)
                waiting.append(parent)

    def worth(self, edge: Edge) -> float:
        """Return of taking a line: known where all below it is, else as expected."""
        child = edge.child
        return edge.reward + self._discount * (child.exact if child.closed else child.mean)

    def _register(self, vertex: Vertex) -> None:
        """Let later nodes be merged with a vertex, if it leaves them the most lines."""
        assert self._states is not None
        known = self._states.setdefault(vertex.node.key, vertex)
        if vertex.node.depth < known.node.depth:
            self._states[vertex.node.key] = vertex

    def freeze(self) -> Tree:
        """The graph to read."""
        branches = []
        for place, edge in enumerate(self.edges):
            first = edge.child.index
            branches.append(
                Branch(
                    -1 if edge.parent is None else edge.parent.index,
                    edge.line,
                    edge.prior,
                    edge.reward,
                    edge.value,
                    edge.visits,
                    edge.child.mean,
                    edge.child.node.done,
                    -1 if first == place else first,
                )
            )
        return Tree(tuple(branches))


def softmax(logs: Sequence[float]) -> list[float]:
    """Probabilities in proportion to `exp(logs)`."""
    highest = max(logs)
    weights = [math.exp(log - highest) for log in logs]
    total = sum(weights)
    return [weight / total for weight in weights]


def _may_merge(known: Vertex, node: Node, parent: Vertex) -> bool:
    """Whether a new node, written from `parent`, can be one with the vertex of an equal state.

    As many lines must be left to it as to the node, so that nothing is lost; and it must not lie
    above, as after a thought or `undo`: a way that comes back to a state goes on from there by
    itself, and no walk through the graph is endless.
    """
    return known.node.depth <= node.depth and not _above(known, parent)


def _above(vertex: Vertex, below: Vertex) -> bool:
    """Whether a walk from `vertex` may come to `below`, or it is there already."""
    seen: set[int] = set()
    waiting = [below]
    while waiting:
        one = waiting.pop()
        if one is vertex:
            return True
        if id(one) not in seen:
            seen.add(id(one))
            waiting += one.parents
    return False
