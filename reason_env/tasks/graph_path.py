"""GraphPath: walk a shortest path through a graph with lengths, one edge at a time.

An episode (level 1):

    AD5 CB6 FB3 EB6 CA7 AF4 FD5 DB9: D -> E
    D -> F = 5
    F -> B = 8
    B -> E = 14

A goal task with a public verifier: from the prompt anyone can work out how short a path can be.
The prompt lists the edges, each as its two ends and its length; all can be walked both ways. A
claim extends the path by one edge to a vertex not yet on it and gives the length of the path so
far. The legal steps are all such edges, so most lead astray: a path that is no longer the
beginning of a shortest one, or reaches the target in another way, is a dead end with potential 0,
from which only `undo` leads back. The potential is exact by Dijkstra's algorithm from the target;
among shortest paths those of fewest edges count, since they take the fewest lines.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Task, potential_at
from reason_env.tasks.graph_form import graph_form

VERTICES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MAX_EDGES = 60
MAX_LENGTH = 999

# (vertices, edges, longest edge, fewest and most edges on the path) of each level
_LEVELS = {
    1: (6, 8, 9, (2, 3)),
    2: (8, 13, 9, (3, 4)),
    3: (12, 21, 20, (4, 6)),
    4: (16, 29, 50, (5, 8)),
    5: (20, 37, 99, (6, 10)),
    6: (26, 50, 99, (7, 11)),
}
_STEP = r"([A-Z])\s*->\s*([A-Z])"
_SHORT = re.compile(_STEP)
_CLAIM = re.compile(rf"{_STEP}\s*=\s*([0-9]+)")

Near = dict[str, dict[str, int]]
"""The neighbours of each vertex, with the lengths of the edges to them."""
Way = tuple[int, int]
"""How far it is: the length, and the fewest edges among ways of that length."""


@dataclass(frozen=True)
class Graph:
    """A problem, read: `left` is how far each vertex is from the target."""

    near: Near
    start: str
    target: str
    left: dict[str, Way]


class GraphPath(Task):
    """See the module's text. `Problem.data` is (edges, start, target), an edge being (vertex,
    vertex, length); `State.data` the vertices of the path, as one text."""

    name: ClassVar[str] = "GraphPath"
    levels: ClassVar[range] = range(1, 7)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        count, edges, longest, (fewest, most) = _LEVELS[level]
        names = VERTICES[:count]
        pairs = [(one, other) for one in names for other in names if one != other]
        while True:
            near: Near = {name: {} for name in names}
            drawn: list[Json] = []
            for i in rng.permutation(len(pairs)):
                one, other = pairs[i]
                if other not in near[one] and len(drawn) < edges:
                    near[one][other] = near[other][one] = int(rng.integers(1, longest + 1))
                    drawn.append((one, other, near[one][other]))
            target = names[int(rng.integers(count))]
            left = _distances(near, target)
            starts = [name for name, (_, hops) in left.items() if fewest <= hops <= most]
            if starts and len(left) == count:
                start = starts[int(rng.integers(len(starts)))]
                return Problem(self.name, level, (tuple(drawn), start, target))

    def initial(self, problem: Problem) -> State:
        return State(_graph(problem.data).start)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends with a shortest path to the target"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        here, there, claimed = match.groups()
        graph, path = _graph(problem.data), str(state.data)
        reason = _obstacle(graph, path, here, there)
        if not reason and claimed != str(_length(graph, path + there)):
            reason = f"the path so far is not {claimed[:40]} long"
        if reason:
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(path + there))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return self.potential(problem, state) == 1.0

    def potential(self, problem: Problem, state: State) -> float:
        graph, path = _graph(problem.data), str(state.data)
        length, hops = graph.left[path[-1]]
        on_the_way = _length(graph, path) + length == graph.left[graph.start][0]
        return potential_at(hops if on_the_way else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        graph, path = _graph(problem.data), str(state.data)
        return [
            f"{path[-1]} -> {there} = {_length(graph, path + there)}"
            for there in sorted(graph.near[path[-1]])
            if not _obstacle(graph, path, path[-1], there)
        ]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        graph, path = _graph(problem.data), str(state.data)
        if self.potential(problem, state) in (0.0, 1.0):
            return None
        here = path[-1]
        length, hops = graph.left[here]
        good = [
            there
            for there, edge in sorted(graph.near[here].items())
            if graph.left[there] == (length - edge, hops - 1)
        ]
        there = good[int(rng.integers(len(good)))]
        return f"{here} -> {there} = {_length(graph, path + there)}"

    def prompt(self, problem: Problem, style: str) -> str:
        graph = _graph(problem.data)
        edges = [(one, other, str(length)) for one, other, length in _edges(problem.data)]
        if style == "compact":
            listed = " ".join(one + other + length for one, other, length in edges)
            return f"{listed}: {graph.start} -> {graph.target}"
        listed = ", ".join(f"{one}-{other} {length}" for one, other, length in edges)
        return (
            f"Walk a shortest path from {graph.start} to {graph.target}.\n"
            f"The edges, which lead both ways, and their lengths: {listed}\n"
            "Walk one edge a line, each from where the last one ended and to a vertex not yet "
            "visited, and give the length of the path from the start so far.\n"
            "Write one step a line, exactly in the form: A -> B = 12\n"
            "A line that says only undo takes back the last step. The path must be as short as "
            "any when it reaches the target."
        )

    def show(self, problem: Problem, state: State) -> str:
        graph, path = _graph(problem.data), str(state.data)
        return f"{path} = {_length(graph, path)} -> {graph.target}"

    def canonical(self, problem: Problem) -> str:
        """Ignores names, the order of the edges and of their ends, and which end of the path is
        the start."""
        graph = _graph(problem.data)
        kinds = {vertex: int(vertex in (graph.start, graph.target)) for vertex in graph.near}
        return graph_form(kinds, _edges(problem.data))

    def budget(self, level: int) -> Budget:
        *_, (_, most) = _LEVELS[level]
        return Budget(2 * most + 4, 8 * (2 * most + 4))

    def chance(self, level: int) -> float:
        """By always naming the same two edges and lengths, which rarely exist and fit."""
        return 0.01

    def complete(self, problem: Problem, state: State, line: str) -> str:
        match = _SHORT.fullmatch(line)
        if match is None:
            return line
        graph, path = _graph(problem.data), str(state.data)
        # What cannot be walked is still a claim, and a wrong one.
        possible = not _obstacle(graph, path, match[1], match[2])
        return f"{line} = {_length(graph, path + match[2]) if possible else 0}"

    def abbreviate(self, line: str) -> str:
        return line.partition(" = ")[0]


def _obstacle(graph: Graph, path: str, here: str, there: str) -> str:
    """Why the path cannot go on from `here` to `there`; empty if it can."""
    if path[-1] == graph.target:
        return "the path has reached the target"
    if here != path[-1]:
        return f"the path does not end at {here}"
    if there not in graph.near[here]:
        return f"no edge joins {here} and {there}"
    if there in path:
        return f"the path has visited {there} already"
    return ""


def _length(graph: Graph, path: str) -> int:
    return sum(graph.near[here][there] for here, there in pairwise(path))


def _edges(data: Json) -> list[tuple[str, str, int]]:
    """The edges of a problem's data, checked.

    Raises:
        ValueError: names what is wrong.
    """
    if not isinstance(data, tuple) or len(data) != 3 or not isinstance(data[0], tuple):
        raise ValueError(f"Expected (edges, start, target), received {data!r:.80}")
    if not len(data[0]) <= MAX_EDGES:
        raise ValueError(f"A graph has at most {MAX_EDGES} edges, received {len(data[0])}")
    edges: dict[frozenset[str], tuple[str, str, int]] = {}
    for edge in data[0]:
        match edge:
            case (str(one), str(other), int(length)) if (
                {one, other} <= set(VERTICES)
                and one != other
                and not isinstance(length, bool)
                and 1 <= length <= MAX_LENGTH
                and frozenset((one, other)) not in edges
            ):
                edges[frozenset((one, other))] = (one, other, length)
            case _:
                raise ValueError(
                    "An edge is two different letters A to Z and a length of 1 to "
                    f"{MAX_LENGTH}, no two edges joining the same letters; received {edge!r:.80}"
                )
    return list(edges.values())


@lru_cache(maxsize=4096)
def _graph(data: Json) -> Graph:
    """A problem's data, read and checked.

    Raises:
        ValueError: names what is wrong.
    """
    near: Near = {}
    for one, other, length in _edges(data):
        near.setdefault(one, {})[other] = length
        near.setdefault(other, {})[one] = length
    assert isinstance(data, tuple)
    _, start, target = data
    if not (isinstance(start, str) and isinstance(target, str)) or start == target:
        raise ValueError(f"Expected two different vertices, received {start!r} and {target!r}")
    if start not in near or target not in near:
        raise ValueError(f"{start!r:.40} or {target!r:.40} is not a vertex of the graph")
    left = _distances(near, target)
    if start not in left:
        raise ValueError(f"No path leads from {start} to {target}")
    return Graph(near, start, target, left)


def _distances(near: Near, target: str) -> dict[str, Way]:
    """How far each vertex is from the target, if a path leads there (Dijkstra's algorithm)."""
    left: dict[str, Way] = {}
    heap = [(0, 0, target)]
    while heap:
        length, hops, here = heapq.heappop(heap)
        if here in left:
            continue
        left[here] = (length, hops)
        for there, edge in near[here].items():
            if there not in left:
                heapq.heappush(heap, (length + edge, hops + 1, there))
    return left
