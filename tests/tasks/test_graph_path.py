"""GraphPath: verdicts, the potential against all simple paths, and forms of equal problems."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import networkx
import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import graph_path
from reason_env.tasks.graph_path import GraphPath

TASK = GraphPath()


def problem_of(edges: str, start: str, target: str) -> Problem:
    """From edges as the compact prompt writes them."""
    return Problem(
        "GraphPath", 1, (tuple((e[0], e[1], int(e[2:])) for e in edges.split()), start, target)
    )


PROBLEM = problem_of("AD5 CB6 FB3 EB6 CA7 AF4 FD5 DB9", "D", "E")


def test_the_episode_of_the_docstring() -> None:
    written = [s.strip() for s in str(graph_path.__doc__).splitlines() if s.startswith("    ")]
    assert TASK.prompt(PROBLEM, "compact") == written[0]
    state = TASK.initial(PROBLEM)
    for left, line in zip((3, 2, 1), written[1:], strict=True):
        assert TASK.potential(PROBLEM, state) == potential_at(left)
        verdict = TASK.step(PROBLEM, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(PROBLEM, state)
    assert TASK.show(PROBLEM, state) == "DFBE = 14 -> E"


@pytest.mark.parametrize(
    ("line", "kind", "path"),
    [
        ("F -> B = 8", Kind.CLAIM, "DFB"),
        ("F->B=8", Kind.CLAIM, "DFB"),
        ("  F  ->  B  =  8  ", Kind.CLAIM, "DFB"),
        ("F -> A = 9", Kind.CLAIM, "DFA"),  # astray, but valid
        ("F -> B = 3", Kind.CLAIM, None),  # the edge alone
        ("F -> B = 9", Kind.CLAIM, None),
        ("F -> B = 08", Kind.CLAIM, None),
        ("F -> B = " + "8" * 9000, Kind.CLAIM, None),
        ("F -> D = 10", Kind.CLAIM, None),  # back
        ("F -> F = 5", Kind.CLAIM, None),
        ("F -> E = 8", Kind.CLAIM, None),  # no such edge
        ("F -> Z = 8", Kind.CLAIM, None),  # no such vertex
        ("Z -> F = 8", Kind.CLAIM, None),
        ("D -> B = 9", Kind.CLAIM, None),  # not where the path ends
        ("B -> F = 8", Kind.CLAIM, None),
        ("F -> B", Kind.THOUGHT, None),
        ("F -> B = -8", Kind.THOUGHT, None),
        ("F -> B = 8.", Kind.THOUGHT, None),
        ("F -> B = 5 + 3", Kind.THOUGHT, None),
        ("F -> B -> E = 14", Kind.THOUGHT, None),
        ("f -> b = 8", Kind.THOUGHT, None),
        ("FB = 8", Kind.THOUGHT, None),
        ("F -> B = \u0668", Kind.THOUGHT, None),
        ("D -> E", Kind.THOUGHT, None),
        (TASK.prompt(PROBLEM, "compact"), Kind.THOUGHT, None),
    ],
)
def test_verdicts(line: str, kind: Kind, path: str | None) -> None:
    state = State("DF")
    verdict = TASK.step(PROBLEM, state, line)
    valid = path is not None or kind is Kind.THOUGHT
    assert (verdict.kind, verdict.valid) == (kind, valid)
    assert verdict.state == State(path or "DF")
    assert bool(verdict.reason) == (not valid)
    assert "8" not in verdict.reason.replace(line.partition("=")[2].strip()[:40], "")


def test_no_answer_is_asked_for() -> None:
    verdict = TASK.step(PROBLEM, State("DFB"), "answer: 14")
    assert (verdict.kind, verdict.valid, verdict.state) == (Kind.ANSWER, False, State("DFB"))


def test_the_target_by_a_longer_way_is_a_dead_end() -> None:
    state = TASK.step(PROBLEM, State("DB"), "B -> E = 15").state
    assert state == State("DBE")
    assert not TASK.is_solved(PROBLEM, state)
    assert TASK.potential(PROBLEM, state) == 0.0
    assert list(TASK.legal_steps(PROBLEM, state)) == []
    assert TASK.expert_step(PROBLEM, state, np.random.default_rng(0)) is None
    assert not TASK.step(PROBLEM, state, "E -> B = 21").valid
    # It was one from the first edge that led astray.
    assert TASK.potential(PROBLEM, State("DB")) == 0.0


# -- The potential -------------------------------------------------------------------------------


def simple_paths(near: dict[str, dict[str, int]], path: str, target: str) -> Iterator[str]:
    """Every path that begins so and visits no vertex twice, up to the target."""
    if path[-1] == target:
        yield path
        return
    for there in near[path[-1]]:
        if there not in path:
            yield from simple_paths(near, path + there, target)


def random_problem(rng: np.random.Generator, count: int, edges: int, longest: int) -> Problem:
    """Often with ties, unlike those of the levels; may well not be connected."""
    pairs = list(combinations("ABCDEFGHIJ"[:count], 2))
    chosen = rng.choice(len(pairs), edges, replace=False)
    drawn = tuple((*pairs[i], int(rng.integers(1, longest + 1))) for i in chosen)
    start, target = drawn[0][0], drawn[1][1]
    return Problem("GraphPath", 1, (drawn, start, target))


@pytest.mark.parametrize("longest", [1, 2, 9])
def test_potential_equals_brute_force(longest: int) -> None:
    rng = np.random.default_rng(longest)
    compared = ties = 0
    while compared < 300:
        problem = random_problem(rng, 6, 9, longest)
        data: Any = problem.data
        edges, start, target = data
        near: dict[str, dict[str, int]] = {}
        for one, other, length in edges:
            near.setdefault(one, {})[other] = near.setdefault(other, {})[one] = length
        paths = list(simple_paths(near, start, target))
        if start == target or not paths:
            continue
        lengths = [sum(near[a][b] for a, b in pairwise(path)) for path in paths]
        shortest = [path for path, length in zip(paths, lengths) if length == min(lengths)]
        ties += len(shortest) > 1
        for path in {full[:size] for full in paths for size in range(1, len(full) + 1)}:
            compared += 1
            left = [len(other) - len(path) for other in shortest if other.startswith(path)]
            stated = TASK.potential(problem, State(path))
            assert stated == potential_at(min(left, default=None)), (problem, path)
            assert TASK.is_solved(problem, State(path)) == (path in shortest)
    assert ties or longest == 9


@pytest.mark.parametrize("level", TASK.levels)
def test_generated_problems(level: int) -> None:
    """The expert walks as far as networkx says, edges by edges of the level's number."""
    rng = np.random.default_rng(level)
    forms = set()
    for _ in range(50):
        problem = TASK.generate(rng, level)
        forms.add(TASK.canonical(problem))
        graph: Any = networkx.Graph()
        data: Any = problem.data
        edges, start, target = data
        graph.add_weighted_edges_from(edges)
        state, line = TASK.initial(problem), ""
        while not TASK.is_solved(problem, state):
            line = str(TASK.expert_step(problem, state, rng))
            state = TASK.step(problem, state, line).state
        assert line.endswith(f"= {networkx.dijkstra_path_length(graph, start, target)}")
        assert 2 * (len(str(state.data)) - 1) <= TASK.budget(level).steps
    assert len(forms) == 50


