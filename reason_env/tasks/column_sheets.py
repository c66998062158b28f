"""Sheets of paper for column arithmetic: what is written next, and what stands there so far.

A sheet is a sum, a difference, a product or a quotient of whole numbers. Its *paper* is a tuple of
the rows written so far and the carry, each as text; a *column* is one line of work that adds to
it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Protocol

MAX_DIGITS = 12
MAX_ROWS = 9
"""Limits of a problem: digits of each number, and numbers of a sum. So many rows at most (the
digits of the second factor, too) keep every carry a single digit."""

Paper = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One line of work.

    Attributes:
        work: the operation, such as `4 + 8 + 1`.
        result: its value.
        row: what stands in the row after it; empty where the line ends with the result.
        paper: the rows after it.
    """

    work: str
    result: str
    row: str
    paper: Paper

    @property
    def text(self) -> str:
        return f"{self.work} = {self.result}" + (f" -> {self.row}" if self.row else "")


class Sheet(Protocol):
    """A problem on paper."""

    def blank(self) -> Paper:
        """The paper before the first line."""

    def columns(self, paper: Paper) -> list[Column]:
        """The lines that can come next; none where all is written."""

    def left(self, paper: Paper) -> int:
        """How many lines are still to come."""

    def answer(self) -> str:
        """The result in canonical text."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Numbers under each other: every column's digits and the carry are added up.

    The paper holds the row of the result and the carry (empty: none).
    """

    numbers: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(str(max(self.numbers)))

    def blank(self) -> Paper:
        return ("", "")

    def columns(self, paper: Paper) -> list[Column]:
        row, carry = paper
        if not self.left(paper):
            return []
        parts = [str(n // 10 ** len(row) % 10) for n in self.numbers]
        parts += [carry] if carry else []
        total = sum(map(int, parts))
        return [_column(" + ".join(parts), total, row, last=self.left(paper) == 1)]

    def left(self, paper: Paper) -> int:
        # The last column is written whole, and may make the row longer than the sheet is wide.
        return max(0, self.width - len(paper[0]))

    def answer(self) -> str:
        return str(sum(self.numbers))


@dataclass(frozen=True, slots=True)
class Difference:
    """The smaller number under the larger: a column that is too small borrows 10, and the next
    gives 1 back.

    The paper holds the row of the result and what was borrowed for it (empty: nothing).
    """

    larger: int
    smaller: int

    def blank(self) -> Paper:
        return ("", "")

    def columns(self, paper: Paper) -> list[Column]:
        row, borrowed = paper
        if not self.left(paper):
            return []
        upper, lower = (n // 10 ** len(row) % 10 for n in (self.larger, self.smaller))
        due = lower + bool(borrowed)
        borrows = upper < due
        work = f"{upper + 10 * borrows} - {lower}" + (" - 1" if borrowed else "")
        result = str(upper + 10 * borrows - due)
        row = result + row
        return [Column(work, result, row, (row, "1" if borrows else ""))]

    def left(self, paper: Paper) -> int:
        return len(str(self.larger)) - len(paper[0])

    def answer(self) -> str:
        return str(self.larger - self.smaller)


@dataclass(frozen=True, slots=True)
class Product:
    """A row for each digit of the second factor but zeros, in any order; then their sum.

    The paper holds the rows, that of the last digit first, the row of their sum (which stays empty
    where there is but one), and the carry. A row that is begun is finished before another one.
    """

    top: int
    by: int

    @property
    def digits(self) -> list[tuple[int, int]]:
        """Digits of the second factor that have a row, each with its place."""
        return [(i, int(d)) for i, d in enumerate(reversed(str(self.by))) if d != "0"]

    @property
    def total(self) -> Sum:
        """The sum of the rows, each with the zeros of its place."""
        return Sum(tuple(self.top * digit * 10**place for place, digit in self.digits))

    def blank(self) -> Paper:
        return ("",) * (len(self.digits) + 2)

    def columns(self, paper: Paper) -> list[Column]:
        *rows, total, carry = paper
        width = len(str(self.top))
        begun = [k for k, row in enumerate(rows) if 0 < len(row) < width]
        if begun:
            return [self._multiplied(paper, begun[0])]
        # Equal digits have equal rows: of those, the first is as good as any.
        empty = {self.digits[k][1]: k for k in reversed(range(len(rows))) if not rows[k]}
        if empty:
            return [self._multiplied(paper, k) for k in sorted(empty.values())]
        if len(rows) == 1:
            return []
        added = self.total.columns((total, carry))
        return [replace(column, paper=(*rows, *column.paper)) for column in added]

    def _multiplied(self, paper: Paper, k: int) -> Column:
        """The next column of row k."""
        row, carry, digit = paper[k], paper[-1], self.digits[k][1]
        width = len(str(self.top))
        upper = self.top // 10 ** len(row) % 10
        work = f"{upper} * {digit}" + (f" + {carry}" if carry else "")
        result = upper * digit + int(carry or 0)
        column = _column(work, result, row, last=len(row) == width - 1)
        row, carry = column.paper
        return replace(column, paper=(*paper[:k], row, *paper[k + 1 : -1], carry))

    def left(self, paper: Paper) -> int:
        *rows, total, carry = paper
        multiplied = sum(max(0, len(str(self.top)) - len(row)) for row in rows)
        return multiplied + (self.total.left((total, carry)) if len(rows) > 1 else 0)

    def answer(self) -> str:
        return str(self.top * self.by)


@dataclass(frozen=True, slots=True)
class Quotient:
    """Long division: how often the divisor goes in, times the divisor, the difference, and the
    next digit brought down.

    The paper holds the quotient so far, the number to divide next, and the product to take from it
    (empty where there is none yet).
    """

    dividend: int
    divisor: int

    @property
    def first(self) -> int:
        """How many digits of the dividend are divided first: as few as the divisor goes into."""
        digits = str(self.dividend)
        fitting = (i for i in range(1, len(digits)) if int(digits[:i]) >= self.divisor)
        return next(fitting, len(digits))

    def blank(self) -> Paper:
        return ("", str(self.dividend)[: self.first], "")

    def columns(self, paper: Paper) -> list[Column]:
        row, number, product = paper
        if not self.left(paper):
            return []
        if product:
            rest = int(number) - int(product)
            below = str(self.dividend)[self.first + len(row) - 1 :][:1]
            brought = str(10 * rest + int(below)) if below else ""
            work = f"{number} - {product}"
            return [Column(work, str(rest), brought, (row, brought or str(rest), ""))]
        digit = int(number) // self.divisor
        product = str(self.divisor * digit)
        row += str(digit)
        return [Column(f"{self.divisor} * {digit}", product, row, (row, number, product))]

    def left(self, paper: Paper) -> int:
        digits = len(str(self.dividend)) - self.first + 1
        return 2 * (digits - len(paper[0])) + bool(paper[2])

    def answer(self) -> str:
        quotient, rest = divmod(self.dividend, self.divisor)
        return f"{quotient} r {rest}" if rest else str(quotient)


def _column(work: str, result: int, row: str, last: bool) -> Column:
    """A column of which the last digit is written and the rest carried, or all written if it is
    the last column. Its paper is the row and the carry."""
    text = str(result)
    row = (text if last else text[-1]) + row
    return Column(work, text, row, (row, "" if last else text[:-1]))


_NUMBER = rf"[1-9][0-9]{{0,{MAX_DIGITS - 1}}}"
_PROBLEM = re.compile(rf"{_NUMBER}(?: ([-+*/]) {_NUMBER}(?: \+ {_NUMBER})*)")


def parse_sheet(text: str) -> Sheet:
    """The sheet of `47 + 85`, `12 + 34 + 56`, `42 - 15`, `347 * 26` or `1234 / 56`.

    Raises:
        ValueError: names what is wrong.
    """
    match = _PROBLEM.fullmatch(text)
    numbers = [int(n) for n in re.findall("[0-9]+", text)] if match else []
    sign = match[1] if match else ""
    if not numbers or len(numbers) > (MAX_ROWS if sign == "+" else 2):
        raise ValueError(
            f"Expected two whole numbers of 1 to {MAX_DIGITS} digits with + - * or / between them, "
            f"or up to {MAX_ROWS} with +, received {text!r:.80}"
        )
    if sign == "+":
        return Sum(tuple(numbers))
    first, second = numbers
    if sign == "-":
        if first < second:
            raise ValueError(f"{text!r} takes the larger number from the smaller")
        return Difference(first, second)
    if sign == "*":
        if len(str(second)) > MAX_ROWS:
            raise ValueError(f"The second factor of {text!r} has more than {MAX_ROWS} digits")
        return Product(first, second)
    return Quotient(first, second)
