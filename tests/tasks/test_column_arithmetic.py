"""ColumnArithmetic: columns, rows and carries; and that all ways lead to the right result."""

import re

import numpy as np
import pytest

from reason_env.checks import check_task, corrupt_last_number
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import column_arithmetic
from reason_env.tasks.column_arithmetic import ColumnArithmetic

TASK = ColumnArithmetic()


def problem_of(text: str) -> Problem:
    return Problem("ColumnArithmetic", 1, text)


def played(text: str, *lines: str) -> State:
    """The state after some valid claims."""
    problem = problem_of(text)
    state = TASK.initial(problem)
    for line in lines:
        verdict = TASK.step(problem, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True), (line, verdict.reason)
        state = verdict.state
    return state


def result_of(text: str) -> str:
    """The answer by Python's integers."""
    first, sign, second, *more = text.split()
    a, b = int(first), int(second)
    if sign == "+":
        return str(a + b + sum(map(int, more[1::2])))
    if sign == "/":
        return f"{a // b} r {a % b}" if a % b else str(a // b)
    return str(a * b if sign == "*" else a - b)


def test_the_episodes_of_the_docstring() -> None:
    blocks = re.findall(r"(?:^    .+\n)+", column_arithmetic.__doc__ or "", re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        text, *claims, answer = map(str.strip, block.strip().split("\n"))
        problem = problem_of(text)
        assert TASK.prompt(problem, "compact") == text
        verdict = TASK.step(problem, played(text, *claims), answer)
        assert verdict.valid
        assert TASK.is_solved(problem, verdict.state)


@pytest.mark.parametrize(
    ("text", "example"),
    [("1 + 1", "75 + 38"), ("1 - 1", "425 - 68"), ("1 * 1", "57 * 6"), ("1 / 1", "760 / 36")],
)
def test_the_examples_of_the_rules_are_valid(text: str, example: str) -> None:
    rules = TASK.prompt(problem_of(text), "verbose")
    shown = rules.partition(f"{example}")[2].partition("If there are several rows")[0]
    problem = problem_of(example)
    state = played(example, *re.findall("^[0-9].*=.*$", shown, re.MULTILINE))
    assert TASK.potential(problem, state) == potential_at(1)
    if "*" not in text:
        assert TASK.step(problem, state, rules.rpartition("form: ")[2]).valid


SUM = ("47 + 85",)
PRODUCT = ("347 * 206",)
ROW = (*PRODUCT, "7 * 6 = 42 -> 2")
QUOTIENT = ("1234 / 56",)
TAKEN = (*QUOTIENT, "56 * 2 = 112 -> 2")


@pytest.mark.parametrize(
    ("before", "line", "paper"),
    [
        (SUM, "7 + 5 = 12 -> 2", ("2", "1")),
        (SUM, "5 + 7 = 12 -> 2", ("2", "1")),
        (SUM, " 7+5=12->2 ", ("2", "1")),
        (SUM, "7 + 5 + 0 = 12 -> 2", ("2", "1")),
        ((*SUM, "7 + 5 = 12 -> 2"), "4 + 8 + 1 = 13 -> 132", ("132", "")),
        ((*SUM, "7 + 5 = 12 -> 2"), "1 + 4 + 8 = 13 -> 132", ("132", "")),
        (("105 + 2",), "5 + 2 = 7 -> 7", ("7", "")),
        (("105 + 2", "5 + 2 = 7 -> 7"), "0 + 0 = 0 -> 07", ("07", "")),
        (("105 + 2", "5 + 2 = 7 -> 7"), "0 = 0 -> 07", ("07", "")),
        (("105 + 2", "5 + 2 = 7 -> 7", "0 = 0 -> 07"), "1 = 1 -> 107", ("107", "")),
        (("8 + 9 + 9",), "8 + 9 + 9 = 26 -> 26", ("26", "")),
        (("42 - 15",), "12 - 5 = 7 -> 7", ("7", "1")),
        (("42 - 15", "12 - 5 = 7 -> 7"), "4 - 1 - 1 = 2 -> 27", ("27", "")),
        (("100 - 99", "10 - 9 = 1 -> 1"), "10 - 9 - 1 = 0 -> 01", ("01", "1")),
        (("100 - 99", "10 - 9 = 1 -> 1"), "10 - 1 - 9 = 0 -> 01", ("01", "1")),
        (PRODUCT, "7 * 6 = 42 -> 2", ("2", "", "", "4")),
        (PRODUCT, "6 * 7 = 42 -> 2", ("2", "", "", "4")),
        (PRODUCT, "7 * 2 = 14 -> 4", ("", "4", "", "1")),
        (ROW, "4 * 6 + 4 = 28 -> 82", ("82", "", "", "2")),
        (("7 * 20",), "7 * 2 = 14 -> 14", ("14", "", "")),
        (("3 * 22",), "3 * 2 = 6 -> 6", ("6", "", "", "")),
        (("3 * 22", "3 * 2 = 6 -> 6"), "3 * 2 = 6 -> 6", ("6", "6", "", "")),
        (QUOTIENT, "56 * 2 = 112 -> 2", ("2", "123", "112")),
        (QUOTIENT, "2 * 56 = 112 -> 2", ("2", "123", "112")),
        (TAKEN, "123 - 112 = 11 -> 114", ("2", "114", "")),
        ((*TAKEN, "123 - 112 = 11 -> 114", "56 * 2 = 112 -> 22"), "114 - 112 = 2", ("22", "2", "")),
        (("12 / 34",), "34 * 0 = 0 -> 0", ("0", "12", "0")),
        (("12 / 34", "34 * 0 = 0 -> 0"), "12 - 0 = 12", ("0", "12", "")),
        (("560 / 56", "56 * 1 = 56 -> 1"), "56 - 56 = 0 -> 0", ("1", "0", "")),
    ],
)
def test_valid_columns(before: tuple[str, ...], line: str, paper: tuple[str, ...]) -> None:
    assert played(*before, line) == State(paper)


@pytest.mark.parametrize(
    ("before", "line", "reason"),
    [
        (SUM, "47 + 85 = 132", "47 + 85 is not the work of the next column"),  # skips ahead
        (SUM, "4 + 8 = 12 -> 2", "not the work"),  # the wrong end
        (SUM, "7 + 5 + 1 = 13 -> 3", "not the work"),
        (SUM, "7 * 5 = 12 -> 2", "not the work"),
        (SUM, "7 - 5 = 12 -> 2", "not the work"),
        (SUM, "07 + 5 = 12 -> 2", "not the work"),
        (SUM, "0 + 0 = 0 -> 0", "not the work"),
        (SUM, "7 + 5 = 13 -> 3", "7 + 5 is not 13"),
        (SUM, "7 + 5 = 012 -> 2", "7 + 5 is not 012"),
        (SUM, "7 + 5 = 12", "the row does not read as without ->"),
        (SUM, "7 + 5 = 12 -> 12", "the row does not read 12"),
        (SUM, "7 + 5 = 12 -> 02", "the row does not read 02"),
        (("42 - 15",), "5 - 2 = 3 -> 3", "not the work"),
        (("42 - 15",), "5 - 12 = 7 -> 7", "not the work"),
        (("42 - 15",), "2 - 5 = 3 -> 3", "not the work"),
        (("42 - 15", "12 - 5 = 7 -> 7"), "4 - 1 = 3 -> 37", "not the work"),
        (("42 - 15", "12 - 5 = 7 -> 7"), "4 - 2 = 2 -> 27", "not the work"),
        (PRODUCT, "7 * 0 = 0 -> 0", "not the work"),
        (PRODUCT, "347 * 6 = 2082", "not the work"),
        (ROW, "7 * 2 = 14 -> 4", "not the work"),  # another row is begun
        (ROW, "4 * 6 = 24 -> 42", "not the work"),  # the carry is forgotten
        (ROW, "4 * 6 * 4 = 28 -> 82", "not the work"),
        (ROW, "4 * 6 + 1 + 3 = 28 -> 82", "not the work"),
        (ROW, "4 + 4 * 6 = 28 -> 82", "not the work"),
        (QUOTIENT, "56 * 1 = 56 -> 1", "not the work"),
        (QUOTIENT, "56 * 3 = 168 -> 3", "not the work"),
        (QUOTIENT, "1234 / 56 = 22", "not the work"),
        (TAKEN, "123 - 112 = 11", "the row does not read as without ->"),
        (TAKEN, "123 - 112 = 11 -> 11", "the row does not read 11"),
        (TAKEN, "112 - 123 = 11 -> 114", "not the work"),
        (("12 / 34", "34 * 0 = 0 -> 0"), "12 - 0 = 12 -> 12", "the row does not read 12"),
        (("7 + 1", "7 + 1 = 8 -> 8"), "7 + 1 = 8 -> 8", "not the work"),  # all is written
    ],
)
def test_wrong_columns(before: tuple[str, ...], line: str, reason: str) -> None:
    problem, state = problem_of(before[0]), played(*before)
    verdict = TASK.step(problem, state, line)
    assert (verdict.kind, verdict.valid, verdict.state) == (Kind.CLAIM, False, state)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "line",
    ["", "47 + 85", "7 + 5 = 12 = 12", "so 7 + 5 = 12", "7 + 5 -> 2", "12 -> 2", "x = 1 -> 1"],
)
def test_thoughts(line: str) -> None:
    verdict = TASK.step(problem_of("47 + 85"), played("47 + 85"), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("12 + 34", "46", True),
        ("12 + 34", "  46", True),
        ("12 + 34", "12 + 34", False),  # the echo hack
        ("12 + 34", "046", False),
        ("12 + 34", "47", False),
        ("12 + 34", "", False),
        ("100 - 99", "1", True),
        ("100 - 99", "001", False),
        ("1234 / 56", "22 r 2", True),
        ("1234 / 56", "22 r 3", False),
        ("1234 / 56", "22", False),
        ("1234 / 56", "617/28", False),
        ("1234 / 56", "22  r  2", False),
        ("112 / 56", "2", True),
        ("112 / 56", "2 r 0", False),
        ("12 / 34", "0 r 12", True),
    ],
)
def test_answers(text: str, answer: str, right: bool) -> None:
    problem = problem_of(text)
    verdict = TASK.step(problem, TASK.initial(problem), f"answer: {answer}")
    assert (verdict.kind, verdict.valid, bool(verdict.reason)) == (Kind.ANSWER, right, not right)
    assert TASK.potential(problem, verdict.state) == float(right)
    assert TASK.legal_steps(problem, verdict.state) == []
    assert TASK.expert_step(problem, verdict.state, np.random.default_rng(0)) is None


