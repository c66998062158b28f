"""Sudoku: verdicts, solutions and the potential against a search of their own, equal problems."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import sudoku
from reason_env.tasks.sudoku import BOXES, Sudoku

TASK = Sudoku()


def problem_of(*rows: str) -> Problem:
    return Problem("Sudoku", 1, rows)


PROBLEM = problem_of("4.3.", "32.4", "14..", "2.41")
SOLVED = ("4132", "3214", "1423", "2341")
HARD = problem_of(  # as published by Arto Inkala in 2012
    "8........",
    "..36.....",
    ".7..9.2..",
    ".5...7...",
    "....457..",
    "...1...3.",
    "..1....68",
    "..85...1.",
    ".9....4..",
)


def test_the_episode_of_the_docstring() -> None:
    written = [s.strip() for s in str(sudoku.__doc__).splitlines() if s.startswith("    ")]
    assert TASK.prompt(PROBLEM, "compact") == written[0]
    state = TASK.initial(PROBLEM)
    for left, line in zip((6, 5, 4, 3, 2, 1), written[1:], strict=True):
        assert TASK.potential(PROBLEM, state) == potential_at(left)
        verdict = TASK.step(PROBLEM, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(PROBLEM, state)
    assert state == State(SOLVED)


@pytest.mark.parametrize(
    ("line", "kind", "row"),
    [
        ("r1c2 = 1", Kind.CLAIM, "413."),
        ("r1c2=1", Kind.CLAIM, "413."),
        ("  r1c2  =  1  ", Kind.CLAIM, "413."),
        ("r1c4 = 1", Kind.CLAIM, None),  # in its column
        ("r1c2 = 3", Kind.CLAIM, None),  # in its row
        ("r2c3 = 4", Kind.CLAIM, None),
        ("r3c3 = 4", Kind.CLAIM, None),
        ("r1c1 = 4", Kind.CLAIM, None),  # not empty
        ("r1c1 = 1", Kind.CLAIM, None),
        ("r0c2 = 1", Kind.CLAIM, None),
        ("r5c2 = 1", Kind.CLAIM, None),
        ("r1c0 = 1", Kind.CLAIM, None),
        ("r1c5 = 1", Kind.CLAIM, None),
        ("r1c2 = 0", Kind.CLAIM, None),
        ("r1c2 = 5", Kind.CLAIM, None),
        ("r1c2 = 12", Kind.CLAIM, None),
        ("r1c2 = 01", Kind.CLAIM, None),
        ("r01c2 = 1", Kind.CLAIM, None),
        ("r12c1 = 1", Kind.CLAIM, None),
        ("r1c2 = " + "1" * 9_000, Kind.CLAIM, None),
        ("r" + "1" * 9_000 + "c2 = 1", Kind.CLAIM, None),
        ("r1c2 = .", Kind.THOUGHT, None),
        ("r1c2 = -1", Kind.THOUGHT, None),
        ("r1c2", Kind.THOUGHT, None),
        ("R1C2 = 1", Kind.THOUGHT, None),
        ("r1 c2 = 1", Kind.THOUGHT, None),
        ("r1c2 = 1, r1c4 = 2", Kind.THOUGHT, None),
        ("r\u0661c2 = 1", Kind.THOUGHT, None),
        ("1", Kind.THOUGHT, None),
        (TASK.prompt(PROBLEM, "compact"), Kind.THOUGHT, None),
    ],
)
def test_verdicts(line: str, kind: Kind, row: str | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    valid = row is not None or kind is Kind.THOUGHT
    assert (verdict.kind, verdict.valid) == (kind, valid)
    assert verdict.state == (State((row, *PROBLEM.data[1:])) if row else state)
    assert bool(verdict.reason) == (not valid)


@pytest.mark.parametrize(
    ("line", "where"),
    [("r1c2 = 8", "row of r1c2"), ("r9c1 = 8", "column of r9c1"), ("r8c9 = 6", "box of r8c9")],
)
def test_reasons_name_the_conflict(line: str, where: str) -> None:
    verdict = TASK.step(HARD, TASK.initial(HARD), line)
    assert not verdict.valid
    assert where in verdict.reason


def test_boxes_of_six_are_two_rows_high() -> None:
    problem = Problem("Sudoku", 3, ("1.....", *(6 * ".",) * 5))
    state = State(problem.data)
    assert not TASK.step(problem, state, "r2c3 = 1").valid
    assert TASK.step(problem, state, "r2c4 = 1").valid
    assert TASK.step(problem, state, "r3c2 = 1").valid


def test_no_answer_is_asked_for() -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, "answer: 1")
    assert (verdict.kind, verdict.valid, verdict.state) == (Kind.ANSWER, False, state)


# -- The potential -------------------------------------------------------------------------------


def allowed(grid: list[list[str]], row: int, column: int) -> list[str]:
    """The digits that the rules allow in a cell."""
    high, wide = BOXES[len(grid)]
    top, left = row // high * high, column // wide * wide
    seen = {*grid[row], *(line[column] for line in grid)}
    seen |= {grid[i][j] for i in range(top, top + high) for j in range(left, left + wide)}
    return [digit for digit in "123456789"[: len(grid)] if digit not in seen]


def completions(grid: list[list[str]]) -> Iterator[tuple[str, ...]]:
    """All of them, by backtracking over the cell with fewest digits."""
    size = len(grid)
    empty = [(i, j) for i in range(size) for j in range(size) if grid[i][j] == "."]
    if not empty:
        yield tuple("".join(row) for row in grid)
        return
    row, column = min(empty, key=lambda cell: len(allowed(grid, *cell)))
    for digit in allowed(grid, row, column):
        grid[row][column] = digit
        yield from completions(grid)
        grid[row][column] = "."


def grid_of(rows: Any) -> list[list[str]]:
    return [list(row) for row in rows]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_potential_equals_brute_force(level: int) -> None:
    rng = np.random.default_rng(level)
    dead = 0
    for _ in range(5):
        problem = TASK.generate(rng, level)
        assert len(list(completions(grid_of(problem.data)))) == 1
        state = TASK.initial(problem)
        while not TASK.is_solved(problem, state):
            grid: Any = state.data
            open_ = next(completions(grid_of(grid)), None) is not None
            left = "".join(grid).count(".")
            assert TASK.potential(problem, state) == potential_at(left if open_ else None)
            dead += not open_
            steps = TASK.legal_steps(problem, state)
            cells = {step.partition(" = ")[0] for step in steps}
            assert len(cells) == min(left, sudoku.CHOICE) or not open_
            for step in steps:
                row, column = int(step[1]) - 1, int(step[3]) - 1
                assert step[-1] in allowed(grid_of(grid), row, column)
            if not steps:
                break
            state = TASK.step(problem, state, steps[int(rng.integers(len(steps)))]).state
    assert dead


def test_a_hard_one() -> None:
    state, rng = TASK.initial(HARD), np.random.default_rng(0)
    assert TASK.potential(HARD, state) == potential_at(60)
    while not TASK.is_solved(HARD, state):
        state = TASK.step(HARD, state, str(TASK.expert_step(HARD, state, rng))).state
    solution = "812753649943682175675491283154237896369845721287169534521974368438526917796318452"
    assert "".join(state.data) == solution


@pytest.mark.parametrize("level", TASK.levels)
def test_generated_problems(level: int) -> None:
    rng = np.random.default_rng(level)
    forms = set()
    for _ in range(50):
        problem = TASK.generate(rng, level)
        forms.add(TASK.canonical(problem))
        state, count = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            line = str(TASK.expert_step(problem, state, rng))
            state, count = TASK.step(problem, state, line).state, count + 1
        grid = grid_of(state.data)
        for row, column in np.ndindex(len(grid), len(grid)):
            digit, grid[row][column] = grid[row][column], "."
            assert allowed(grid, row, column) == [digit]
            grid[row][column] = digit
        assert 2 * count <= TASK.budget(level).steps
    assert len(forms) > 45


# -- Texts and forms -----------------------------------------------------------------------------


def test_verbose_prompt() -> None:
    prompt = TASK.prompt(PROBLEM, "verbose")
    assert "4x4 Sudoku" in prompt
    assert "box of 2 rows and 2 columns holds each digit from 1 to 4 once:\n4 . 3 .\n" in prompt


def variants(problem: Problem) -> Iterator[Problem]:
    """Other digits, and the grid turned and mirrored as far as the boxes allow."""
    rows: Any = problem.data
    size = len(rows)
    high, wide = BOXES[size]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        digits = "".join(str(d + 1) for d in rng.permutation(size))
        names = str.maketrans("123456789"[:size], digits)
        grid = [row.translate(names) for row in rows]
        if seed % 2:
            grid = [row[::-1] for row in grid]
        if seed > 1:
            grid = grid[::-1]
        yield replace(problem, data=tuple(grid))
        if high == wide:
            yield replace(problem, data=tuple("".join(column) for column in zip(*grid)))


def test_conformance() -> None:
    check_task(TASK, seeds=range(2), variants=variants)


def test_different_problems_have_different_forms() -> None:
    changed = [
        problem_of("413.", *PROBLEM.data[1:]),
        problem_of("4...", *PROBLEM.data[1:]),
        problem_of("4.3.", "321.", "14..", "2.41"),
    ]
    assert TASK.canonical(PROBLEM) not in {TASK.canonical(problem) for problem in changed}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("4.3. 32.4 14.. 2.41", "4, 6 or 9 rows"),
        (("4.3.", "32.4", "14.."), "4, 6 or 9 rows"),
        (("4.3.", "32.4", "14..", "2.4"), "a row of 4"),
        (("4.3.", "32.4", "14..", "2.45"), "a row of 4"),
        (("4.3.", "32.4", "14..", "2.40"), "a row of 4"),
        (("4.3.", "32.4", "14..", "2.4 "), "a row of 4"),
        (("4.3.", "32.4", "14..", 2341), "a row of 4"),
        (("4.3.", "32.4", "14..", ("2", ".", "4", "1")), "a row of 4"),
        (SOLVED, "No cell is empty"),
        (("44..", "....", "....", "...."), "has no solution"),
        (("4.3.", "32.4", "14..", "3.41"), "has no solution"),
        (("....", "....", "....", "...."), "more than one solution"),
        (("4.3.", "..14", "14..", "...."), "more than one solution"),
    ],
)
def test_bad_data(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASK.initial(Problem("Sudoku", 1, data))


def test_a_grid_without_a_solution_is_refused_at_once(soon: Callable[..., Any]) -> None:
    """Backtracking takes a quarter of an hour to see that this one (Norvig, 2010) has none."""
    cells = ".....5.8....6.1.43..........1.5........1.6...3.......553.....61........4........."
    problem = problem_of(*(cells[i : i + 9] for i in range(0, 81, 9)))

    def refused() -> None:
        with pytest.raises(ValueError, match="has no solution"):
            TASK.initial(problem)

    soon(1.0, refused)
