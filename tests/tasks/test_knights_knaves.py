"""KnightsKnaves: verdicts, and what follows, against a solver of its own in plain Python."""

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import knights_knaves
from reason_env.tasks.knights_knaves import KnightsKnaves
from reason_env.tasks.knights_text import NAMES, puzzle_of
from reason_env.tasks.logic_text import Formula, parse_formula

TASK = KnightsKnaves()


def problem_of(*statements: str) -> Problem:
    return Problem("KnightsKnaves", 1, statements)


PROBLEM = problem_of("~D", "~C", "B | ~A", "C", "B & ~F", "E")


def after(problem: Problem, *written: str) -> State:
    state = TASK.initial(problem)
    for line in written:
        verdict = TASK.step(problem, state, line)
        assert verdict.valid, (line, verdict.reason)
        state = verdict.state
    return state


def test_the_episode_of_the_docstring() -> None:
    assert knights_knaves.__doc__ is not None
    shown = [s.strip() for s in knights_knaves.__doc__.splitlines() if s.startswith("    ")]
    prompt, *written = shown
    assert TASK.prompt(PROBLEM, "compact") == prompt
    state = TASK.initial(PROBLEM)
    for left, line in zip(range(len(written), 0, -1), written):
        assert TASK.potential(PROBLEM, state) == potential_at(left)
        assert line in TASK.legal_steps(PROBLEM, state)
        state = TASK.step(PROBLEM, state, line).state
    assert TASK.is_solved(PROBLEM, state)


@pytest.mark.parametrize(
    ("line", "kind", "facts"),
    [
        ("~B", Kind.CLAIM, ("~B", "D")),
        (" ~ B ", Kind.CLAIM, ("~B", "D")),
        ("B", Kind.CLAIM, None),
        ("D", Kind.CLAIM, ("D",)),  # known already
        ("~D", Kind.CLAIM, None),
        ("A = ~D", Kind.CLAIM, ("D", "A = ~D")),
        ("~A=D", Kind.CLAIM, ("D", "A = ~D")),
        ("D = ~A", Kind.CLAIM, ("D", "A = ~D")),
        ("~D = A", Kind.CLAIM, ("D", "A = ~D")),
        ("~A = ~D", Kind.CLAIM, None),
        ("A = D", Kind.CLAIM, None),
        ("B = ~C", Kind.CLAIM, ("D", "B = ~C")),
        ("A = A", Kind.CLAIM, None),
        ("A = ~A", Kind.CLAIM, None),
        ("G", Kind.CLAIM, None),
        ("Z = A", Kind.CLAIM, None),
        ("B is a knave", Kind.THOUGHT, None),
        ("~~B", Kind.THOUGHT, None),
        ("B & D", Kind.THOUGHT, None),
        ("A:~D B:~C C:B|~A D:C E:B&~F F:E", Kind.THOUGHT, None),
        ("A = B = C", Kind.THOUGHT, None),
        ("b", Kind.THOUGHT, None),
    ],
)
def test_claims(line: str, kind: Kind, facts: tuple[str, ...] | None) -> None:
    state = after(PROBLEM, "D")
    verdict = TASK.step(PROBLEM, state, line)
    assert verdict.kind is kind
    assert verdict.valid == (facts is not None or kind is Kind.THOUGHT)
    assert verdict.state == (State(facts) if facts else state)
    assert bool(verdict.reason) == (not verdict.valid)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("~A ~B C D ~E ~F", True),
        ("~A, ~B, C, D, ~E, ~F", True),
        ("~A  ~B  C  D  ~E  ~F", True),
        ("~A ~B C D ~E F", False),
        ("~A ~B C D ~E", False),
        ("~A ~B C D ~F ~E", False),
        ("~A ~B C D ~E ~F ~G", False),
        ("~A ~B C D ~E ~F F", False),
        ("A ~A B ~B C ~C D ~D E ~E F ~F", False),
        ("C D", False),
        ("", False),
        ("~A~BCD~E~F", False),
        ("~a ~b c d ~e ~f", False),
        ("knave knave knight knight knave knave", False),
        ("A " * 4_000, False),
    ],
)
def test_answers(answer: str, right: bool) -> None:
    verdict = TASK.step(PROBLEM, TASK.initial(PROBLEM), f"answer: {answer}")
    assert (verdict.kind, verdict.valid) == (Kind.ANSWER, right)
    assert TASK.is_solved(PROBLEM, verdict.state) == right
    assert TASK.potential(PROBLEM, verdict.state) == float(right)
    assert TASK.legal_steps(PROBLEM, verdict.state) == []
    assert bool(verdict.reason) == (not right)


