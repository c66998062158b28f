"""NumberTheory: claims of each topic, hostile numbers, and distances against plain searches."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from math import gcd, prod
from typing import Any

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Json, Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import number_theory
from reason_env.tasks.number_theory import NumberTheory

TASK = NumberTheory()
GCD = ("gcd", (252, 105))
INVERSE = ("inverse", (17, 60))
POWER = ("power", (7, 22, 100))
CONGRUENCES = ("congruences", ((2, 5), (3, 7), (5, 9)))
TWINS = ("congruences", ((0, 5), (0, 6), (2, 7)))


def problem_of(data: Json) -> Problem:
    return Problem("NumberTheory", 1, data)


def parts(problem: Problem) -> tuple[str, Any]:
    """Topic and statement."""
    assert isinstance(problem.data, tuple)
    return str(problem.data[0]), problem.data[1]


def play(problem: Problem, written: list[str]) -> State:
    """The state after lines that are all valid claims."""
    state = TASK.initial(problem)
    for line in written:
        verdict = TASK.step(problem, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True), (line, verdict.reason)
        state = verdict.state
    return state


def episodes() -> Iterator[list[str]]:
    """The columns of the module's text: the episode, and one for each other topic."""
    text = str(number_theory.__doc__)
    for block in re.findall(r"(?:^    .*\n)+", text, flags=re.MULTILINE):
        rows = [line[4:] for line in block.splitlines()]
        starts = [0, *(match.end() for match in re.finditer(r"\S {2,}(?=\S)", rows[0]))]
        for start, end in zip(starts, [*starts[1:], None]):
            column = [row[start:end].strip() for row in rows]
            yield [line for line in column if line]


@pytest.mark.parametrize(
    ("data", "written"),
    list(
        zip(
            [GCD, INVERSE, ("power", (3, 7, 50)), ("congruences", ((2, 5), (3, 7)))],
            episodes(),
            strict=True,
        )
    ),
)
def test_episodes_of_the_docstring(data: Json, written: list[str]) -> None:
    problem = problem_of(data)
    prompt, *claims, answer = written
    assert TASK.prompt(problem, "compact") == prompt
    state = play(problem, claims)
    assert TASK.legal_steps(problem, state) == [answer]
    final = TASK.step(problem, state, answer)
    assert final.valid
    assert TASK.is_solved(problem, final.state)
    assert TASK.potential(problem, TASK.initial(problem)) == potential_at(len(written) - 1)


