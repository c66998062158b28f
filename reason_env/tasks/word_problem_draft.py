"""Draft: writes a story of WordProblem and its graph of quantities at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from graphlib import TopologicalSorter
from itertools import combinations

import numpy as np

from reason_env.problem import Json
from reason_env.tasks.word_problem_graph import MAX_VALUE


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words(
    "Ada Amy Ann Ben Bob Cara Dan Dora Emma Eva Finn Fred Gus Hana Ida Ivan Jack Jane Kim Kofi "
    "Lara Leo Lin Lou Max Mia Mona Nina Noor Omar Otto Pam Rana Rosa Sam Sara Tara Tom Uma Zoe"
)
THINGS = _words(
    "beads books bowls bulbs caps cards combs cups dolls fans flags forks hats jars keys kites "
    "lamps locks masks mats mugs nails pans pens pins plates pots rings ropes spoons toys vases"
)
"""What can be made, packed, bought and given away."""
_ASIDES = (
    "It is {n} degrees outside.",
    "The way home takes {n} minutes.",
    "{who} wrote {n} lines in a diary.",
    "{who} got up {n} minutes early.",
    "The number on the door of {who} is {n}.",
    "A friend sent {who} {n} messages.",
    "The radio played {n} songs.",
    "{who} waited {n} minutes for the bus.",
    "A museum had {n} visitors.",
    "The street has {n} lamp posts.",
)
"""Sentences with a number that has nothing to do with anything."""
_SIDE_STORIES = (
    ("*", "{other} buys {n} {things} at ${m} each."),
    ("*", "{other} reads {n} pages a day for {m} days."),
    ("+", "{other} has {n} {things} and finds {m} more."),
    ("+", "{other} walks {n} km in the morning and {m} km in the evening."),
)
"""Sentences with two numbers that make a quantity, of use to nobody."""


class Redraw(Exception):
    """The numbers drawn make no good story; others may."""


@dataclass(eq=False, slots=True)
class Quantity:
    """A number of the story. In a format string it is its value.

    Attributes:
        value: a whole number above 0.
        ways: how it follows from others; none for a number that is given.
    """

    value: int
    ways: list[tuple[str, Quantity, Quantity]] = field(default_factory=list)

    def __str__(self) -> str:
        return str(self.value)


class Draft:
    """A story in the making.

    All quantities of a story differ in value, so that a claim's numbers say what it is about.
    Where chance makes two equal, or a result that is not whole and above 0, `Redraw` is raised.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._names = [NAMES[int(i)] for i in rng.permutation(len(NAMES))]
        self._things = [THINGS[int(i)] for i in rng.permutation(len(THINGS))]
        self._who = self._names[0]
        self._by_value: dict[int, Quantity] = {}
        self._implied: dict[int, Quantity] = {}
        self._sentences: list[str] = []
        self._asked: Quantity | None = None

    # -- Words -----------------------------------------------------------------------------------

    def name(self) -> str:
        """Someone new."""
        return self._names.pop(0)

    def things(self) -> str:
        """Something new to count, in the plural."""
        return self._things.pop()

    def say(self, *sentences: str) -> None:
        self._sentences += sentences

    def ask(self, goal: Quantity, question: str) -> None:
        """The end of the story."""
        self._asked = goal
        self._sentences.append(question)

    def digress(self, asides: int, side_stories: int) -> None:
        """Put in so many sentences of each sort whose numbers do not matter."""
        for i in self.rng.permutation(len(_ASIDES))[:asides]:
            self._put_in(_ASIDES[int(i)].format(n=self.number(2, 60), who=self._who))
        for i in self.rng.permutation(len(_SIDE_STORIES))[:side_stories]:
            sign, sentence = _SIDE_STORIES[int(i)]
            n, m = self.number(2, 30), self.number(2, 15)
            if sign == "*":
                self.product([n, m])
            else:
                self.total([n, m])
            other, things = self.name(), self.things()
            self._put_in(sentence.format(n=n, m=m, other=other, things=things))

    def _put_in(self, sentence: str) -> None:
        """Anywhere after the first sentence and before the question."""
        self._sentences.insert(int(self.rng.integers(1, len(self._sentences))), sentence)

    # -- Numbers ---------------------------------------------------------------------------------

    def number(self, low: int, high: int, step: int = 1) -> Quantity:
        """A number from `low` to `high` for the text."""
        return self._any(range(low, high + 1, step))

    def given(self, value: int) -> Quantity:
        """This number, for the text."""
        return self._new(value)

    def divisor(self, whole: Quantity, low: int, high: int) -> Quantity:
        """A number for the text that divides a quantity."""
        return self._any(n for n in range(low, high + 1) if whole.value % n == 0)

    def implied(self, value: int) -> Quantity:
        """A number that words imply: 100 for a per cent sign."""
        if value not in self._implied:
            self._implied[value] = self._new(value)
        return self._implied[value]

    def total(
        self,
        plus: Sequence[Quantity],
        minus: Sequence[Quantity] = (),
        same: Quantity | None = None,
    ) -> Quantity:
        """A sum and difference, which may be worked out in any order.

        Args:
            plus: what is added.
            minus: what is taken off.
            same: the quantity that it is another way to.
        """
        return self._combined(plus, minus, "+-", same)

    def product(
        self,
        times: Sequence[Quantity],
        over: Sequence[Quantity] = (),
        same: Quantity | None = None,
    ) -> Quantity:
        """A product and quotient, in any order that keeps to whole numbers."""
        return self._combined(times, over, "*/", same)

    def percent(self, whole: Quantity, rate: Quantity) -> Quantity:
        return self.product([whole, rate], [self.implied(100)])

    def _any(self, values: Iterable[int]) -> Quantity:
        free = [value for value in values if value not in self._by_value]
        if not free:
            raise Redraw
        return self.given(free[int(self.rng.integers(len(free)))])

    def _new(self, value: int) -> Quantity:
        if not 0 < value <= MAX_VALUE or value in self._by_value:
            raise Redraw
        self._by_value[value] = Quantity(value)
        return self._by_value[value]

    def _combined(
        self,
        plain: Sequence[Quantity],
        inverse: Sequence[Quantity],
        signs: str,
        same: Quantity | None,
    ) -> Quantity:
        """All the parts put together, and each selection of them on the way.

        A selection's quantity is its magnitude (5 - 8 is 3, 4 / 12 is 3), kept with whether it
        counts as it is or inversely.
        """
        parts = [(part, True) for part in plain] + [(part, False) for part in inverse]
        made: dict[frozenset[int], tuple[Quantity, bool]] = {}
        for size in range(1, len(parts) + 1):
            for chosen in map(frozenset, combinations(range(len(parts)), size)):
                if size == 1:
                    made[chosen] = parts[min(chosen)]
                    continue
                value, upright = _magnitude([parts[i] for i in chosen], signs)
                ways = list(_ways(chosen, made, signs)) if value else []
                if ways:
                    whole = same if size == len(parts) else None
                    made[chosen] = (self._follows(value, ways, whole), upright)
        quantity, upright = made.get(frozenset(range(len(parts))), (None, False))
        if quantity is None or not upright:
            raise Redraw
        return quantity

    def _follows(
        self, value: int, ways: list[tuple[str, Quantity, Quantity]], same: Quantity | None
    ) -> Quantity:
        """The quantity with these ways, perhaps with others that it had already."""
        known = self._by_value.get(value)
        if known is not None and (known is same or any(way in known.ways for way in ways)):
            quantity = known
        else:
            quantity = self._new(value)
        assert same is None or quantity is same
        quantity.ways += [way for way in ways if way not in quantity.ways]
        return quantity

    # -- The problem -----------------------------------------------------------------------------

    def finished(self) -> Json:
        """`Problem.data` of WordProblem."""
        assert self._asked is not None
        everything = self._by_value.values()
        # Lists, not sets: those would come in an order of their own in every process.
        follows_from = {q: [part for way in q.ways for part in way[1:]] for q in everything}
        order = list(TopologicalSorter(follows_from).static_order())
        order.sort(key=lambda quantity: bool(quantity.ways))
        places = {quantity: place for place, quantity in enumerate(order)}
        return (
            " ".join(self._sentences),
            tuple(q.value for q in order if not q.ways),
            tuple(
                tuple((sign, places[a], places[b]) for sign, a, b in q.ways)
                for q in order
                if q.ways
            ),
            places[self._asked],
        )