@pytest.mark.parametrize(
    "line",
    [
        "A =" + " " * 9_990 + "~",
        "~" + " " * 9_990,
        "A" + " = " * 3_000,
        "answer: " + "~A, " * 2_490,
    ],
)
def test_long_lines_are_judged_at_once(soon: Callable[..., Any], line: str) -> None:
    soon(0.05, TASK.step, PROBLEM, TASK.initial(PROBLEM), line)


def test_true_claims_that_do_not_follow_yet_are_refused() -> None:
    problem = problem_of("B | D", "~C & A", "B = A", "C = B")
    start = TASK.initial(problem)
    assert TASK.legal_steps(problem, start) == ["~B"]
    for claim in ("~A", "C", "~D"):
        assert not TASK.step(problem, start, claim).valid
    assert after(problem, "~B", "~A", "C", "~D", "answer: ~A ~B C ~D").answer


def test_relations_are_kept_while_they_say_something() -> None:
    state = after(PROBLEM, "D = C", "D = ~B", "C = ~B")
    assert state.data == ("B = ~C", "B = ~D")
    # What is related to a known kind is not known before it is claimed.
    assert TASK.potential(PROBLEM, state) == potential_at(7)
    state = after(PROBLEM, "D = C", "D = ~B", "D")
    assert state.data == ("D", "B = ~D", "C = D")
    assert {"~B", "C"} <= set(TASK.legal_steps(PROBLEM, state))
    assert after(PROBLEM, "D = C", "D = ~B", "D", "~B", "C").data == ("~B", "C", "D")


# -- Reasoning by an independent way -------------------------------------------------------------

Worlds = list[tuple[bool, ...]]


def holds(formula: Formula, world: tuple[bool, ...]) -> bool:
    if not formula.parts:
        return world[NAMES.index(formula.sign)]
    values = [holds(part, world) for part in formula.parts]
    if formula.sign == "~":
        return not values[0]
    left, right = values
    return {"&": left and right, "|": left or right, "->": not left or right, "=": left == right}[
        formula.sign
    ]


def says(text: str, world: tuple[bool, ...]) -> bool:
    if text.endswith("+"):
        return sum(world) >= int(text[:-1])
    return sum(world) == int(text) if text.isdecimal() else holds(parse_formula(text), world)


def contradicts(said: list[str], kinds: dict[int, bool]) -> bool:
    """Direct consequences, statement by statement over all worlds."""
    kinds = dict(kinds)
    while True:
        before = len(kinds)
        for speaker, text in enumerate(said):
            worlds = [
                world
                for world in product((True, False), repeat=len(said))
                if all(world[i] == k for i, k in kinds.items())
                and says(text, world) == world[speaker]
            ]
            if not worlds:
                return True
            for i in range(len(said)):
                if len({world[i] for world in worlds}) == 1:
                    kinds[i] = worlds[0][i]
        if len(kinds) == before:
            return False


@pytest.mark.parametrize("level", TASK.levels)
def test_statements_mean_what_they_say(level: int) -> None:
    """In all worlds; at the higher levels there are counts and nested statements."""
    rng = np.random.default_rng(level)
    for _ in range(4):
        problem = TASK.generate(rng, level)
        said = [str(text) for text in problem.data]  # type: ignore[union-attr]
        for speaker, constraint in enumerate(puzzle_of(problem.data).constraints):
            for bits in rng.integers(1 << len(said), size=64).tolist():
                world = tuple(bool(bits >> i & 1) for i in range(len(said)))
                assert (constraint >> bits & 1) == (says(said[speaker], world) == world[speaker])


@pytest.mark.parametrize(("level", "trials"), [(1, 8), (2, 4)])
def test_verdicts_equal_an_independent_reasoner(level: int, trials: int) -> None:
    rng = np.random.default_rng(level)
    late = 0
    for _ in range(trials):
        problem = TASK.generate(rng, level)
        said = [str(text) for text in problem.data]  # type: ignore[union-attr]
        every = list(product((True, False), repeat=len(said)))
        solutions = [w for w in every if all(says(t, w) == w[i] for i, t in enumerate(said))]
        assert len(solutions) == 1
        state, kinds = TASK.initial(problem), dict[int, bool]()
        while len(kinds) < len(said):
            legal = []
            for i, knight in product(range(len(said)), (True, False)):
                claim = ("" if knight else "~") + NAMES[i]
                valid = contradicts(said, {**kinds, i: not knight}) if i not in kinds else None
                if valid is not None:
                    assert TASK.step(problem, state, claim).valid == valid, claim
                    late += not valid and solutions[0][i] == knight
                    legal += [claim] if valid else []
            assert sorted(TASK.legal_steps(problem, state)) == sorted(legal)
            assert TASK.potential(problem, state) == potential_at(len(said) - len(kinds) + 1)
            claim = legal[int(rng.integers(len(legal)))]
            kinds[NAMES.index(claim[-1])] = "~" not in claim
            state = TASK.step(problem, state, claim).state
    assert late, "some truths were refused because they did not follow yet"


