"""Topics of NumberTheory about residues: powers, and systems of congruences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations, permutations
from math import gcd, prod

from reason_env.problem import Json
from reason_env.tasks.number_theory_topic import (
    MAX,
    MOD,
    PRODUCT,
    Move,
    N,
    Topic,
    Work,
    integers,
    require,
)

MAX_CONGRUENCES = 8
_POWER = rf"{N}\s*\^\s*{N}"

WINDOW = 3
"""Known powers up to this exponent may be multiplied by."""


class Power(Topic):
    """b**e modulo m. Work: the exponents found, of those above the window the last only.

    From an exponent of more than half of a large e the way is so long that the potential, though
    not the distance, comes to 0.0.
    """

    claim = re.compile(rf"{_POWER}\s*=\s*{N}{MOD}")
    short = re.compile(rf"({_POWER}){MOD}")

    def check(self, data: Work) -> None:
        numbers = integers(data)
        valid = len(numbers) == 3 and 2 <= numbers[0] < numbers[2] and numbers[1] >= 2
        require(valid, data, "a base of 2 or more, an exponent of 2 or more, a larger modulus")

    def start(self, data: Work) -> Work:
        return (1,)

    def moves(self, data: Work, work: Work) -> list[Move]:
        (base, exponent, modulus), found = integers(data), integers(work)
        last, small = found[-1], [n for n in found if n <= WINDOW]
        following = sorted({last + n for n in small} | {2 * last})
        return [
            (f"{base}^{n} = {pow(base, n, modulus)} mod {modulus}", (*small, n))
            for n in following
            if n <= exponent
        ]

    def distance(self, data: Work, work: Work) -> int:
        exponent, found = integers(data)[1], integers(work)
        last, width = found[-1], max(n for n in found if n <= WINDOW)
        if width == last < WINDOW:
            # The next small power costs a line, and widens what can be added from then on.
            wider = 1 + self.distance(data, (*work, last + 1)) if last < exponent else MAX
            return min(_chain(last, exponent, width), wider)
        return _chain(last, exponent, width)

    def value(self, data: Work) -> int:
        return pow(*integers(data))

    def statement(self, data: Work) -> str:
        return "{}^{} mod {}".format(*data)

    def rules(self, data: Work) -> str:
        base, exponent, modulus = data
        return (
            f"Find the residue of {base}^{exponent} modulo {modulus}, from 0 to below {modulus}.\n"
            f"Each line states one more power of {base}. It comes from the power in the line "
            f"before (at first {base}^1), by squaring it or by multiplying it by {base}, "
            f"{base}^2 or {base}^3 (the last two only if they are in a line already). No exponent "
            f"may exceed {exponent}. Go on until the exponent is {exponent}.\n"
            "Write one step a line, exactly in the form (here modulo 100): 7^4 = 1 mod 100"
        )

    def show(self, data: Work, work: Work) -> str:
        base, _, modulus = integers(data)
        powers = [f"{base}^{n} = {pow(base, n, modulus)}" for n in integers(work)]
        return f"{', '.join(powers)} mod {modulus}"

    def is_true(self, parts: list[str]) -> bool:
        base, exponent, residue, modulus = map(int, parts)
        return modulus > 0 and pow(base, exponent, modulus) == residue


@lru_cache(maxsize=65536)
def _chain(start: int, end: int, width: int) -> int:
    """The fewest steps from `start` up to `end`, doubling or adding 1, 2, ..., `width` <= 3.

    Some shortest way adds at most once after each doubling: two numbers added after one are a
    single number added before it and at most one after it. So the last doubling is tried with
    every number that may be added after it.
    """
    best = -(-(end - start) // width)
    for added in range(end % 2, width + 1, 2):
        half = (end - added) // 2
        if half >= start:
            best = min(best, _chain(start, half, width) + 1 + (added > 0))
    return best


class Congruences(Topic):
    """The least x >= 0 with x = r mod m for several (r, m), moduli prime to each other.

    Work: the congruences left, and () or the moduli (m, n) of the last line m*k = d mod n: with
    x = r mod m and x = s mod n it says how many times m must be added to r, since d is s - r.
    """

    claim = re.compile(rf"(?:x|{PRODUCT})\s*=\s*{N}{MOD}")
    short = re.compile(rf"(x|{PRODUCT}){MOD}")

    def check(self, data: Work) -> None:
        require(
            2 <= len(data) <= MAX_CONGRUENCES, data, f"2 to {MAX_CONGRUENCES} pairs (residue, m)"
        )
        pairs = _pairs(data)
        require(all(r < m for r, m in pairs), data, "residues below their moduli")
        require(prod(m for _, m in pairs) <= MAX, data, f"moduli with a product up to {MAX}")
        coprime = all(gcd(m, n) == 1 for (_, m), (_, n) in combinations(pairs, 2))
        require(min(m for _, m in pairs) > 1 and coprime, data, "moduli prime to each other")

    def start(self, data: Work) -> Work:
        return (self.canonical(data), ())

    def moves(self, data: Work, work: Work) -> list[Move]:
        pairs, link = _congruences(work)
        residues = {m: r for r, m in pairs}
        found: list[Move] = []
        if link:
            m, n = link
            merged = (residues[m] + m * _steps(residues, m, n), m * n)
            rest = [pair for pair in pairs if pair[1] not in link]
            found.append(("x = {} mod {}".format(*merged), (self.canonical((*rest, merged)), ())))
        for m, n in permutations(residues, 2):
            if (m, n) != link:
                difference = (residues[n] - residues[m]) % n
                line = f"{m}*{_steps(residues, m, n)} = {difference} mod {n}"
                found.append((line, (pairs, (m, n))))
        return found

    def distance(self, data: Work, work: Work) -> int:
        pairs, link = _congruences(work)
        return 2 * (len(pairs) - 1) - bool(link)

    def value(self, data: Work) -> int:
        pairs = _pairs(data)
        whole = prod(m for _, m in pairs)
        return sum(r * (whole // m) * pow(whole // m, -1, m) for r, m in pairs) % whole

    def statement(self, data: Work) -> str:
        return ", ".join(f"x = {r} mod {m}" for r, m in _pairs(data))

    def rules(self, data: Work) -> str:
        return (
            f"Find the least x of 0 or more with {self.statement(data)}.\n"
            "Two lines make one congruence of two. For x = r mod m and x = s mod n, the first "
            "line says which k, from 0 to below n, solves m*k = s - r mod n, the right side "
            "reduced to 0 to below n. The second line is the congruence x = r + m*k mod m*n in "
            "numbers; it takes the place of the two. Go on until one congruence is left.\n"
            "Write one step a line, exactly in the form (here for x = 2 mod 5 and x = 3 mod 7): "
            "5*3 = 1 mod 7 and on the next line x = 17 mod 35"
        )

    def show(self, data: Work, work: Work) -> str:
        pairs, link = _congruences(work)
        if not link:
            return self.statement(pairs)
        m, n = link
        residues = {m: r for r, m in pairs}
        difference = (residues[n] - residues[m]) % n
        last = f"{m}*{_steps(residues, m, n)} = {difference} mod {n}"
        return f"{self.statement(pairs)}; {last}"

    def is_true(self, parts: list[str]) -> bool:
        if len(parts) < 4:
            return True  # Of x alone nothing can be said.
        m, k, difference, n = map(int, parts)
        return n > 0 and (m * k - difference) % n == 0

    def canonical(self, data: Work) -> Work:
        return tuple(sorted(_pairs(data), key=lambda pair: pair[1]))


def _steps(residues: dict[int, int], m: int, n: int) -> int:
    """How many times m must be added to its residue to have that of n."""
    return (residues[n] - residues[m]) * pow(m, -1, n) % n


def _pairs(data: Iterable[Json]) -> list[tuple[int, int]]:
    """Residues and moduli.

    Raises:
        ValueError: they are not pairs of numbers.
    """
    found = []
    for pair in data:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(f"Expected a pair (residue, modulus), received {pair!r:.80}")
        residue, modulus = integers(pair)
        found.append((residue, modulus))
    return found


def _congruences(work: Work) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    pairs, link = work
    assert isinstance(pairs, tuple)
    assert isinstance(link, tuple)
    return tuple(_pairs(pairs)), tuple(integers(link))