@pytest.mark.parametrize("answer", ["2 r 0", "02", "2 r 00", "2 R 0", "2.0", ""])
def test_what_has_not_the_form_of_an_answer_is_told_the_form(answer: str) -> None:
    problem = problem_of("112 / 56")
    assert "such as 12 r 3" in TASK.step(problem, TASK.initial(problem), f"answer: {answer}").reason


def test_reasons_do_not_state_the_value() -> None:
    problem, state = problem_of("9000 / 37"), played("9000 / 37")
    for line in ("37 * 1 = 37 -> 1", "37 * 2 = 75 -> 2", "37 * 2 = 74", "answer: 9", "answer: 1/2"):
        reason = TASK.step(problem, state, line).reason
        assert reason
        assert "74" not in reason
        assert "243" not in reason


@pytest.mark.parametrize(
    "text",
    [
        "7 + 8",
        "99 + 1",
        "999 + 999 + 999",
        "100 - 1",
        "555 - 555",
        "80 * 11",
        "12 * 212",
        "101 * 1001",
        "5 * 5",
        "305 * 1010",
        "7 / 9",
        "1000 / 8",
        "9009 / 9",
        "123456 / 999",
    ],
)
def test_every_way_leads_to_the_result(text: str) -> None:
    """A search over nothing but legal_steps and step: all ways are as long as the potential says,
    each line is true, and none stays so when its last number is changed."""
    problem = problem_of(text)
    layer, distance = {TASK.initial(problem)}, 0
    lengths: dict[State, int] = {}
    while layer:
        following = set()
        for state in layer:
            lengths[state] = distance
            for line in TASK.legal_steps(problem, state):
                verdict = TASK.step(problem, state, line)
                assert verdict.valid
                assert not TASK.step(problem, state, corrupt_last_number(line)).valid
                following.add(verdict.state)
                if verdict.kind is Kind.CLAIM:
                    work, result, *_ = re.split(" = | -> ", line)
                    assert eval(work) == int(result)
        layer, distance = following, distance + 1
    ends = {state for state in lengths if state.answer is not None}
    assert {state.answer for state in ends} == {result_of(text)}
    total = {lengths[state] for state in ends}
    assert len(total) == 1
    for state, length in lengths.items():
        assert TASK.potential(problem, state) == potential_at(max(total) - length)


