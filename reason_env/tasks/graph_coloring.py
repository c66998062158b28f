"""GraphColoring: colour the vertices of a graph so that no edge joins two of one colour.

An episode (level 1):

    rgb: ACD BCFH CEF EGH FGH: Bb Db Gb Hr
    A = g
    C = r
    F = g
    E = g

A goal task with a public verifier. The prompt names the colours, the edges (`ABD` joins A to B
and to D) and the vertices that have a colour already. A claim colours one more vertex and is valid
if no neighbour has that colour; a valid claim can well be a dead end, with potential 0, from which
only `undo` leads back. The legal steps are all valid claims. The potential is exact: a SAT solver
says whether the colours given so far can be completed, and then every vertex left takes one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.graph_form import graph_form

VERTICES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COLOURS = {"r": "red", "g": "green", "b": "blue", "y": "yellow"}
MAX_EDGES = 100

# (vertices, edges, colours, vertices coloured from the start) of each level
_LEVELS = {
    1: (8, 11, 3, 4),
    2: (10, 18, 3, 2),
    3: (14, 30, 3, 2),
    4: (18, 41, 3, 2),
    5: (18, 66, 4, 2),
    6: (24, 56, 3, 2),
}
_CLAIM = re.compile(r"([A-Z])\s*=\s*([a-z])")

Edge = tuple[str, str]
Colouring = Mapping[str, str]
"""The colour of each vertex that has one."""


@dataclass(frozen=True)
class Graph:
    """A problem, read: `near` has the neighbours of each vertex, all in alphabetical order."""

    colours: str
    edges: tuple[Edge, ...]
    given: Colouring
    near: Mapping[str, str]

    def claims(self, coloured: Colouring) -> Iterator[tuple[str, str]]:
        """Vertices without a colour, each with every colour that no neighbour has."""
        for vertex, neighbours in self.near.items():
            if vertex not in coloured:
                taken = {coloured.get(other) for other in neighbours}
                yield from ((vertex, colour) for colour in self.colours if colour not in taken)


class GraphColoring(Task):
    """See the module's text. `Problem.data` is (number of colours, edges, given), with edges such
    as `AB` and given colours such as `Ar`; `State.data` the colours so far, likewise, in order."""

    name: ClassVar[str] = "GraphColoring"
    levels: ClassVar[range] = range(1, 7)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False
    room: ClassVar[Room] = Room(feedback=80)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        """Graphs and given colours drawn at random until they can be completed: no colouring is
        planted, which would make the graphs easier."""
        count, size, most, known = _LEVELS[level]
        names, colours = VERTICES[:count], "".join(COLOURS)[:most]
        pairs = list(combinations(names, 2))
        while True:
            edges = [pairs[i] for i in rng.choice(len(pairs), size, replace=False)]
            given = {
                names[i]: colours[int(rng.integers(most))]
                for i in rng.choice(count, known, replace=False)
            }
            if len({vertex for edge in edges for vertex in edge}) == count and _completable(
                tuple(edges), colours, _texts(given)
            ):
                shown = tuple(one + other for one, other in edges)
                return Problem(self.name, level, (most, shown, _texts(given)))

    def initial(self, problem: Problem) -> State:
        graph = _graph(problem.data)
        if not _completable(graph.edges, graph.colours, _texts(graph.given)):
            raise ValueError("No colouring of the graph keeps the given colours")
        return State(_texts(graph.given))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when every vertex has a colour"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        vertex, colour = match.groups()
        graph, coloured = _graph(problem.data), _colouring(state.data)
        reason = _obstacle(graph, coloured, vertex, colour)
        if reason:
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(_texts({**coloured, vertex: colour})))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return len(_colouring(state.data)) == len(_graph(problem.data).near)

    def potential(self, problem: Problem, state: State) -> float:
        graph, coloured = _graph(problem.data), _colouring(state.data)
        left = len(graph.near) - len(coloured)
        open_ = _completable(graph.edges, graph.colours, _texts(coloured))
        return potential_at(left if open_ else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        graph, coloured = _graph(problem.data), _colouring(state.data)
        return [f"{vertex} = {colour}" for vertex, colour in graph.claims(coloured)]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        graph, coloured = _graph(problem.data), _colouring(state.data)
        if self.potential(problem, state) == 0.0:
            return None
        claims = list(graph.claims(coloured))
        for i in rng.permutation(len(claims)):
            vertex, colour = claims[i]
            if self.potential(problem, State(_texts({**coloured, vertex: colour}))) > 0.0:
                return f"{vertex} = {colour}"
        return None

    def prompt(self, problem: Problem, style: str) -> str:
        graph = _graph(problem.data)
        if style == "compact":
            later = {
                vertex: "".join(other for other in neighbours if other > vertex)
                for vertex, neighbours in graph.near.items()
            }
            listed = " ".join(vertex + others for vertex, others in later.items() if others)
            return f"{graph.colours}: {listed}: {_shown(graph.given)}"
        names = ", ".join(f"{colour} ({COLOURS[colour]})" for colour in graph.colours)
        known = ", ".join(f"{vertex} = {colour}" for vertex, colour in graph.given.items())
        return (
            f"Colour the vertices {', '.join(graph.near)} of a graph with the colours {names}, "
            "so that no edge joins two vertices of the same colour.\n"
            f"The edges: {', '.join(f'{one}-{other}' for one, other in graph.edges)}\n"
            f"Coloured already: {known or 'none'}\n"
            "Colour one more vertex a line, exactly in the form: A = r\n"
            "A line that says only undo takes back the last one."
        )

    def show(self, problem: Problem, state: State) -> str:
        return _shown(_colouring(state.data))

    def canonical(self, problem: Problem) -> str:
        """Ignores names of vertices and colours, and the order of edges and of their ends: a
        colour counts as one more vertex, joined to those that have it from the start."""
        graph = _graph(problem.data)
        kinds = dict.fromkeys(graph.near, 0) | dict.fromkeys(graph.colours, 1)
        joined = [*graph.edges, *graph.given.items()]
        return graph_form(kinds, ((one, other, 0) for one, other in joined))

    def budget(self, level: int) -> Budget:
        count, _, _, known = _LEVELS[level]
        steps = 2 * (count - known) + 4
        return Budget(steps, 5 * steps)


def _texts(colouring: Colouring) -> tuple[str, ...]:
    """As `State.data` has it: `Ar`, in the order of the vertices."""
    return tuple(vertex + colour for vertex, colour in sorted(colouring.items()))


def _shown(colouring: Colouring) -> str:
    return " ".join(_texts(colouring)) or "-"


@lru_cache(maxsize=65536)
def _colouring(data: Json) -> Colouring:
    assert isinstance(data, tuple)
    return MappingProxyType({str(text)[0]: str(text)[1] for text in data})


def _obstacle(graph: Graph, coloured: Colouring, vertex: str, colour: str) -> str:
    """Why the vertex cannot have the colour now; empty if it can."""
    if vertex not in graph.near:
        return f"there is no vertex {vertex}"
    if colour not in graph.colours:
        return f"there is no colour {colour}"
    if vertex in coloured:
        return f"{vertex} has a colour already"
    same = [other for other in graph.near[vertex] if coloured.get(other) == colour]
    return f"{vertex} is joined to {same[0]}, which is {colour} too" if same else ""


@lru_cache(maxsize=65536)
def _completable(edges: tuple[Edge, ...], colours: str, coloured: tuple[str, ...]) -> bool:
    """Whether every vertex can be given a colour, those coloured keeping theirs."""
    # Importing a solver takes longer than importing the rest of the package.
    from pysat.solvers import Minisat22

    vertices = sorted({vertex for edge in edges for vertex in edge})
    number = {claim: i for i, claim in enumerate(product(vertices, colours), start=1)}
    clauses = [[number[vertex, colour] for colour in colours] for vertex in vertices]
    for one, other in edges:
        clauses += [[-number[one, colour], -number[other, colour]] for colour in colours]
    with Minisat22(bootstrap_with=clauses) as solver:
        return bool(solver.solve(assumptions=[number[text[0], text[1]] for text in coloured]))


@lru_cache(maxsize=4096)
def _graph(data: Json) -> Graph:
    """A problem's data, read and checked, but for whether the colours can be completed.

    Raises:
        ValueError: names what is wrong.
    """
    match data:
        case (int(count), tuple(edges), tuple(given)):
            pass
        case _:
            raise ValueError(f"Expected (colours, edges, given), received {data!r:.80}")
    if isinstance(count, bool) or not 1 <= count <= len(COLOURS):
        raise ValueError(f"Expected 1 to {len(COLOURS)} colours, received {count!r:.40}")
    colours = "".join(COLOURS)[:count]
    if not 1 <= len(edges) <= MAX_EDGES:
        raise ValueError(f"A graph has 1 to {MAX_EDGES} edges, received {len(edges)}")
    near: dict[str, set[str]] = {}
    for edge in edges:
        if not isinstance(edge, str) or not re.fullmatch("[A-Z]{2}", edge) or edge[0] == edge[1]:
            raise ValueError(f"An edge is two different letters A to Z, received {edge!r:.40}")
        if edge[1] in near.get(edge[0], ()):
            raise ValueError(f"The edge {edge} is there twice")
        near.setdefault(edge[0], set()).add(edge[1])
        near.setdefault(edge[1], set()).add(edge[0])
    coloured: dict[str, str] = {}
    for text in given:
        if (
            not isinstance(text, str)
            or len(text) != 2
            or text[0] not in near
            or text[1] not in colours
            or text[0] in coloured
        ):
            raise ValueError(
                f"A given colour is a vertex of the graph and one of {colours}, once for a "
                f"vertex; received {text!r:.40}"
            )
        coloured[text[0]] = text[1]
    if len(coloured) == len(near):
        raise ValueError("Every vertex has a colour already")
    return Graph(
        colours,
        tuple((one, other) for one in sorted(near) for other in sorted(near[one]) if one < other),
        dict(sorted(coloured.items())),
        {vertex: "".join(sorted(others)) for vertex, others in sorted(near.items())},
    )
