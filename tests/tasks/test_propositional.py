"""Propositional: verdicts rule by rule, and distances against a breadth-first search."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import propositional
from reason_env.tasks.deduction import calculus, derivable_now, derivations, members
from reason_env.tasks.logic_text import Formula, parse_formula, truth_table
from reason_env.tasks.propositional import Propositional

TASK = Propositional()


def problem_of(text: str) -> Problem:
    premises, _, goal = text.partition(" |- ")
    return Problem("Propositional", 1, (tuple(premises.split(", ")), goal))


PROBLEM = problem_of("p -> q, p, q -> (r & ~s), s | t, ~~u, q -> s |- t & u")


def after(problem: Problem, *written: str) -> State:
    state = TASK.initial(problem)
    for line in written:
        verdict = TASK.step(problem, state, line)
        assert verdict.valid, (line, verdict.reason)
        state = verdict.state
    return state


def test_the_episode_of_the_docstring() -> None:
    assert propositional.__doc__ is not None
    shown = [s.strip() for s in propositional.__doc__.splitlines() if s.startswith("    ")]
    prompt, *written = shown
    problem = problem_of(prompt)
    assert TASK.prompt(problem, "compact") == prompt
    state = TASK.initial(problem)
    for left, line in zip(range(len(written), 0, -1), written):
        assert TASK.potential(problem, state) == potential_at(left)
        assert line in TASK.legal_steps(problem, state)
        state = TASK.step(problem, state, line).state
    assert TASK.is_solved(problem, state)
    assert TASK.potential(problem, state) == 1.0


@pytest.mark.parametrize(
    ("problem", "line", "valid"),
    [
        ("p -> q, p |- q", "q by MP", True),
        ("p -> q, q |- p", "p by MP", False),
        ("p -> q, q |- p", "q by MP", False),  # there, but not by this rule
        ("p -> q, ~q |- ~p", "~p by MT", True),
        ("~p -> ~q, q |- p", "p by MT", True),
        ("p -> q, ~p |- ~q", "~q by MT", False),
        ("p -> q, q -> r |- p -> r", "p -> r by HS", True),
        ("p -> q, q -> r |- p -> r", "(p->r) by HS", True),
        ("p -> q, r -> q |- p -> r", "p -> r by HS", False),
        ("p | q, ~p |- q", "q by DS", True),
        ("p | q, ~q |- p", "p by DS", True),
        ("~p | q, p |- q", "q by DS", True),
        ("p | q, p |- ~q", "~q by DS", False),
        ("p, q |- p & q", "p & q by AND", True),
        ("p, q |- p & q", "p & q by ADD", False),
        ("p |- p & q", "p & q by AND", False),
        ("p & q |- q", "q by SIMP", True),
        ("p & q |- q", "p by SIMP", True),
        ("p | q |- q", "q by SIMP", False),
        ("q |- p | q", "p | q by ADD", True),
        ("q, p |- p | q", "q | p by ADD", False),  # no part of anything
        ("q |- p | q", "q | r by ADD", False),
        ("~~p |- p", "p by DN", True),
        ("p |- ~~p", "~~p by DN", False),
        ("(p & q) -> r, ~r |- ~(p & q)", "~(p & q) by MT", True),
    ],
)
def test_rules(problem: str, line: str, valid: bool) -> None:
    given = problem_of(problem)
    verdict = TASK.step(given, State(()), line)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, valid), verdict.reason


@pytest.mark.parametrize(
    ("line", "kind", "derived"),
    [
        ("q by MP", Kind.CLAIM, ("q",)),
        (" q  by  MP ", Kind.CLAIM, ("q",)),
        ("(q) by MP", Kind.CLAIM, ("q",)),
        ("u by DN", Kind.CLAIM, ("u",)),
        ("q by MT", Kind.CLAIM, None),
        ("q by mp", Kind.CLAIM, None),
        ("q by XX", Kind.CLAIM, None),
        ("p by MP", Kind.CLAIM, None),
        ("p -> q by MP", Kind.CLAIM, None),
        ("t by DS", Kind.CLAIM, None),
        ("q & by MP", Kind.CLAIM, None),
        ("w by MP", Kind.CLAIM, None),
        ("(" * 5_000 + " by MP", Kind.CLAIM, None),
        ("~" * 9_000 + "p by DN", Kind.CLAIM, None),
        ("q", Kind.THOUGHT, None),
        ("q by MP 1 2", Kind.THOUGHT, None),
        ("so q by MP", Kind.THOUGHT, None),
        ("q = 1 by MP", Kind.THOUGHT, None),
        ("stand by me", Kind.THOUGHT, None),
        ("by MP", Kind.THOUGHT, None),
        ("q by", Kind.THOUGHT, None),
        ("p -> q, p |- q by MP", Kind.THOUGHT, None),
        ("answer: t & u", Kind.ANSWER, None),
    ],
)
def test_verdicts(line: str, kind: Kind, derived: tuple[str, ...] | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    assert verdict.kind is kind
    assert verdict.valid == (derived is not None or kind is Kind.THOUGHT)
    assert verdict.state == (State(derived) if derived else state)
    assert bool(verdict.reason) == (not verdict.valid)


@pytest.mark.parametrize(
    "line",
    [
        "p" + " " * 9_990 + "x",
        "p" + " by" * 3_300,
        "p" + " " * 9_980 + "by MP",
        "p & " * 90 + "p by AND",
    ],
)
def test_long_lines_are_judged_at_once(soon: Callable[..., Any], line: str) -> None:
    soon(0.05, TASK.step, PROBLEM, TASK.initial(PROBLEM), line)


def test_order_does_not_matter_and_lines_again_change_nothing() -> None:
    one, other = after(PROBLEM, "q by MP", "u by DN"), after(PROBLEM, "u by DN", "q by MP")
    assert one == other
    assert TASK.step(PROBLEM, one, "q by MP").state == one
    assert "q by MP" not in TASK.legal_steps(PROBLEM, one)


def test_useless_lines_leave_the_distance() -> None:
    start = TASK.initial(PROBLEM)
    # q, r & ~s, ~s, t, u, t & u
    assert TASK.potential(PROBLEM, start) == potential_at(6)
    state = after(PROBLEM, "q by MP", "s by MP")
    assert TASK.potential(PROBLEM, state) == potential_at(5)
    legal = TASK.legal_steps(PROBLEM, after(PROBLEM, "q by MP"))
    assert sorted(legal) == ["r & ~s by MP", "s by MP", "u by DN"]


def random_formulas(rng: np.random.Generator, count: int) -> list[Formula]:
    def draw(depth: int) -> Formula:
        shape = rng.integers(6)
        if depth == 0 or shape == 0:
            return Formula("pqrst"[rng.integers(5)])
        if shape < 2:
            return draw(depth - 1).negation
        return Formula(["&", "|", "->", "->"][shape - 2], (draw(depth - 1), draw(depth - 1)))

    return list(dict.fromkeys(draw(2) for _ in range(count)))


def test_shortest_derivations_equal_breadth_first_search() -> None:
    rng = np.random.default_rng(0)
    lengths: list[int | None] = []
    for _ in range(400):
        *premises, goal = random_formulas(rng, 7)
        rules = calculus(premises, goal)
        before = {rules.start: 0}
        waiting = deque([rules.start])
        best = None
        while waiting and best is None and len(before) < 3_000:
            known = waiting.popleft()
            if known >> rules.goal & 1:
                best = known
            for place in members(derivable_now(rules, known)):
                if known | 1 << place not in before:
                    before[known | 1 << place] = before[known] + 1
                    waiting.append(known | 1 << place)
        if len(before) >= 3_000:
            continue
        found = derivations(rules, rules.start)
        if best is None:
            assert found is None
        else:
            # All sets of that size that have the goal, and no other, are found.
            size = before[best]
            sets = {
                k & ~rules.start for k, d in before.items() if d == size and k >> rules.goal & 1
            }
            assert found is not None
            assert {chosen.bit_count() for chosen in found} == {size}
            assert set(found) == sets
        lengths.append(None if found is None else found[0].bit_count())
    assert {1, 2, 3, 4, 5, None} <= set(lengths)


def test_derived_formulas_are_true_where_the_premises_are() -> None:
    rng = np.random.default_rng(1)
    for _ in range(150):
        *premises, goal = random_formulas(rng, 6)
        rules, worlds = calculus(premises, goal), (1 << 32) - 1
        for premise in premises:
            worlds &= truth_table(premise, "pqrst")
        known = rules.start
        while now := derivable_now(rules, known):
            known |= now
        for place in members(known):
            assert not worlds & ~truth_table(rules.formulas[place], "pqrst")


def variants(problem: Problem) -> Iterator[Problem]:
    """Other orders and other names."""
    rng = np.random.default_rng(2)
    data: Any = problem.data
    premises, goal = data
    for _ in range(3):
        names = dict(zip("pqrstuvwxyz", rng.permutation(list("abcdefghijk")).tolist()))

        def renamed(text: object, names: dict[str, str] = names) -> str:
            return str(text).translate({ord(old): new for old, new in names.items()})

        shuffled = [renamed(premises[i]) for i in rng.permutation(len(premises))]
        yield Problem("Propositional", problem.level, (tuple(shuffled), renamed(goal)))
    turned = [parse_formula(premise) for premise in premises]
    swapped = tuple(
        str(Formula(f.sign, f.parts[::-1]) if f.sign in ("&", "|") else f) for f in turned
    )
    yield Problem("Propositional", problem.level, (swapped, goal))


@pytest.mark.parametrize("level", TASK.levels)
def test_conformance(level: int) -> None:
    check_task(TASK, levels=[level], seeds=range(3), variants=variants)


def test_canonical_tells_problems_apart() -> None:
    others = ["p, p -> q |- q", "p, p -> q |- p & q", "p, p -> q, q -> r |- q"]
    others += ["p, p -> q, q -> r |- r", "p, p -> q, r -> q |- q", "p, p | q |- q"]
    assert len({TASK.canonical(problem_of(text)) for text in others}) == len(others)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((), "premises and a goal"),
        ("p", "premises and a goal"),
        ((("p",),), "premises and a goal"),
        ((("p",), "q", "r"), "premises and a goal"),
        (("p", "q"), "premises and a goal"),
        (((), "p"), "1 to 24 premises"),
        ((tuple("pqrstuvwxyz" * 3), "q"), "1 to 24 premises"),
        ((("p", 3), "q"), "is not usable"),
        ((("p", "p ->"), "q"), "ends too early"),
        ((("p",), ("q",)), "is not usable"),
        ((("p", "p = q"), "q"), "no rules for ="),
        ((("p", "(p)", "p -> q"), "q"), "there twice"),
        ((tuple("abcdefghijklm"), "a & b"), "12 names"),
        ((tuple(f"{'~' * i}p & (q -> (r & s))" for i in range(20)), "q"), "128 parts"),
        ((("p -> q", "p"), "p"), "is a premise"),
        ((("p -> q", "p"), "r"), "does not follow"),
        ((("p | q", "p -> r", "q -> r"), "r"), "does not follow by the rules"),
    ],
)
def test_bad_problems(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASK.initial(Problem("Propositional", 1, data))  # type: ignore[arg-type]


def are_consistent(premises: tuple[str, ...]) -> bool:
    formulas = [parse_formula(premise) for premise in premises]
    names = sorted(set().union(*(formula.names for formula in formulas)))
    worlds = (1 << (1 << len(names))) - 1
    for formula in formulas:
        worlds &= truth_table(formula, names)
    return worlds != 0


@pytest.mark.parametrize("level", TASK.levels)
def test_expert_solves_and_problems_differ(level: int) -> None:
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(50)]
    assert all(are_consistent(problem.data[0]) for problem in problems)  # type: ignore[index,arg-type]
    assert len({TASK.canonical(problem) for problem in problems}) >= 49
    lengths = set()
    for problem in problems:
        state, written = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            line = TASK.expert_step(problem, state, rng)
            assert line is not None
            state, written = TASK.step(problem, state, line).state, written + 1
        lengths.add(written)
    assert lengths == {(0, 2, 3, 4, 6, 8)[level]}
