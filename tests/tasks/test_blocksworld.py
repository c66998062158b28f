"""Blocksworld: verdicts, and optimal plans against a search of its own."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Json, Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.blocksworld import Blocksworld

TASK = Blocksworld()
PROBLEM = Problem("Blocksworld", 1, (("BD", "CE", "FA"), ("A", "BD", "CFE")))
Towers = tuple[str, ...]


def test_the_episode_of_the_docstring() -> None:
    assert TASK.prompt(PROBLEM, "compact") == "BD CE FA -> A BD CFE"
    state = TASK.initial(PROBLEM)
    for left, line in enumerate(("E on table", "A on table", "F on C", "E on F")):
        assert TASK.potential(PROBLEM, state) == potential_at(4 - left)
        verdict = TASK.step(PROBLEM, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(PROBLEM, state)
    assert TASK.show(PROBLEM, state) == "A BD CFE -> A BD CFE"


@pytest.mark.parametrize(
    ("line", "kind", "after"),
    [
        ("D on E", Kind.CLAIM, ("B", "CED", "FA")),
        ("A on D", Kind.CLAIM, ("BDA", "CE", "F")),
        ("A on table", Kind.CLAIM, ("A", "BD", "CE", "F")),
        ("  A   on   D ", Kind.CLAIM, ("BDA", "CE", "F")),
        ("B on E", Kind.CLAIM, "something lies on B"),
        ("A on B", Kind.CLAIM, "something lies on B"),
        ("D on B", Kind.CLAIM, "something lies on B"),
        ("B on table", Kind.CLAIM, "something lies on B"),
        ("A on A", Kind.CLAIM, "cannot lie on itself"),
        ("Z on A", Kind.CLAIM, "no block Z"),
        ("A on Z", Kind.CLAIM, "no block Z"),
        ("AonB", Kind.THOUGHT, None),
        ("a on d", Kind.THOUGHT, None),
        ("A on Table", Kind.THOUGHT, None),
        ("A on BD", Kind.THOUGHT, None),
        ("table on A", Kind.THOUGHT, None),
        ("A on D on E", Kind.THOUGHT, None),
        ("move A on D", Kind.THOUGHT, None),
        ("A on D.", Kind.THOUGHT, None),
        ("A on" + " " * 9_990 + "!", Kind.THOUGHT, None),
        ("BD CE FA -> A BD CFE", Kind.THOUGHT, None),
        ("answer: A BD CFE", Kind.ANSWER, "no answer"),
    ],
)
def test_verdicts(line: str, kind: Kind, after: Towers | str | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    assert (verdict.kind, verdict.valid) == (kind, not isinstance(after, str))
    assert verdict.state == (State(after) if isinstance(after, tuple) else state)
    assert (after if isinstance(after, str) else "") in verdict.reason
    assert bool(verdict.reason) == (not verdict.valid)


def test_a_block_on_the_table_stays() -> None:
    verdict = TASK.step(PROBLEM, State(("A", "BD", "CE", "F")), "A on table")
    assert (verdict.valid, verdict.reason) == (False, "A is on the table already")


def test_the_order_of_the_towers_is_no_matter() -> None:
    problem = Problem("Blocksworld", 1, (("FA", "CE", "BD"), ("CFE", "BD", "A")))
    assert TASK.initial(problem) == TASK.initial(PROBLEM)
    state = State(("A", "BD", "CF", "E"))
    assert TASK.is_solved(problem, TASK.step(problem, state, "E on F").state)


def all_towers(blocks: str) -> set[Towers]:
    """Every way to pile up the blocks."""
    if not blocks:
        return {()}
    first, found = blocks[0], set()
    for towers in all_towers(blocks[1:]):
        found.add(tuple(sorted((*towers, first))))
        for tower in towers:
            rest = [other for other in towers if other != tower]
            for height in range(len(tower) + 1):
                found.add(tuple(sorted((*rest, tower[:height] + first + tower[height:]))))
    return found


def after_each_move(towers: Towers) -> Iterator[Towers]:
    for i, tower in enumerate(towers):
        lower = [*towers[:i], tower[:-1], *towers[i + 1 :]]
        for j in range(len(lower)):
            if j != i:
                piled = [t + tower[-1] * (k == j) for k, t in enumerate(lower)]
                yield tuple(sorted(t for t in piled if t))
        if lower[i]:
            yield tuple(sorted((*lower, tower[-1])))


@pytest.mark.parametrize(("blocks", "goals"), [(2, 3), (3, 13), (4, 8), (5, 5)])
def test_potential_and_legal_steps_equal_brute_force(blocks: int, goals: int) -> None:
    everything = sorted(all_towers("ABCDE"[:blocks]))
    assert len(everything) == {2: 3, 3: 13, 4: 73, 5: 501}[blocks]
    following = {towers: sorted(after_each_move(towers)) for towers in everything}
    for towers, after in following.items():
        legal = TASK.legal_steps(PROBLEM, State(towers))
        steps = [TASK.step(PROBLEM, State(towers), line).state.data for line in legal]
        assert sorted(steps) == after
    rng = np.random.default_rng(blocks)
    for i in rng.permutation(len(everything))[:goals]:
        goal = everything[i]
        problem = Problem("Blocksworld", 1, (everything[0], goal))
        seen, layer, distance = {goal}, {goal}, 0
        while layer:
            for towers in layer:
                assert TASK.potential(problem, State(towers)) == potential_at(distance), towers
            # Moves can be taken back, so ways from the goal are ways to it.
            layer = {after for towers in layer for after in following[towers]} - seen
            seen |= layer
            distance += 1
        assert len(seen) == len(everything), "all was compared"


@pytest.mark.parametrize(
    ("start", "goal", "moves"),
    [
        (("AB",), ("BA",), 2),  # B to the table, A onto it
        (("ABC",), ("ACB",), 4),  # C may not lie on A before B has left, nor B on C before that
        (("AB", "CD"), ("AD", "CB"), 3),  # B and D swap: one of them twice
        (("AB", "CD", "EF"), ("AD", "CF", "EB"), 4),
        (("AB", "CD", "EF", "GH"), ("AD", "CB", "EH", "GF"), 6),
        (("ABCDEFGHIJKLMN",), ("NMLKJIHGFEDCBA",), 14),
        (("ABCDEFGHIJKLMN",), ("BACDEFGHIJKLMN",), 26),
    ],
)
def test_known_plans(start: Towers, goal: Towers, moves: int) -> None:
    problem = Problem("Blocksworld", 1, (start, goal))
    assert TASK.potential(problem, TASK.initial(problem)) == potential_at(moves)


def renamed(problem: Problem) -> Iterator[Problem]:
    rng = np.random.default_rng(0)
    names = "ABCDEFGHIJKLMN"
    start, goal = problem.data
    for _ in range(5):
        table = str.maketrans(names, "".join(rng.permutation(list(names))))
        both = [[tower.translate(table) for tower in towers] for towers in (start, goal)]
        for towers in both:
            rng.shuffle(towers)
        yield Problem(problem.task, problem.level, tuple(tuple(towers) for towers in both))


def test_conforms() -> None:
    check_task(TASK, seeds=range(3), variants=renamed)


def test_canonical_tells_apart_what_no_renaming_makes_equal() -> None:
    """As many forms of the problems of three blocks as there are if every renaming is tried."""
    everything = sorted(all_towers("ABC"))
    forms, classes = set(), set()
    for start in everything:
        for goal in everything:
            forms.add(TASK.canonical(Problem("Blocksworld", 1, (start, goal))))
            tables = [str.maketrans("ABC", "".join(names)) for names in permutations("ABC")]
            classes.add(
                min(
                    tuple(tuple(sorted(t.translate(table) for t in ts)) for ts in (start, goal))
                    for table in tables
                )
            )
    assert len(forms) == len(classes) == 29


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("AB -> BA", "Expected .start, goal"),
        ((("AB",),), "Expected .start, goal"),
        (("AB", "BA"), "Expected towers"),
        ((("AB", ""), ("BA",)), "Expected towers"),
        ((("AB", 1), ("BA",)), "Expected towers"),
        ((("AB",), (("B", "A"),)), "Expected towers"),
        ((("AB",), ("BAC",)), "same blocks"),
        ((("AB",), ("A",)), "same blocks"),
        ((("aB",), ("Ba",)), "capital letters"),
        ((("AB A",), ("BA A",)), "capital letters"),
        ((("AA",), ("A", "A")), "capital letters"),
        (((), ()), "1 to 14 blocks"),
        ((("ABCDEFGHIJKLMNO",), ("ABCDEFGHIJKLMN", "O")), "1 to 14 blocks"),
        ((("A", "BC"), ("BC", "A")), "before the first move"),
    ],
)
def test_bad_problems(data: Json, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TASK.initial(Problem("Blocksworld", 1, data))


@pytest.mark.parametrize("level", TASK.levels)
def test_expert_and_duplicates(level: int) -> None:
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(200)]
    assert len({TASK.canonical(problem) for problem in problems}) > 190
    steps = TASK.budget(level).steps
    for problem in problems[:50]:
        state, written = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            line = TASK.expert_step(problem, state, rng)
            state = TASK.step(problem, state, str(line)).state
            written += 1
        assert 2 * written <= steps