@pytest.mark.parametrize(
    ("data", "before", "line", "shown"),
    [
        (GCD, [], "252 = 2*105 + 42", "gcd(105, 42)"),
        (GCD, [], " 252=2 * 105+42 ", "gcd(105, 42)"),
        (GCD, [], "252 = 3*105 - 63", "gcd(105, 63)"),
        (GCD, [], "252 = 1*105 + 147", "not a next step"),  # the remainder is too large
        (GCD, [], "252 = 4*105 - 168", "not a next step"),
        (GCD, [], "252 = 105*2 + 42", "gcd(105, 42)"),
        (GCD, [], "252 = 105*3 - 63", "gcd(105, 63)"),
        (GCD, [], "252 = 42*6 + 0", "not a next step"),  # true, but no pair has it
        (GCD, [], "105 = 0*252 + 105", "not a next step"),  # a no-op
        (GCD, [], "105 = 1*252 - 147", "not a next step"),
        (GCD, [], "42 = 2*21 + 0", "not a next step"),
        (GCD, [], "252 = 2*105 + 43", "does not hold"),
        (GCD, [], "252 = 2*105 - 42", "does not hold"),
        (GCD, [], "252 = 2*105", "does not hold"),
        (GCD, [], "252 = 2*105 + 042", "not a next step"),
        (GCD, ["252 = 2*105 + 42"], "252 = 2*105 + 42", "not a next step"),
        (GCD, ["252 = 2*105 + 42", "105 = 3*42 - 21"], "42 = 2*21", "gcd(21, 0)"),
        (GCD, ["252 = 2*105 + 42", "105 = 3*42 - 21"], "42 = 2*21 - 0", "gcd(21, 0)"),
        (GCD, ["252 = 2*105 + 42", "105 = 3*42 - 21"], "42 = 1*21 + 21", "not a next step"),
        (GCD, ["252 = 2*105 + 42", "105 = 3*42 - 21"], "42 = 3*21 - 21", "not a next step"),
        (
            GCD,
            ["252 = 2*105 + 42", "105 = 3*42 - 21", "42 = 2*21"],
            "21 = 2*0 + 21",
            "not a next step",
        ),
        (("gcd", (5, 5)), [], "5 = 1*5 + 0", "gcd(5, 0)"),
        (INVERSE, [], "17*57 = 9 mod 60", "17*1 = 17, 17*57 = 9 mod 60"),
        (INVERSE, [], "17*4 = 8 mod 60", "17*1 = 17, 17*4 = 8 mod 60"),
        (INVERSE, [], "4*17 = 8 mod 60", "17*1 = 17, 17*4 = 8 mod 60"),
        (INVERSE, [], "17*4=8mod 60", "17*1 = 17, 17*4 = 8 mod 60"),
        (INVERSE, [], "17*1 = 17 mod 60", "not a next step"),
        (INVERSE, [], "17*2 = 34 mod 60", "not a next step"),
        (INVERSE, [], "17*53 = 1 mod 60", "not a next step"),  # true, but out of nowhere
        (INVERSE, [], "17*64 = 8 mod 60", "not a next step"),
        (INVERSE, [], "17*4 = 68 mod 60", "not a next step"),
        (INVERSE, [], "17*4 = 8 mod 61", "does not hold"),
        (INVERSE, [], "17*4 = 9 mod 60", "does not hold"),
        (INVERSE, [], "17*4 = 8 mod 0", "does not hold"),
        (INVERSE, ["17*4 = 8 mod 60"], "17*53 = 1 mod 60", "17*4 = 8, 17*53 = 1 mod 60"),
        (INVERSE, ["17*4 = 8 mod 60", "17*53 = 1 mod 60"], "17*0 = 0 mod 60", "not a next step"),
        (POWER, [], "7^2 = 49 mod 100", "7^1 = 7, 7^2 = 49 mod 100"),
        (POWER, [], "7 ^ 2=49 mod 100", "7^1 = 7, 7^2 = 49 mod 100"),
        (POWER, [], "7^1 = 7 mod 100", "not a next step"),
        (POWER, [], "7^3 = 43 mod 100", "not a next step"),
        (POWER, [], "7^2 = 49 mod 101", "not a next step"),
        (POWER, [], "7^22 = 49 mod 100", "not a next step"),
        (POWER, [], "7^2 = 149 mod 100", "does not hold"),
        (POWER, [], "7^2 = 50 mod 100", "does not hold"),
        (POWER, [], "7^2 = 0 mod 0", "does not hold"),
        (POWER, ["7^2 = 49 mod 100"], "7^4 = 1 mod 100", "7^1 = 7, 7^2 = 49, 7^4 = 1 mod 100"),
        (POWER, ["7^2 = 49 mod 100", "7^4 = 1 mod 100"], "7^7 = 43 mod 100", "not a next step"),
        (POWER, ["7^2 = 49 mod 100", "7^4 = 1 mod 100"], "7^6 = 49 mod 100", "7^6 = 49 mod 100"),
        (("power", (7, 3, 100)), ["7^2 = 49 mod 100"], "7^4 = 1 mod 100", "not a next step"),
        (CONGRUENCES, [], "5*3 = 1 mod 7", "x = 2 mod 5, x = 3 mod 7, x = 5 mod 9; 5*3 = 1 mod 7"),
        (CONGRUENCES, [], "3*5 = 1 mod 7", "x = 5 mod 9; 5*3 = 1 mod 7"),
        # Two moves but for the order of factors: each is taken as it is written.
        (TWINS, [], "5*6 = 2 mod 7", "x = 2 mod 7; 5*6 = 2 mod 7"),
        (TWINS, [], "6*5 = 2 mod 7", "x = 2 mod 7; 6*5 = 2 mod 7"),
        (CONGRUENCES, [], "7*2 = 4 mod 5", "x = 5 mod 9; 7*2 = 4 mod 5"),
        (CONGRUENCES, [], "5*10 = 1 mod 7", "not a next step"),
        (CONGRUENCES, [], "5*3 = 8 mod 7", "not a next step"),
        (CONGRUENCES, [], "5*2 = 3 mod 7", "not a next step"),  # true, but not the difference
        (CONGRUENCES, [], "5*3 = 2 mod 7", "does not hold"),
        (CONGRUENCES, [], "x = 2 mod 5", "not a next step"),  # an echo
        (CONGRUENCES, [], "x = 17 mod 35", "not a next step"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "x = 17 mod 35", "x = 5 mod 9, x = 17 mod 35"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "x=17 mod 35", "x = 5 mod 9, x = 17 mod 35"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "x = 52 mod 35", "not a next step"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "x = 18 mod 35", "not a next step"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "x = 32 mod 45", "not a next step"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "5*3 = 1 mod 7", "not a next step"),
        (CONGRUENCES, ["5*3 = 1 mod 7"], "7*8 = 2 mod 9", "x = 5 mod 9; 7*8 = 2 mod 9"),
        (CONGRUENCES, ["5*3 = 1 mod 7", "x = 17 mod 35"], "9*33 = 12 mod 35", "9*33 = 12 mod 35"),
    ],
)
def test_claims(data: Json, before: list[str], line: str, shown: str) -> None:
    problem = problem_of(data)
    state = play(problem, before)
    verdict = TASK.step(problem, state, line)
    assert verdict.kind is Kind.CLAIM
    if verdict.valid:
        assert TASK.show(problem, verdict.state).endswith(shown)
    else:
        assert verdict.state == state
        assert shown in verdict.reason