def _magnitude(parts: Iterable[tuple[Quantity, bool]], signs: str) -> tuple[int, bool]:
    """The magnitude of parts put together, and whether it counts as it is; 0 if it is not whole.

    Raises:
        Redraw: the parts cancel out.
    """
    if signs == "+-":
        total = sum(part.value if upright else -part.value for part, upright in parts)
        if total == 0:
            raise Redraw
        return abs(total), total > 0
    result = Fraction(1)
    for part, upright in parts:
        result = result * part.value if upright else result / part.value
    if result == 1:
        raise Redraw
    upright = result > 1
    result = result if upright else 1 / result
    return int(result) if result.denominator == 1 else 0, upright


def _ways(
    chosen: frozenset[int], made: dict[frozenset[int], tuple[Quantity, bool]], signs: str
) -> Iterable[tuple[str, Quantity, Quantity]]:
    """The ways to make a selection from two smaller ones."""
    first = min(chosen)
    for size in range(1, len(chosen)):
        for part in map(frozenset, combinations(sorted(chosen), size)):
            rest = chosen - part
            if first not in part or part not in made or rest not in made:
                continue
            (a, a_upright), (b, b_upright) = made[part], made[rest]
            if a_upright == b_upright:
                yield signs[0], a, b
            elif a.value > b.value:
                yield signs[1], a, b
            else:
                yield signs[1], b, a
