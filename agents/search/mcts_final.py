"""Which of the ways that a tree search has found is its answer."""

from __future__ import annotations

from collections.abc import Collection

from agents.search.final import Solution, majority
from agents.search.requests import Node
from agents.search.roots import Gumbel
from agents.search.vertex import Edge, Graph, Vertex

RULES = ("value", "visits", "vote")


def choose(graph: Graph, rule: str, gumbel: Gumbel | None) -> Node:
    """The answer.

    A solution known to be right is one under any rule. Else `value` takes the finished way that is
    worth most, `vote` the answer that most of them give, weighted by their worth, and `visits`
    follows the lines that the search has visited most. Where nothing is finished, all of them do
    that. A Gumbel root has its own rule for the first line, which `value` and `visits` go by.
    """
    if graph.solution is not None:
        return graph.solution
    if rule == "vote":
        ended = graph.ended
        voted = majority(
            [one.node for one in ended], [one.answer for one in ended], [e.weight for e in ended]
        )
        if voted is not None:
            return voted
    among = _leading_to_ends(graph) or {edge.child for edge in graph.edges}
    vertex = graph.root
    if gumbel is not None and rule != "vote":
        first = gumbel.choice(among)
        if first is not None:
            vertex = first.child
    if rule == "visits" or not graph.ended:
        vertex = _follow(graph, vertex, among)
        return vertex.node if vertex.ended is None else vertex.ended.node
    ended = graph.ended if vertex is graph.root else _ended_below(vertex)
    return max(ended, key=lambda one: (one.value.total, one.node.logprob)).node


def _follow(graph: Graph, vertex: Vertex, among: Collection[Vertex]) -> Vertex:
    """Where the lines lead that were visited most, through `among` only.

    What is closed is visited no more, so its visits say nothing: it counts by its worth, which is
    known, against that of the line which was visited most among the others.
    """
    while True:
        edges = [edge for edge in vertex.edges if edge.child in among]
        if not edges:
            return vertex
        rivals = [edge for edge in edges if edge.child.closed]
        still = [edge for edge in edges if not edge.child.closed]
        if still:
            rivals.insert(0, max(still, key=_visited))
        vertex = max(rivals, key=graph.worth).child


def _visited(edge: Edge) -> tuple[int, float]:
    return edge.visits, edge.reward + edge.value


def _leading_to_ends(graph: Graph) -> set[Vertex]:
    """All from which a finished way was found."""
    waiting = [edge.child for edge in graph.edges if edge.child.ended is not None]
    found: set[Vertex] = set()
    while waiting:
        vertex = waiting.pop()
        if vertex not in found:
            found.add(vertex)
            waiting += vertex.parents
    return found


def _ended_below(vertex: Vertex) -> list[Solution]:
    """The finished ways at a vertex and below."""
    waiting, seen = [vertex], {vertex}
    found: list[Solution] = []
    while waiting:
        vertex = waiting.pop()
        if vertex.ended is not None:
            found.append(vertex.ended)
        below = [edge.child for edge in vertex.edges if edge.child not in seen]
        seen.update(below)
        waiting += below
    return found