def test_the_expert_takes_any_of_the_shortest_paths_with_fewest_edges() -> None:
    # Three ways of length 6, one of them with three edges.
    problem = problem_of("AB3 BZ3 AC2 CZ4 AD1 DE1 EZ4", "A", "Z")
    rng = np.random.default_rng(0)
    first = {TASK.expert_step(problem, State("A"), rng) for _ in range(40)}
    assert first == {"A -> B = 3", "A -> C = 2"}
    assert TASK.potential(problem, State("A")) == potential_at(2)
    assert TASK.potential(problem, State("AD")) == potential_at(2)
    assert TASK.expert_step(problem, State("AD"), rng) == "D -> E = 2"


# -- Texts and forms -----------------------------------------------------------------------------


def test_short_claims() -> None:
    state = State("DF")
    assert TASK.abbreviate("F -> B = 8") == "F -> B"
    assert TASK.complete(PROBLEM, state, "F -> B") == "F -> B = 8"
    for line in ("F -> E", "B -> F", "F -> D", "Z -> Z"):
        assert TASK.complete(PROBLEM, state, line) == f"{line} = 0"
        assert not TASK.step(PROBLEM, state, f"{line} = 0").valid
    for line in ("hm", "F -> B = 9", "answer: 3"):
        assert TASK.complete(PROBLEM, state, line) == line