@pytest.mark.parametrize("level", TASK.levels)
def test_the_expert_solves_every_level(level: int) -> None:
    rng = np.random.default_rng(level)
    drawn = set()
    for _ in range(50):
        problem = TASK.generate(rng, level)
        drawn.add(TASK.canonical(problem))
        state, lines = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            state = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng))).state
            lines += 1
        assert state.answer == result_of(str(problem.data))
        assert 2 * lines <= TASK.budget(level).steps
    assert len(drawn) >= 47


def swapped(problem: Problem) -> list[Problem]:
    """The same with the numbers in another order, where that does not matter."""
    first, sign, *_ = text = str(problem.data).split()
    if sign not in "+*":
        return []
    return [
        problem_of(" ".join(reversed(text))),
        problem_of(f"{' '.join(text[2:])} {sign} {first}"),
    ]


@pytest.mark.parametrize("level", TASK.levels)
def test_conformance(level: int) -> None:
    check_task(TASK, levels=[level], variants=swapped)


UNUSABLE = [
    "",
    "7",
    "47 +",
    "47+85",
    "047 + 85",
    "0 + 5",
    "7 * 0",
    "7 / 0",
    "-7 + 8",
    "7 - 8",
    "1 * 2 * 3",
    "9 - 3 - 1",
    "9 - 3 + 1",
    "1.5 + 1",
    "x + 1",
    "1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1",
    "1234567890123 + 1",
    "7 * 1234567890",
    "\u0663 + 1",
    "1 +\n2",
]