@pytest.mark.parametrize("data", [GCD, INVERSE, POWER, CONGRUENCES])
@pytest.mark.parametrize(
    "line",
    [
        "",
        "252 = 105",
        "so 252 = 2*105 + 42",
        "252 = 2*105 + 42 = 252",
        "gcd(105, 42)",
        "17*4 = 8",
        "17*-3 = 9 mod 60",
        "7^-1 = 43 mod 100",
        "7^2^2 = 1 mod 100",
        "y = 17 mod 35",
        "x = 2 mod 5, x = 3 mod 7",
    ],
)
def test_thoughts(data: Json, line: str) -> None:
    problem = problem_of(data)
    verdict = TASK.step(problem, TASK.initial(problem), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize("data", [GCD, INVERSE, POWER, CONGRUENCES])
def test_huge_numbers_are_refused_at_once(data: Json) -> None:
    problem, long = problem_of(data), "9" * 5000
    state = TASK.initial(problem)
    for line in (
        f"{long} = 1*{long} + 0",
        f"{long}*{long} = {long} mod {long}",
        f"{long}^{long} = {long} mod {long}",
        f"x = {long} mod {long}",
    ):
        verdict = TASK.step(problem, state, line)
        assert verdict.kind is Kind.THOUGHT or "more than 40 digits" in verdict.reason
    nines = "9" * 40
    verdict = TASK.step(
        problem_of(POWER), TASK.initial(problem_of(POWER)), f"{nines}^{nines} = 1 mod {nines}"
    )
    assert "does not hold" in verdict.reason


@pytest.mark.parametrize(
    ("data", "answer"), [(GCD, 21), (INVERSE, 53), (POWER, 49), (CONGRUENCES, 122)]
)
def test_answers(data: Json, answer: int) -> None:
    problem = problem_of(data)
    start = TASK.initial(problem)
    for text, right in (
        (str(answer), True),
        (f" {answer} ", True),
        (f"0{answer}", False),
        (f"{answer}/1", False),
        (f"-{answer}", False),
        (f"{answer + 1}", False),
        (f"{answer} mod 100", False),
        ("7^22", False),
        ("", False),
    ):
        verdict = TASK.step(problem, start, f"answer: {text}")
        assert (verdict.kind, verdict.valid) == (Kind.ANSWER, right)
        assert TASK.is_solved(problem, verdict.state) == right
        assert TASK.potential(problem, verdict.state) == float(right)
        assert TASK.legal_steps(problem, verdict.state) == []
        assert TASK.expert_step(problem, verdict.state, np.random.default_rng(0)) is None
        assert right or not re.search(rf"\b{answer}\b", verdict.reason)


# -- Distances -----------------------------------------------------------------------------------


@cache
def fewest_divisions(a: int, b: int) -> int:
    """Over both remainders in every division."""
    if b == 0:
        return 0
    rest = a % b
    return 1 + min(fewest_divisions(b, r) for r in {rest, (b - rest) % b})


def test_least_remainders_are_never_longer() -> None:
    for a in range(1, 200):
        for b in range(1, a + 1):
            problem = problem_of(("gcd", (b, a)))
            start = TASK.initial(problem)
            assert TASK.potential(problem, start) == potential_at(fewest_divisions(a, b) + 1)
            if b > 1 and gcd(a, b) == 1:
                problem = problem_of(("inverse", (b, a)))
                start = TASK.initial(problem)
                assert TASK.potential(problem, start) == potential_at(fewest_divisions(a, b))


def fewest_powers(exponent: int) -> Callable[[frozenset[int], int], int]:
    """Claims until the exponent is reached, from the small ones found and the last, by trying
    everything."""

    @cache
    def fewest(small: frozenset[int], last: int) -> int:
        if last == exponent:
            return 0
        small |= {last} & {1, 2, 3}
        following = [n for n in {2 * last, *(last + n for n in small)} if n <= exponent]
        return 1 + min(fewest(small, n) for n in following)

    return fewest


@pytest.mark.parametrize("exponent", [*range(2, 70), 127, 191, 255, 379, 500])
def test_chains_are_shortest(exponent: int) -> None:
    """From the start and from every state that legal steps lead to."""
    problem = problem_of(("power", (2, exponent, 101)))
    fewest = fewest_powers(exponent)
    waiting, seen = [TASK.initial(problem)], set()
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        assert isinstance(state.data, tuple)
        *small, last = (int(str(n)) for n in state.data)
        distance = fewest(frozenset(small), last) + 1
        assert TASK.potential(problem, state) == potential_at(distance)
        steps = TASK.legal_steps(problem, state)
        waiting += [TASK.step(problem, state, s).state for s in steps if "answer" not in s]


@pytest.mark.parametrize("level", TASK.levels)
def test_answers_are_right(level: int) -> None:
    """By definition, and not by how they were found."""
    rng = np.random.default_rng(level)
    topics: Counter[str] = Counter()
    for _ in range(60):
        problem = TASK.generate(rng, level)
        state = TASK.initial(problem)
        while not TASK.is_solved(problem, state):
            line = TASK.expert_step(problem, state, rng)
            state = TASK.step(problem, state, str(line)).state
        name, data = parts(problem)
        answer = int(str(state.answer))
        topics[name] += 1
        if name == "gcd":
            a, b = data
            assert (a % answer, b % answer) == (0, 0)
            assert gcd(a // answer, b // answer) == 1
        elif name == "inverse":
            assert data[0] * answer % data[1] == 1
            assert 0 < answer < data[1]
        elif name == "power":
            assert answer == pow(*data)
        else:
            assert all(answer % m == r for r, m in data)
            assert answer < prod(m for _, m in data)
    assert len(topics) == {1: 1, 2: 3}.get(level, 4)


# -- The contract --------------------------------------------------------------------------------


def variants(problem: Problem) -> Iterator[Problem]:
    name, data = parts(problem)
    if name in ("gcd", "congruences"):
        yield Problem(problem.task, problem.level, (name, tuple(reversed(data))))


@pytest.mark.parametrize("level", TASK.levels)
def test_contract(level: int) -> None:
    check_task(TASK, levels=[level], seeds=range(8), variants=variants)


def test_canonical_tells_topics_and_numbers_apart() -> None:
    others: list[Json] = [GCD, ("gcd", (252, 106)), ("inverse", (105, 253)), INVERSE, POWER]
    others += [("power", (22, 7, 100)), CONGRUENCES, ("congruences", ((3, 5), (2, 7), (5, 9)))]
    assert len({TASK.canonical(problem_of(data)) for data in others}) == len(others)


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("5*3 mod 7", "5*3 = 1 mod 7"),
        ("5 * 3 mod 7", "5*3 = 1 mod 7"),
        ("5*4 mod 7", "5*4 = 0 mod 7"),  # does not follow: a claim that fails
        ("x mod 35", "x = 0 mod 35"),
        ("5*3 = 1 mod 7", "5*3 = 1 mod 7"),
        ("answer: 3", "answer: 3"),
        ("hm", "hm"),
    ],
)
def test_complete(line: str, written: str) -> None:
    problem = problem_of(CONGRUENCES)
    state = TASK.initial(problem)
    assert TASK.complete(problem, state, line) == written
    assert TASK.step(problem, state, written).valid == (written in ("5*3 = 1 mod 7", "hm"))


