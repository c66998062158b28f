"""Hanoi: verdicts, and the potential against a search of its own and known lengths."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Json, Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.hanoi import Hanoi

TASK = Hanoi()
PROBLEM = Problem("Hanoi", 1, (4, "DBBAA", "CDBCD"))


def test_the_episode_of_the_docstring() -> None:
    assert TASK.prompt(PROBLEM, "compact") == "4 pegs: DBBAA -> CDBCD"
    state = TASK.initial(PROBLEM)
    for left, line in enumerate(("4: A -> C", "1: D -> C", "5: A -> D", "2: B -> D")):
        assert TASK.potential(PROBLEM, state) == potential_at(4 - left)
        verdict = TASK.step(PROBLEM, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(PROBLEM, state)
    assert TASK.show(PROBLEM, state) == "4 pegs: CDBCD -> CDBCD"


def test_verbose_prompt_lists_the_towers() -> None:
    prompt = TASK.prompt(PROBLEM, "verbose")
    assert "Now: A holds 5, 4; B holds 3, 2; C holds nothing; D holds 1 (bottom to top)." in prompt
    assert "Goal: A holds nothing; B holds 3; C holds 4, 1; D holds 5, 2 (bottom" in prompt


@pytest.mark.parametrize(
    ("line", "kind", "after"),
    [
        ("1: D -> A", Kind.CLAIM, "ABBAA"),
        ("1: D -> C", Kind.CLAIM, "CBBAA"),
        ("2: B -> A", Kind.CLAIM, "DABAA"),
        ("4: A -> C", Kind.CLAIM, "DBBCA"),
        (" 4:A->C ", Kind.CLAIM, "DBBCA"),
        ("2: B -> D", Kind.CLAIM, None),  # onto the smaller disk 1
        ("3: B -> C", Kind.CLAIM, None),  # from under disk 2
        ("5: A -> C", Kind.CLAIM, None),
        ("4: A -> B", Kind.CLAIM, None),
        ("1: A -> C", Kind.CLAIM, None),
        ("1: D -> D", Kind.CLAIM, None),
        ("1: D -> E", Kind.CLAIM, None),
        ("1: Z -> D", Kind.CLAIM, None),
        ("01: D -> A", Kind.CLAIM, None),
        ("0: D -> A", Kind.CLAIM, None),
        ("6: D -> A", Kind.CLAIM, None),
        ("9" * 10_000 + ": D -> A", Kind.CLAIM, None),
        ("1: d -> a", Kind.THOUGHT, None),
        ("1: D - A", Kind.THOUGHT, None),
        ("1 D -> A", Kind.THOUGHT, None),
        ("D -> A", Kind.THOUGHT, None),
        ("1: D -> A -> C", Kind.THOUGHT, None),
        ("-1: D -> A", Kind.THOUGHT, None),
        ("\u0661: D -> A", Kind.THOUGHT, None),
        ("4 pegs: DBBAA -> CDBCD", Kind.THOUGHT, None),
        ("answer: CDBCD", Kind.ANSWER, None),
    ],
)
def test_verdicts(line: str, kind: Kind, after: str | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    assert (verdict.kind, verdict.valid) == (kind, after is not None or kind is Kind.THOUGHT)
    assert verdict.state == (State(after) if after else state)
    assert bool(verdict.reason) == (not verdict.valid)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2: B -> D", "a disk smaller than 2 is on B or D"),
        ("1: A -> C", "disk 1 is not on A"),
        ("1: D -> D", "a move ends on another peg"),
        ("1: D -> E", "there is no peg E"),
        ("6: D -> A", "there is no disk 6"),
    ],
)
def test_reasons(line: str, reason: str) -> None:
    assert TASK.step(PROBLEM, TASK.initial(PROBLEM), line).reason == reason


@pytest.mark.parametrize("disks", range(1, 9))
def test_known_lengths(disks: int) -> None:
    """2**n - 1 moves for a tower on three pegs; Bousch (2014) proved the lengths on four."""
    three = Problem("Hanoi", 1, (3, "A" * disks, "C" * disks))
    assert TASK.potential(three, TASK.initial(three)) == potential_at(2**disks - 1)
    if disks <= 6:
        four = Problem("Hanoi", 1, (4, "A" * disks, "C" * disks))
        wanted = {1: 1, 2: 3, 3: 5, 4: 9, 5: 13, 6: 17}[disks]
        assert TASK.potential(four, TASK.initial(four)) == potential_at(wanted)


def after_each_move(pegs: str, arrangement: str) -> Iterator[str]:
    """By the rules: no smaller disk on the moved disk, none where it goes."""
    for disk, source in enumerate(arrangement):
        smaller = arrangement[:disk]
        if source not in smaller:
            for target in set(pegs) - {source} - set(smaller):
                yield smaller + target + arrangement[disk + 1 :]


@pytest.mark.parametrize(("pegs", "disks"), [(3, 1), (3, 3), (3, 5), (4, 3)])
def test_potential_and_legal_steps_equal_brute_force(pegs: int, disks: int) -> None:
    names = "ABCD"[:pegs]
    everything = ["".join(letters) for letters in product(names, repeat=disks)]
    rng = np.random.default_rng(pegs)
    for goal in rng.choice(everything, size=3):
        problem = Problem("Hanoi", 1, (pegs, everything[0], str(goal)))
        seen, layer, distance = {str(goal)}, {str(goal)}, 0
        while layer:
            for arrangement in layer:
                state = State(arrangement)
                assert TASK.potential(problem, state) == potential_at(distance)
                legal = TASK.legal_steps(problem, state)
                following = [str(TASK.step(problem, state, line).state.data) for line in legal]
                assert sorted(following) == sorted(after_each_move(names, arrangement))
            layer = {n for a in layer for n in after_each_move(names, a)} - seen
            seen |= layer
            distance += 1
        assert len(seen) == len(everything), "all was compared"


def renamed(problem: Problem) -> Iterator[Problem]:
    """The same with other names of the pegs, and with larger disks in their places."""
    pegs, start, goal = problem.data
    for names in permutations("ABCD"[:pegs]):
        table = str.maketrans("ABCD"[:pegs], "".join(names))
        texts = (start.translate(table), goal.translate(table))
        yield Problem(problem.task, problem.level, (pegs, *texts))
        if problem.level == 1:
            yield Problem(problem.task, 1, (pegs, *(text + "B" for text in texts)))


def test_conforms() -> None:
    check_task(TASK, seeds=range(3), variants=renamed)


@pytest.mark.parametrize("other", [(3, "CBBAA", "CABCC"), (4, "CDBCD", "DBBAA")])
def test_canonical_keeps_what_matters(other: Json) -> None:
    assert TASK.canonical(Problem("Hanoi", 1, other)) != TASK.canonical(PROBLEM)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("4 pegs", "Expected .pegs"),
        ((4, "AB"), "Expected .pegs"),
        ((2, "AB", "BA"), "3 or 4 pegs"),
        ((3.0, "AB", "BA"), "3 or 4 pegs"),
        ((True, "AB", "BA"), "3 or 4 pegs"),
        ((3, "", ""), "1 to 8 disks"),
        ((3, "A" * 9, "B" * 9), "1 to 8 disks"),
        ((4, "A" * 7, "B" * 7), "1 to 6 disks"),
        ((3, ("A", "B"), "BA"), "1 to 8 disks"),
        ((3, "AD", "BA"), "pegs among ABC"),
        ((4, "AE", "BA"), "pegs among ABCD"),
        ((3, "AB", "BAC"), "as many disks"),
        ((3, "AB", "AB"), "before the first move"),
    ],
)
def test_bad_problems(data: Json, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TASK.initial(Problem("Hanoi", 1, data))


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