def test_verbose_prompt() -> None:
    prompt = TASK.prompt(PROBLEM, "verbose")
    assert "from D to E" in prompt
    assert "A-D 5, C-B 6, F-B 3, E-B 6, C-A 7, A-F 4, F-D 5, D-B 9" in prompt


def variants(problem: Problem) -> Iterator[Problem]:
    """Other names, another order, edges the other way round, and the path the other way."""
    data: Any = problem.data
    edges, start, target = data
    for seed in range(3):
        rng = np.random.default_rng(seed)
        shuffled = "".join(rng.permutation(list(graph_path.VERTICES)))
        names = dict(zip(graph_path.VERTICES, shuffled))
        renamed = [(names[a], names[b], length) for a, b, length in edges]
        turned = [(b, a, n) if rng.integers(2) else (a, b, n) for a, b, n in renamed]
        order = tuple(turned[i] for i in rng.permutation(len(turned)))
        ends = (names[start], names[target])
        yield replace(problem, data=(order, *(ends if seed else ends[::-1])))


def test_conformance() -> None:
    check_task(TASK, seeds=range(3), variants=variants)


def test_different_problems_have_different_forms() -> None:
    data: Any = PROBLEM.data
    edges, *_ = data
    changed = [
        replace(PROBLEM, data=(edges, "D", "C")),
        replace(PROBLEM, data=(edges[1:], "D", "E")),
        problem_of("AD5 CB6 FB3 EB6 CA7 AF4 FD5 DB8", "D", "E"),
        problem_of("AD5 CB6 FB3 EB6 CA7 AF4 FD5 DC9", "D", "E"),
    ]
    assert TASK.canonical(PROBLEM) not in {TASK.canonical(problem) for problem in changed}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("AB3: A -> B", "Expected .edges, start, target."),
        ((), "Expected .edges, start, target."),
        (("AB3", "A", "B"), "Expected .edges, start, target."),
        (((), "A", "B"), "not a vertex"),
        ((("AB3",), "A", "B"), "An edge is"),
        (((("A", "B"),), "A", "B"), "An edge is"),
        (((("A", "B", 0),), "A", "B"), "An edge is"),
        (((("A", "B", 1000),), "A", "B"), "An edge is"),
        (((("A", "B", 3.0),), "A", "B"), "An edge is"),
        (((("A", "B", True),), "A", "B"), "An edge is"),
        (((("A", "A", 3),), "A", "B"), "An edge is"),
        (((("A", "bb", 3),), "A", "B"), "An edge is"),
        (((("A", "B", 3), ("B", "A", 3)), "A", "B"), "An edge is"),
        (((("A", "B", 3),), "A", "A"), "two different vertices"),
        (((("A", "B", 3),), "A", 7), "two different vertices"),
        (((("A", "B", 3),), "A", "C"), "not a vertex"),
        (((("A", "B", 3), ("C", "D", 3)), "A", "C"), "No path leads from A to C"),
        (((("A", "B", 3),) * 61, "A", "B"), "at most 60 edges"),
    ],
)
def test_bad_data(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASK.initial(Problem("GraphPath", 1, data))