def test_completing_tells_no_residue_that_does_not_follow() -> None:
    problem = problem_of(POWER)
    written = TASK.complete(problem, TASK.initial(problem), "7^22 mod 100")
    verdict = TASK.step(problem, TASK.initial(problem), written)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, False)
    assert "49" not in verdict.reason


@pytest.mark.parametrize("level", TASK.levels)
def test_levels_are_varied(level: int) -> None:
    """Hardly any duplicates, and no answer more frequent than stated."""
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(1000)]
    assert len({TASK.canonical(problem) for problem in problems}) > 900
    answers: Counter[int] = Counter()
    for problem in problems:
        name, data = parts(problem)
        answers[number_theory.TOPICS[name].value(data)] += 1
    assert answers.most_common(1)[0][1] < 1000 * TASK.chance(level) + 4 * 4.5


@pytest.mark.parametrize(
    "data",
    [
        None,
        "gcd",
        ("gcd",),
        ("lcm", (4, 6)),
        ("gcd", 4),
        ("gcd", (4,)),
        ("gcd", (4, 6, 8)),
        ("gcd", (0, 6)),
        ("gcd", (-4, 6)),
        ("gcd", (4.0, 6)),
        ("gcd", (True, 6)),
        ("gcd", ("4", 6)),
        ("gcd", (10**19, 6)),
        ("inverse", (1, 6)),
        ("inverse", (4, 6)),
        ("inverse", (7, 6)),
        ("inverse", (7, 7)),
        ("power", (7, 22)),
        ("power", (7, 1, 100)),
        ("power", (1, 22, 100)),
        ("power", (100, 22, 100)),
        ("power", (7, -1, 100)),
        ("congruences", ((2, 5),)),
        ("congruences", ()),
        ("congruences", (2, 5)),
        ("congruences", ((2, 5), (3, 7, 9))),
        ("congruences", ((5, 5), (3, 7))),
        ("congruences", ((2, 6), (3, 9))),
        ("congruences", ((0, 1), (3, 9))),
        ("congruences", ((0, 0), (3, 9))),
        ("congruences", ((2, 10**10), (3, 10**10 + 1))),
        ("congruences", tuple((0, m) for m in (2, 3, 5, 7, 11, 13, 17, 19, 23))),
    ],
)
def test_unusable_problems_raise(data: Json) -> None:
    with pytest.raises(ValueError, match=r"Expected|Unknown"):
        TASK.initial(problem_of(data))
