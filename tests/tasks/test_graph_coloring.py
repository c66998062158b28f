"""GraphColoring: verdicts, the potential against trying all colourings, forms of equal problems."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import graph_coloring
from reason_env.tasks.graph_coloring import GraphColoring

TASK = GraphColoring()


def problem_of(colours: int, edges: str, given: str) -> Problem:
    return Problem("GraphColoring", 1, (colours, tuple(edges.split()), tuple(given.split())))


def state_of(coloured: str) -> State:
    return State(tuple(sorted(coloured.split())))


PROBLEM = problem_of(3, "EH CE CF EG FH FG AD BC AC BF BH", "Bb Db Gb Hr")


def test_the_episode_of_the_docstring() -> None:
    written = [s.strip() for s in str(graph_coloring.__doc__).splitlines() if s.startswith("    ")]
    assert TASK.prompt(PROBLEM, "compact") == written[0]
    state = TASK.initial(PROBLEM)
    for left, line in zip((4, 3, 2, 1), written[1:], strict=True):
        assert TASK.potential(PROBLEM, state) == potential_at(left)
        verdict = TASK.step(PROBLEM, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(PROBLEM, state)
    assert TASK.show(PROBLEM, state) == "Ag Bb Cr Db Eg Fg Gb Hr"


@pytest.mark.parametrize(
    ("line", "kind", "coloured"),
    [
        ("A = g", Kind.CLAIM, "Ag Bb Db Gb Hr"),
        ("A=r", Kind.CLAIM, "Ar Bb Db Gb Hr"),
        ("  C  =  g  ", Kind.CLAIM, "Bb Cg Db Gb Hr"),  # a dead end, but valid
        ("E = g", Kind.CLAIM, "Bb Db Eg Gb Hr"),
        ("A = b", Kind.CLAIM, None),  # as D
        ("E = r", Kind.CLAIM, None),  # as H
        ("B = b", Kind.CLAIM, None),  # given
        ("B = r", Kind.CLAIM, None),
        ("A = y", Kind.CLAIM, None),  # no fourth colour
        ("A = x", Kind.CLAIM, None),
        ("I = r", Kind.CLAIM, None),  # no such vertex
        ("A = red", Kind.THOUGHT, None),
        ("A = R", Kind.THOUGHT, None),
        ("a = r", Kind.THOUGHT, None),
        ("Ar", Kind.THOUGHT, None),
        ("A = 1", Kind.THOUGHT, None),
        ("A = g, C = r", Kind.THOUGHT, None),
        ("A != g", Kind.THOUGHT, None),
        ("A =", Kind.THOUGHT, None),
        (TASK.prompt(PROBLEM, "compact"), Kind.THOUGHT, None),
    ],
)
def test_verdicts(line: str, kind: Kind, coloured: str | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    valid = coloured is not None or kind is Kind.THOUGHT
    assert (verdict.kind, verdict.valid) == (kind, valid)
    assert verdict.state == (state_of(coloured) if coloured else state)
    assert bool(verdict.reason) == (not valid)


def test_no_answer_is_asked_for() -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, "answer: Ag Cr Eg Fg")
    assert (verdict.kind, verdict.valid, verdict.state) == (Kind.ANSWER, False, state)


def test_a_valid_claim_can_be_a_dead_end() -> None:
    # F is joined to C, to B and G (blue) and to H (red).
    state = TASK.step(PROBLEM, TASK.initial(PROBLEM), "C = g").state
    assert TASK.potential(PROBLEM, state) == 0.0
    assert TASK.expert_step(PROBLEM, state, np.random.default_rng(0)) is None
    assert "A = r" in TASK.legal_steps(PROBLEM, state)
    assert not any(step.startswith("F") for step in TASK.legal_steps(PROBLEM, state))


def test_the_order_of_claims_does_not_matter() -> None:
    one = other = TASK.initial(PROBLEM)
    for line in ("A = g", "F = g"):
        one = TASK.step(PROBLEM, one, line).state
    for line in ("F = g", "A = g"):
        other = TASK.step(PROBLEM, other, line).state
    assert one == other


# -- The potential -------------------------------------------------------------------------------


def proper_colourings(problem: Problem) -> list[dict[str, str]]:
    """All that keep the given colours."""
    data: Any = problem.data
    count, edges, given = data
    vertices = sorted(set("".join(edges)))
    found = (dict(zip(vertices, c)) for c in product("rgby"[:count], repeat=len(vertices)))
    return [
        colouring
        for colouring in found
        if all(colouring[a] != colouring[b] for a, b in edges)
        and all(colouring[text[0]] == text[1] for text in given)
    ]


@pytest.mark.parametrize(("count", "vertices", "edges"), [(2, 6, 6), (3, 6, 11), (4, 6, 13)])
def test_potential_equals_brute_force(count: int, vertices: int, edges: int) -> None:
    rng = np.random.default_rng(count)
    pairs = [a + b for a, b in combinations("ABCDEF"[:vertices], 2)]
    values: list[float] = []
    while len(values) < 200:
        chosen = " ".join(pairs[i] for i in rng.choice(len(pairs), edges, replace=False))
        problem = problem_of(count, chosen, chosen[0] + "r")
        solutions = proper_colourings(problem)
        if not solutions:
            with pytest.raises(ValueError, match="No colouring"):
                TASK.initial(problem)
            continue
        state = TASK.initial(problem)
        while not TASK.is_solved(problem, state):
            coloured = {text[0]: text[1] for text in state.data}
            good = [s for s in solutions if coloured.items() <= s.items()]
            left = len(solutions[0]) - len(coloured)
            values.append(TASK.potential(problem, state))
            assert values[-1] == potential_at(left if good else None), (problem, state)
            steps = TASK.legal_steps(problem, state)
            rules = {
                f"{vertex} = {colour}"
                for vertex, colour in product(solutions[0], "rgby"[:count])
                if vertex not in coloured
                and not any(
                    coloured.get(other) == colour
                    for edge in chosen.split()
                    if vertex in edge
                    for other in edge.replace(vertex, "")
                )
            }
            assert set(steps) == rules
            if not steps:
                break
            state = TASK.step(problem, state, steps[int(rng.integers(len(steps)))]).state
    assert 0.0 in values


@pytest.mark.parametrize("level", TASK.levels)
def test_generated_problems(level: int) -> None:
    rng = np.random.default_rng(level)
    forms = set()
    for _ in range(50):
        problem = TASK.generate(rng, level)
        forms.add(TASK.canonical(problem))
        data: Any = problem.data
        state, count = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            line = str(TASK.expert_step(problem, state, rng))
            state, count = TASK.step(problem, state, line).state, count + 1
        colours: Any = dict(state.data)  # "Ar" is a pair, too
        assert all(colours[a] != colours[b] for a, b in data[1])
        assert set(data[2]) <= set(state.data)
        assert 2 * count <= TASK.budget(level).steps
    assert len(forms) > 45


# -- Texts and forms -----------------------------------------------------------------------------


def test_verbose_prompt() -> None:
    prompt = TASK.prompt(PROBLEM, "verbose")
    assert "the vertices A, B, C, D, E, F, G, H of" in prompt
    assert "the colours r (red), g (green), b (blue), so" in prompt
    assert "A-C, A-D, B-C, B-F, B-H, C-E, C-F, E-G, E-H, F-G, F-H\n" in prompt
    assert "Coloured already: B = b, D = b, G = b, H = r\n" in prompt


def test_nothing_given() -> None:
    problem = problem_of(2, "AB BC", "")
    assert TASK.prompt(problem, "compact") == "rg: AB BC: -"
    assert "Coloured already: none" in TASK.prompt(problem, "verbose")
    assert TASK.show(problem, TASK.initial(problem)) == "-"
    assert len(TASK.legal_steps(problem, TASK.initial(problem))) == 6


def variants(problem: Problem) -> Iterator[Problem]:
    """Other names and colours, another order, edges the other way round."""
    data: Any = problem.data
    count, edges, given = data
    for seed in range(3):
        rng = np.random.default_rng(seed)
        colours = "rgby"[:count]
        letters = graph_coloring.VERTICES + colours
        shuffled = [*rng.permutation(list(graph_coloring.VERTICES)), *rng.permutation([*colours])]
        names = str.maketrans(letters, "".join(shuffled))
        renamed = [edge.translate(names)[:: rng.choice((1, -1))] for edge in edges]
        order = tuple(str(edge) for edge in rng.permutation(renamed))
        coloured = tuple(text.translate(names) for text in given[::-1])
        yield replace(problem, data=(count, order, coloured))


def test_conformance() -> None:
    check_task(TASK, seeds=range(1), variants=variants)


def test_different_problems_have_different_forms() -> None:
    edges, given = "EH CE CF EG FH FG AD BC AC BF BH", "Bb Db Gb Hr"
    changed = [
        problem_of(4, edges, given),
        problem_of(3, edges, "Bb Db Gb"),
        problem_of(3, edges, "Bb Db Gr Hr"),
        problem_of(3, edges, "Bb Db Eb Hr"),
        problem_of(3, edges.replace("AC", "AE"), given),
    ]
    assert TASK.canonical(PROBLEM) not in {TASK.canonical(problem) for problem in changed}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("rgb: AB", "Expected .colours, edges, given."),
        ((3, ("AB",)), "Expected .colours, edges, given."),
        ((3.0, ("AB",), ()), "Expected .colours, edges, given."),
        (("3", ("AB",), ()), "Expected .colours, edges, given."),
        ((True, ("AB",), ()), "1 to 4 colours"),
        ((0, ("AB",), ()), "1 to 4 colours"),
        ((5, ("AB",), ()), "1 to 4 colours"),
        ((3, (), ()), "1 to 100 edges"),
        ((3, ("AB",) * 101, ()), "1 to 100 edges"),
        ((3, ("AA",), ()), "An edge is"),
        ((3, ("ABC",), ()), "An edge is"),
        ((3, ("AB\n",), ()), "An edge is"),
        ((3, ("Ab",), ()), "An edge is"),
        ((3, (("A", "B"),), ()), "An edge is"),
        ((3, ("AB", "BA"), ()), "edge BA is there twice"),
        ((3, ("AB",), ("Cr",)), "A given colour is"),
        ((3, ("AB",), ("Ay",)), "A given colour is"),
        ((3, ("AB",), ("A",)), "A given colour is"),
        ((3, ("AB",), (7,)), "A given colour is"),
        ((3, ("AB",), ("Ar", "Ag")), "A given colour is"),
        ((3, ("AB",), ("Ar", "Bg")), "has a colour already"),
        ((3, ("AB", "BC"), ("Ar", "Br")), "No colouring"),
        ((2, ("AB", "BC", "CA"), ()), "No colouring"),
    ],
)
def test_bad_data(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASK.initial(Problem("GraphColoring", 1, data))
