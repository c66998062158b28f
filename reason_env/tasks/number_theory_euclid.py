"""Topics of NumberTheory that run Euclid's algorithm: divisors and inverses."""

from __future__ import annotations

import re
from math import gcd

from reason_env.tasks.number_theory_topic import (
    MOD,
    PRODUCT,
    Move,
    N,
    Topic,
    Work,
    integers,
    require,
)


def divisions(a: int, b: int) -> int:
    """The fewest divisions with remainder from a pair a >= b down to a remainder of 0, where each
    may leave a remainder below or above the dividend.

    To take the remainder of least magnitude is never longer (Kronecker; Goodman and Zaring, 1952).
    """
    count = 0
    while b:
        a, b = b, min(a % b, -a % b)
        count += 1
    return count


class Gcd(Topic):
    """Greatest common divisor of (a, b). Work: the pair left, larger first."""

    claim = re.compile(rf"{N}\s*=\s*{PRODUCT}(?:\s*([-+])\s*{N})?")

    def check(self, data: Work) -> None:
        require(len(data) == 2 and min(integers(data)) > 0, data, "two positive numbers")

    def start(self, data: Work) -> Work:
        return tuple(sorted(integers(data), reverse=True))

    def moves(self, data: Work, work: Work) -> list[Move]:
        a, b = integers(work)
        if not b:
            return []
        quotient, rest = divmod(a, b)
        below: Move = (f"{a} = {quotient}*{b} + {rest}", (b, rest))
        if not rest:
            return [below]
        return [below, (f"{a} = {quotient + 1}*{b} - {b - rest}", (b, b - rest))]

    def distance(self, data: Work, work: Work) -> int:
        a, b = integers(work)
        return divisions(a, b)

    def value(self, data: Work) -> int:
        return gcd(*integers(data))

    def statement(self, data: Work) -> str:
        return "gcd({}, {})".format(*data)

    def rules(self, data: Work) -> str:
        return (
            "Find the greatest common divisor of {} and {} by Euclid's algorithm.\n"
            "Each line divides the larger number of the pair by the smaller; the pair that goes "
            "on is then the divisor and the remainder. The remainder is less than the divisor and "
            "stands with + (the quotient rounded down) or with - (rounded up). Go on until the "
            "remainder is 0.\n"
            "Write one step a line, exactly in the form: 252 = 2*105 + 42 or 105 = 3*42 - 21"
        ).format(*data)

    def show(self, data: Work, work: Work) -> str:
        return self.statement(work)

    def is_true(self, parts: list[str]) -> bool:
        a, quotient, b = map(int, parts[:3])
        return a == quotient * b + int("".join(parts[3:]) or "0")

    def text(self, line: str) -> str:
        """A remainder of 0 may be left out."""
        text = super().text(line)
        if "+" not in text and "-" not in text:
            return text + "+0"
        return re.sub(r"-0\Z", "+0", text)

    def canonical(self, data: Work) -> Work:
        return self.start(data)


class Inverse(Topic):
    """The inverse of a modulo m, by extended Euclid. Work: (s, r, t, q) for the last two lines
    a*s = r and a*t = q mod m; before the first line these are a*0 = m and a*1 = a."""

    claim = re.compile(rf"{PRODUCT}\s*=\s*{N}{MOD}")
    short = re.compile(rf"({PRODUCT}){MOD}")

    def check(self, data: Work) -> None:
        numbers = integers(data)
        valid = len(numbers) == 2 and 2 <= numbers[0] < numbers[1] and gcd(*numbers) == 1
        require(valid, data, "a number of 2 or more and a larger one prime to it")

    def start(self, data: Work) -> Work:
        a, m = data
        return (0, m, 1, a)

    def moves(self, data: Work, work: Work) -> list[Move]:
        (a, m), (s, r, t, q) = integers(data), integers(work)
        if q == 1:
            return []
        times, rest = divmod(r, q)
        found = [((s - times * t) % m, rest), (((times + 1) * t - s) % m, q - rest)]
        return [(f"{a}*{u} = {p} mod {m}", (t, q, u, p)) for u, p in dict.fromkeys(found)]

    def distance(self, data: Work, work: Work) -> int:
        _, r, _, q = integers(work)
        # The last division of all, from a remainder of 1 to one of 0, is not needed.
        return divisions(r, q) - 1

    def value(self, data: Work) -> int:
        a, m = integers(data)
        return pow(a, -1, m)

    def statement(self, data: Work) -> str:
        return "1/{} mod {}".format(*data)

    def rules(self, data: Work) -> str:
        a, m = data
        return (
            f"Find the inverse of {a} modulo {m}, the x from 1 to {m} with {a}*x = 1 mod {m}, by "
            "the extended Euclidean algorithm.\n"
            f"Each line states a multiple of {a} and its residue. The first two are given: {a}*0, "
            f"whose residue counts as {m}, and {a}*1 = {a}. The next line always comes from the "
            "last two, u with residue r and v with residue s: it subtracts v so often from u that "
            "0 <= r - k*s < s, or once more, turned round: 0 < k*s - r <= s. Multiples are "
            f"written from 0 to {m}, so reduce them modulo {m}. Go on until the residue is 1.\n"
            "Write one step a line, exactly in the form (here both ways to begin with 17 modulo "
            "60): 17*57 = 9 mod 60 or 17*4 = 8 mod 60"
        )

    def show(self, data: Work, work: Work) -> str:
        (a, m), (s, r, t, q) = data, work
        return f"{a}*{s} = {r}, {a}*{t} = {q} mod {m}"

    def is_true(self, parts: list[str]) -> bool:
        a, s, r, m = map(int, parts)
        return m > 0 and (a * s - r) % m == 0
