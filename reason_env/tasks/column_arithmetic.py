"""ColumnArithmetic: add, subtract, multiply and divide on paper, one column a line.

An episode (level 4):

    736 * 48
    6 * 8 = 48 -> 8
    3 * 8 + 4 = 28 -> 88
    7 * 8 + 2 = 58 -> 5888
    6 * 4 = 24 -> 4
    3 * 4 + 2 = 14 -> 44
    7 * 4 + 1 = 29 -> 2944
    8 + 0 = 8 -> 8
    8 + 4 = 12 -> 28
    8 + 4 + 1 = 13 -> 328
    5 + 9 + 1 = 15 -> 5328
    0 + 2 + 1 = 3 -> 35328
    answer: 35328

A value task with a private verifier. A claim is the work of one column: its digits and the carry,
the result, and behind `->` the row of digits that is written by then. Columns go from right to
left, the last one is written whole; in a long division a line is the product of the divisor and
the next digit of the quotient, or a difference with the next digit brought down:

    8137 / 26
    26 * 3 = 78 -> 3
    81 - 78 = 3 -> 33
    26 * 1 = 26 -> 31
    33 - 26 = 7 -> 77
    26 * 2 = 52 -> 312
    77 - 52 = 25
    answer: 312 r 25

Only the next column's work is valid; where there is a choice, as of the order of a product's rows,
any of it is. The order of what is added or multiplied within a column is free, and added zeros may
be left out. The legal steps are these columns, each brings the end one line nearer, and the
potential counts those to come.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.column_sheets import (
    Column,
    Difference,
    Paper,
    Product,
    Quotient,
    Sheet,
    Sum,
    parse_sheet,
)

# What a level draws from: operation, then how many digits each number has.
_LEVELS: dict[int, tuple[tuple[str, tuple[int, ...]], ...]] = {
    1: (("+", (2, 2)),),
    2: (("+", (3, 3)), ("-", (3, 3)), ("-", (3, 2)), ("+", (2, 2, 2))),
    3: (("+", (4, 4)), ("-", (4, 4)), ("*", (3, 1)), ("/", (3, 1))),
    4: (("+", (4, 4, 4, 4)), ("*", (3, 2)), ("/", (5, 2))),
    5: (("*", (4, 3)), ("/", (7, 2))),
    6: (("*", (6, 4)), ("/", (9, 3))),
}
_LINES = {1: 3, 2: 4, 3: 7, 4: 12, 5: 20, 6: 36}
"""No solution of the level is longer."""

_WORK = r"[0-9]+(?:\s*[-+*/]\s*[0-9]+)*"
_CLAIM = re.compile(rf"({_WORK})\s*=\s*([0-9]+)(?:\s*->\s*([0-9]+))?")
_SHORT = re.compile(r"[0-9]+(?:\s*[-+*/]\s*[0-9]+)+")
_SIGNS = re.compile(r"\+*|-+|\*\+*")
_ANSWER = re.compile("(?:0|[1-9][0-9]*)(?: r [1-9][0-9]*)?")


class ColumnArithmetic(Task):
    """See the module's text. `Problem.data` is `47 + 85` or the like; `State.data` the paper of
    its sheet (`column_sheets`)."""

    name: ClassVar[str] = "ColumnArithmetic"
    levels: ClassVar[range] = range(1, 7)
    public_verifier: ClassVar[bool] = False
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=64, verbose=1024, feedback=64)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        kinds = _LEVELS[level]
        sign, sizes = kinds[int(rng.integers(len(kinds)))]
        numbers = [int(rng.integers(10 ** (size - 1), 10**size)) for size in sizes]
        if sign == "-":
            numbers.sort(reverse=True)
        if sizes[-1] == 1:
            numbers[-1] = int(rng.integers(2, 10))
        return Problem(self.name, level, f" {sign} ".join(map(str, numbers)))

    def initial(self, problem: Problem) -> State:
        """The paper before the first line.

        Raises:
            ValueError: the problem is no sum, difference, product or quotient within the limits.
        """
        return State(_sheet(problem.data).blank())

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        sheet = _sheet(problem.data)
        if lines.kind_of(line) is Kind.ANSWER:
            text = lines.answer_value(line)
            reason = _objection(text, sheet)
            return Verdict(Kind.ANSWER, not reason, State(state.data, text), reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        work, result, row = match.groups(default="")
        column = _column_of(sheet, _paper(state), work)
        if column is None:
            reason = f"{work[:40]} is not the work of the next column"
        elif result != column.result:
            reason = f"{work[:40]} is not {result[:40]}"
        elif row != column.row:
            reason = f"the row does not read {row[:40] or 'as without ->'} then"
        else:
            return Verdict(Kind.CLAIM, True, State(column.paper))
        return Verdict(Kind.CLAIM, False, state, reason)

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer == _sheet(problem.data).answer()

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(_sheet(problem.data).left(_paper(state)) + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        sheet = _sheet(problem.data)
        columns = sheet.columns(_paper(state))
        return [column.text for column in columns] or [f"answer: {sheet.answer()}"]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        text = str(problem.data)
        return text if style == "compact" else _RULES[type(_sheet(problem.data))].format(text)

    def show(self, problem: Problem, state: State) -> str:
        paper = list(_paper(state))
        carry = "" if isinstance(_sheet(problem.data), Quotient) else paper.pop()
        rows = ", ".join(row or "_" for row in paper)
        return f"{problem.data} -> {rows}" + (f" carry {carry}" if carry else "")

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of what is added or multiplied."""
        sheet = _sheet(problem.data)
        text = str(problem.data)
        if isinstance(sheet, Sum):
            return " + ".join(map(str, sorted(sheet.numbers)))
        if isinstance(sheet, Product):
            return " * ".join(map(str, sorted((sheet.top, sheet.by))))
        return text

    def budget(self, level: int) -> Budget:
        lines_needed = _LINES[level]
        return Budget(2 * lines_needed + 4, 24 * lines_needed)

    def chance(self, level: int) -> float:
        """Sums of two numbers of two digits bunch around 109: 90 of 8100 are 109."""
        return 0.015 if level <= 3 else 0.005

    def complete(self, problem: Problem, state: State, line: str) -> str:
        if _SHORT.fullmatch(line) is None:
            return line
        column = _column_of(_sheet(problem.data), _paper(state), line)
        # What is not the work of the next column is still a claim, and a wrong one.
        return f"{line} = 0" if column is None else line + column.text.removeprefix(column.work)

    def abbreviate(self, line: str) -> str:
        return line.partition(" = ")[0]