@pytest.mark.parametrize("data", [*UNUSABLE, None, 7, ("47", "85"), True])
def test_unusable_problems_raise(data: object) -> None:
    with pytest.raises(ValueError, match=r"whole numbers|larger number|more than 9"):
        TASK.initial(Problem("ColumnArithmetic", 1, data))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["9" * 12] * 9),
        "100000000000 - 99999999999",
        "999999999999 * 999999999",
        "999999999999 / 7",
    ],
)
def test_the_largest_problems_work(text: str) -> None:
    problem, rng = problem_of(text), np.random.default_rng(0)
    state = TASK.initial(problem)
    while not TASK.is_solved(problem, state):
        assert len(TASK.show(problem, state)) < 400
        state = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng))).state
    assert state.answer == result_of(text)


@pytest.mark.parametrize(
    ("before", "line", "written"),
    [
        (SUM, "7 + 5", "7 + 5 = 12 -> 2"),
        (SUM, "5+7", "5+7 = 12 -> 2"),
        (SUM, "4 + 8", "4 + 8 = 0"),
        (SUM, "7", "7"),
        (SUM, "7 + 5 = 12 -> 2", "7 + 5 = 12 -> 2"),
        (SUM, "answer: 3", "answer: 3"),
        (TAKEN, "123 - 112", "123 - 112 = 11 -> 114"),
        (TAKEN, "123 / 112", "123 / 112 = 0"),
    ],
)
def test_complete(before: tuple[str, ...], line: str, written: str) -> None:
    assert TASK.complete(problem_of(before[0]), played(*before), line) == written


def test_show_has_rows_and_carry() -> None:
    assert TASK.show(problem_of("47 + 85"), played("47 + 85", "7 + 5 = 12 -> 2")) == (
        "47 + 85 -> 2 carry 1"
    )
    assert TASK.show(problem_of("347 * 206"), played(*ROW)) == "347 * 206 -> 2, _, _ carry 4"
    assert TASK.show(problem_of("1234 / 56"), played(*TAKEN)) == "1234 / 56 -> 2, 123, 112"
