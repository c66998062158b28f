"""The graph of a story of WordProblem: which quantity follows from which, in which ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import TypeAlias

from reason_env.problem import Json

MAX_TEXT = 2000
MAX_VALUE = 10**9
MAX_QUANTITIES = 48
MAX_CHOICES = 10_000
"""Limits of a problem: characters, values, quantities, and choices of one way for each of them."""

Way: TypeAlias = tuple[str, int, int]
"""A sign and the places of two quantities."""


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """A problem, ready to judge by.

    Attributes:
        text: what is told and asked.
        values: of all quantities, those in the text first.
        derived: the ways of each of the others, in order.
        goal: the place of the quantity asked for.
        places: of each value, the place.
        results: of each way, in either order if the order does not matter, the place.
    """

    text: str
    values: tuple[int, ...]
    derived: tuple[tuple[Way, ...], ...]
    goal: int
    places: dict[str, int]
    results: dict[Way, int]

    @property
    def given(self) -> int:
        """How many numbers the text gives or implies."""
        return len(self.values) - len(self.derived)

    def ways(self, place: int) -> tuple[Way, ...]:
        return self.derived[place - self.given] if place >= self.given else ()

    def knows(self, text: str, found: frozenset[int]) -> bool:
        """Whether it is a number that may be used."""
        place = self.places.get(text)
        return place is not None and (place in found or not self.ways(place))

    def quantity(self, left: str, sign: str, right: str) -> int | None:
        """The place of what an operation on two known numbers works out."""
        if left not in self.places or right not in self.places:
            return None
        return self.results.get((sign, self.places[left], self.places[right]))

    def moves(self, found: frozenset[int]) -> list[tuple[str, int]]:
        """The claims that can be made next, and the places of what they find."""
        return [
            (f"{self.values[i]} {sign} {self.values[j]} = {self.values[place]}", place)
            for place in range(self.given, len(self.values))
            if place not in found
            for sign, i, j in self.ways(place)
            if all(k < self.given or k in found for k in (i, j))
        ]

    def needed(self) -> set[int]:
        """The places of all that can matter for the goal."""
        needed, waiting = {self.goal}, [self.goal]
        while waiting:
            parts = {place for _, i, j in self.ways(waiting.pop()) for place in (i, j)} - needed
            needed |= parts
            waiting += parts
        return needed

    def missing(self, found: frozenset[int]) -> int:
        """The least number of quantities that must be found until the goal is."""
        return self._missing(frozenset({self.goal}) - found, found, {})

    def _missing(
        self, wanted: frozenset[int], found: frozenset[int], known: dict[frozenset[int], int]
    ) -> int:
        if not wanted:
            return 0
        if wanted not in known:
            # The last one: no other that is wanted follows from it.
            last = max(wanted)
            rest = wanted - {last}
            known[wanted] = 1 + min(
                self._missing(
                    rest | {k for k in (i, j) if k >= self.given and k not in found}, found, known
                )
                for _, i, j in self.ways(last)
            )
        return known[wanted]


@lru_cache(maxsize=16384)
def story_of(data: Json) -> Story:
    """Like `read`, but kept: for data that was read before."""
    return read(data)


def read(data: Json) -> Story:
    """A problem's data, checked.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(data, tuple) or len(data) != 4:
        raise ValueError(f"Expected (story, numbers, quantities, goal), received {data!r:.80}")
    text, numbers, quantities, goal = data
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise ValueError(f"A story has 1 to {MAX_TEXT} characters, received {text!r:.80}")
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"A story is one line of printable ASCII, received {text!r:.80}")
    if not isinstance(numbers, tuple) or not isinstance(quantities, tuple):
        raise ValueError(f"Numbers and quantities are lists, received {data[1:3]!r:.80}")
    if len(numbers) + len(quantities) > MAX_QUANTITIES:
        raise ValueError(f"At most {MAX_QUANTITIES} numbers and quantities fit in a story")
    values = [_whole(number) for number in numbers]
    derived = []
    for ways in quantities:
        checked = _ways(ways, len(values))
        derived.append(checked)
        values.append(_result(checked, values))
    if prod(map(len, derived)) > MAX_CHOICES:
        raise ValueError(f"The quantities follow in more than {MAX_CHOICES} ways")
    if len(set(values)) < len(values):
        raise ValueError(f"Numbers and quantities must all be different, received {values}")
    strange = sorted(set(re.findall("[0-9]+", text)) - set(map(str, values[: len(numbers)])))
    if strange:
        raise ValueError(f"The story has numbers that are not listed: {strange}")
    asked = _place(goal, range(len(numbers), len(values)))
    results: dict[Way, int] = {}
    for place, ways_there in enumerate(derived, len(numbers)):
        for sign, i, j in ways_there:
            results[sign, i, j] = place
            if sign in "+*":
                results[sign, j, i] = place
    places = {str(value): place for place, value in enumerate(values)}
    return Story(text, tuple(values), tuple(derived), asked, places, results)


def _whole(number: Json) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= MAX_VALUE:
        raise ValueError(f"A number is whole, from 1 to {MAX_VALUE}, received {number!r:.80}")
    return number


def _ways(ways: Json, before: int) -> tuple[Way, ...]:
    """The ways of a quantity that has so many before it."""
    if not isinstance(ways, tuple) or not ways:
        raise ValueError(f"A quantity has at least one way, received {ways!r:.80}")
    found: list[Way] = []
    for way in ways:
        if not isinstance(way, tuple) or len(way) != 3 or way[0] not in ("+", "-", "*", "/"):
            raise ValueError(f"A way is (sign, place, place), received {way!r:.80}")
        sign, left, right = way
        found.append((str(sign), _place(left, range(before)), _place(right, range(before))))
    return tuple(found)


def _place(place: Json, places: range) -> int:
    if isinstance(place, bool) or not isinstance(place, int) or place not in places:
        raise ValueError(f"Expected the place of a quantity in {places}, received {place!r:.80}")
    return place


def _result(ways: tuple[Way, ...], values: Sequence[int]) -> int:
    """What all the ways lead to."""
    results = set()
    for sign, i, j in ways:
        a, b = values[i], values[j]
        result = Fraction(a, b) if sign == "/" else {"+": a + b, "-": a - b, "*": a * b}[sign]
        if result.denominator != 1:
            raise ValueError(f"{a} / {b} is not whole")
        results.add(int(result))
    if len(results) > 1:
        raise ValueError(f"The ways of a quantity lead to different values: {sorted(results)}")
    return _whole(results.pop())