@lru_cache(maxsize=65536)
def _sheet(data: Json) -> Sheet:
    """The sheet of a problem.

    Raises:
        ValueError: names what is wrong.
    """
    return parse_sheet(data if isinstance(data, str) else repr(data))


def _paper(state: State) -> Paper:
    assert isinstance(state.data, tuple)
    return tuple(map(str, state.data))


def _column_of(sheet: Sheet, paper: Paper, work: str) -> Column | None:
    """The next column with that work; None if there is no such."""
    meaning = _meaning(work)
    if meaning is None:
        return None
    columns = sheet.columns(paper)
    return next((column for column in columns if _meaning(column.work) == meaning), None)


def _meaning(work: str) -> tuple[str, list[str], list[str]] | None:
    """Equal for works that differ in the order of factors and of what is added or subtracted, and
    in added zeros; None for one that no column has.

    Returns:
        The first sign, the numbers that have their place, and the others. No number is read: it
        may have thousands of digits.
    """
    match = _SIGNS.fullmatch("".join(re.findall("[-+*/]", work)))
    if match is None:
        return None
    sign = match[0][:1] or "+"
    numbers = re.findall("[0-9]+", work)
    placed = {"+": 0, "-": 1, "*": 2}[sign]
    head = sorted(numbers[:placed])
    return sign, head, sorted(n for n in numbers[placed:] if n != "0")


def _objection(answer: str, sheet: Sheet) -> str:
    """Why an answer is not right; empty if it is."""
    if answer == sheet.answer():
        return ""
    if _ANSWER.fullmatch(answer) is None:
        return (
            "an answer is a whole number, or quotient and remainder such as 12 r 3, without "
            "leading zeros or a remainder of 0"
        )
    return "the answer is not right"


_ROWS = (
    "Work from right to left and write one column a line: its work, the result, and behind -> the "
    "row of digits written by then. "
)
_CARRY = (
    "Of a result only the last digit is written, and the rest is the carry, added in the next "
    "column; the last column is written whole. "
)
_ADDING = "For 75 + 38, where missing digits count as 0:\n5 + 8 = 13 -> 3\n7 + 3 + 1 = 11 -> 113\n"

_RULES: dict[type, str] = {
    Sum: "Work out {} in columns.\n"
    + _ROWS
    + _CARRY
    + _ADDING
    + "At the end write the result, in the form: answer: 113",
    Difference: "Work out {} in columns.\n"
    + _ROWS
    + "A column that is too small borrows 10, and the next one has a - 1 for it; missing digits "
    "count as 0. For 425 - 68:\n15 - 8 = 7 -> 7\n12 - 6 - 1 = 5 -> 57\n4 - 0 - 1 = 3 -> 357\n"
    "At the end write the result without leading zeros, in the form: answer: 357",
    Product: "Work out {} in columns.\n"
    "First multiply the first number by each digit of the second but zeros, a row for each, in "
    "any order of the rows. "
    + _ROWS
    + _CARRY
    + "For the row of 57 * 6:\n7 * 6 = 42 -> 2\n5 * 6 + 4 = 34 -> 342\n"
    "If there are several rows, then add them up in the same way; the row of the tens has a 0 at "
    "its end, that of the hundreds 00, and so on. "
    + _ADDING
    + "At the end write the result, in the form: answer: 113",
    Quotient: "Divide {} by long division.\n"
    "Divide as few of the first digits as the divisor goes into. Write a line for the divisor "
    "times the next digit of the quotient, be it 0, with the quotient so far behind ->, and a line "
    "for the difference, with the next digit brought down behind -> (nothing, if there is none "
    "left). For 760 / 36:\n36 * 2 = 72 -> 2\n76 - 72 = 4 -> 40\n36 * 1 = 36 -> 21\n40 - 36 = 4\n"
    "At the end write the quotient and the remainder, if there is one, in the form: answer: 21 r 4",
}