@pytest.mark.parametrize("level", TASK.levels)
def test_claims_are_sound_and_relations_lose_nothing(level: int) -> None:
    """Every valid claim is true, and after any of them the expert needs as many lines as said."""
    rng = np.random.default_rng(level)
    for _ in range(10):
        problem = TASK.generate(rng, level)
        puzzle = puzzle_of(problem.data)
        people = len(puzzle.knights)
        world = [bool(puzzle.possible & knights) for knights in puzzle.knights]
        state = TASK.initial(problem)
        for i, j in combinations(range(people), 2):
            verdicts = {
                differ: TASK.step(problem, state, f"{NAMES[i]} = {'~' * differ}{NAMES[j]}")
                for differ in (True, False)
            }
            assert not verdicts[world[i] == world[j]].valid
            state = verdicts[world[i] != world[j]].state
        assert len(state.data) < people  # type: ignore[arg-type]
        while state.answer is None:
            known = sum(len(str(fact)) < 3 for fact in state.data)  # type: ignore[union-attr]
            assert TASK.potential(problem, state) == potential_at(people - known + 1)
            line = TASK.expert_step(problem, state, rng)
            assert line is not None
            state = TASK.step(problem, state, line).state
        assert TASK.is_solved(problem, state)


def variants(problem: Problem) -> Iterator[Problem]:
    """Other orders of people, and other orders within statements."""
    rng = np.random.default_rng(3)
    said = [str(text) for text in problem.data]  # type: ignore[union-attr]
    for _ in range(3):
        place = rng.permutation(len(said))
        table = {ord(NAMES[i]): NAMES[place[i]] for i in range(len(said))}
        moved = dict(zip(place.tolist(), (text.translate(table) for text in said)))
        yield Problem("KnightsKnaves", problem.level, tuple(map(moved.get, range(len(said)))))
    swapped = []
    for text in said:
        left, sign, right = text.partition(" & ") if "(" not in text else (text, "", "")
        swapped.append(right + sign + left if sign else text)
    yield Problem("KnightsKnaves", problem.level, tuple(swapped))


@pytest.mark.parametrize("level", TASK.levels)
def test_conformance(level: int) -> None:
    check_task(TASK, levels=[level], seeds=range(3), variants=variants)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((), "2 to 10 statements"),
        (("A",), "2 to 10 statements"),
        ("A", "2 to 10 statements"),
        (("~B",) * 11, "2 to 10 statements"),
        (("~B", 3), "is a text"),
        (("~B", ("A",)), "is a text"),
        (("~B", "A &"), "ends too early"),
        (("~B", "C"), "of C, who is not there"),
        (("~B", "a"), "of a, who is not there"),
        (("~B", "2-"), "has no place"),
        (("~B", "A" * 5_000), "longer than"),
        (("~A", "A"), "not exactly one solution"),
        (("~B", "~A"), "not exactly one solution"),
        (("100", "A"), "has no place"),
        (("C = D", "A = ~C", "B = ~D", "A = B"), "more than one supposition"),
    ],
)
def test_bad_problems(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASK.initial(Problem("KnightsKnaves", 1, data))  # type: ignore[arg-type]


def test_english() -> None:
    problem = problem_of("(B | ~C) -> ~A", "2+", "1", "A = ~B", "~(A & B)")
    told = TASK.prompt(problem, "verbose")
    for sentence in (
        'A says: "if (B is a knight or C is a knave) then A is a knave."',
        'B says: "at least 2 of us are knights."',
        'C says: "exactly 1 of us is a knight."',
        'D says: "A is a knight if and only if B is a knave."',
        'E says: "it is not so that (A is a knight and B is a knight)."',
    ):
        assert sentence in told


@pytest.mark.parametrize("level", TASK.levels)
def test_expert_solves_and_problems_differ(level: int) -> None:
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(50)]
    assert len({TASK.canonical(problem) for problem in problems}) == 50
    for problem in problems:
        state = TASK.initial(problem)
        for _ in range(len(puzzle_of(problem.data).knights) + 1):
            line = TASK.expert_step(problem, state, rng)
            assert line is not None
            state = TASK.step(problem, state, line).state
        assert TASK.is_solved(problem, state)


def test_no_answer_is_frequent() -> None:
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(1500):
        puzzle = puzzle_of(TASK.generate(rng, 1).data)
        answers.append(tuple(bool(puzzle.possible & knights) for knights in puzzle.knights))
    assert max(map(answers.count, set(answers))) < 1500 * 2 * TASK.chance(1)
