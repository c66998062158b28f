"""Rules of deduction over a finite set of formulas, and the shortest derivations by them.

The opposite of a formula is its negation, and of a negation `~x` it is x.

| Rule | From | Follows |
|---|---|---|
| MP   | `x -> y`, `x`                   | `y` |
| MT   | `x -> y`, the opposite of `y`   | the opposite of `x` |
| HS   | `x -> y`, `y -> z`              | `x -> z` |
| DS   | `x \\| y`, the opposite of one   | the other |
| AND  | `x`, `y`                        | `x & y` |
| SIMP | `x & y`                         | `x`, and `y` |
| ADD  | `x`                             | `x \\| y`, and `y \\| x` |
| DN   | `~~x`                           | `x` |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from reason_env.tasks.logic_text import Formula

RULES = ("MP", "MT", "HS", "DS", "AND", "SIMP", "ADD", "DN")

Inference = tuple[str, Formula, tuple[Formula, ...]]
"""A rule, what follows by it, and from what."""


def opposite(formula: Formula) -> Formula:
    """~x for x, and x for ~x."""
    return formula.parts[0] if formula.sign == "~" else formula.negation


@dataclass(frozen=True, eq=False)
class Calculus:
    """All inferences within a set of formulas. Sets of formulas are the bits of a number.

    Attributes:
        formulas: the premises, then the others.
        premises: how many of the formulas are premises.
        goal: the place of the goal among the formulas.
        inferences: rule, place of the conclusion, and set of the formulas that it follows from.
        ways: for each formula, the sets that it follows from.
    """

    formulas: tuple[Formula, ...]
    premises: int
    goal: int
    inferences: tuple[tuple[str, int, int], ...]
    ways: tuple[tuple[int, ...], ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each formula by its canonical text."""
        return {str(formula): place for place, formula in enumerate(self.formulas)}

    @property
    def start(self) -> int:
        """The premises as a set."""
        return (1 << self.premises) - 1


def calculus(premises: Sequence[Formula], goal: Formula) -> Calculus:
    """The inferences among the parts of the premises and of the goal, and their opposites."""
    parts = [part for formula in (*premises, goal) for part in formula.subformulas()]
    formulas = tuple(dict.fromkeys([*premises, *parts, *map(opposite, parts)]))
    place = {formula: i for i, formula in enumerate(formulas)}
    inferences = []
    ways: list[dict[int, None]] = [{} for _ in formulas]
    for rule, conclusion, grounds in _inferences(formulas):
        if conclusion in place and all(ground in place for ground in grounds):
            needed = sum(1 << place[ground] for ground in set(grounds))
            inferences.append((rule, place[conclusion], needed))
            ways[place[conclusion]][needed] = None
    return Calculus(
        formulas,
        len(dict.fromkeys(premises)),
        place[goal],
        tuple(dict.fromkeys(inferences)),
        tuple(map(tuple, ways)),
    )


def _inferences(formulas: Sequence[Formula]) -> Iterator[Inference]:
    """All inferences that take a formula apart or put one together; some lead out of the set."""
    implications = [formula for formula in formulas if formula.sign == "->"]
    for formula in formulas:
        if formula.sign == "~" and formula.parts[0].sign == "~":
            yield "DN", formula.parts[0].parts[0], (formula,)
        if len(formula.parts) < 2:
            continue
        x, y = formula.parts
        if formula.sign == "->":
            yield "MP", y, (formula, x)
            yield "MT", opposite(x), (formula, opposite(y))
            for other in implications:
                if other.parts[0] == y:
                    yield "HS", Formula("->", (x, other.parts[1])), (formula, other)
        elif formula.sign == "|":
            yield "DS", y, (formula, opposite(x))
            yield "DS", x, (formula, opposite(y))
            yield "ADD", formula, (x,)
            yield "ADD", formula, (y,)
        elif formula.sign == "&":
            yield "AND", formula, (x, y)
            yield "SIMP", x, (formula,)
            yield "SIMP", y, (formula,)


def members(formulas: int) -> Iterator[int]:
    """The places in a set."""
    while formulas:
        yield (formulas & -formulas).bit_length() - 1
        formulas &= formulas - 1


def derivations(rules: Calculus, known: int) -> tuple[int, ...] | None:
    """The smallest sets of formulas to derive, in some order, until the goal is among them.

    Backwards from the goal: as long as a formula is open, one of the ways to infer it is chosen,
    whose grounds become open. The number of formulas is bounded, and the bound raised until there
    is a set. Finding it is NP-hard in general; what keeps it fast is that problems are small, and
    a bound from below: where a formula is `depth` inferences deep, any derivation of it has one
    formula at least of each depth below (along some chain of grounds the depth goes down to 1,
    and by 1 at most each time).

    Args:
        rules: see `Calculus`.
        known: the set of formulas that are there.

    Returns:
        All sets of the smallest size; None if the goal cannot be derived.
    """
    layers = _layers(rules, known)
    depth = {place: d for d, layer in enumerate(layers) for place in members(layer)}
    if rules.goal not in depth:
        return None
    reachable = 0
    for layer in layers:
        reachable |= layer
    ways = {f: _least(w & ~known for w in rules.ways[f] if not w & ~reachable) for f in depth}
    goal = 1 << rules.goal & ~known
    for most in range(depth[rules.goal], reachable.bit_count() + 1):
        found: set[int] = set()
        seen: set[tuple[int, int]] = set()
        waiting = [(goal, goal)]
        while waiting:
            chosen, open_ = waiting.pop()
            if not open_:
                if _is_derivable(ways, chosen):
                    found.add(chosen)
                continue
            deepest = max(members(open_), key=depth.__getitem__)
            missing = sum(not layer & chosen for layer in layers[1 : depth[deepest]])
            if chosen.bit_count() + missing > most:
                continue
            for way in ways[deepest]:
                following = (chosen | way, open_ & ~(1 << deepest) | way & ~chosen)
                if following[0].bit_count() <= most and following not in seen:
                    seen.add(following)
                    waiting.append(following)
        if found:
            return tuple(sorted(found))
    raise AssertionError("the goal is derivable from all that is")


def derivable_now(rules: Calculus, known: int) -> int:
    """The set of formulas that one inference leads to, without the known ones."""
    now, missing = 0, ~known
    for place, ways in enumerate(rules.ways):
        if missing >> place & 1:
            # Plain loops: most of the time of a search is spent here.
            for way in ways:
                if not way & missing:
                    now |= 1 << place
                    break
    return now


def _layers(rules: Calculus, known: int) -> list[int]:
    """The known formulas, then those of each depth: one inference from them, two, and so on."""
    layers = [known]
    while following := derivable_now(rules, known):
        layers.append(following)
        known |= following
    return layers


def _least(sets: Iterable[int]) -> tuple[int, ...]:
    """Those of the sets that contain no other."""
    distinct = sorted(set(sets), key=int.bit_count)
    least: list[int] = []
    for candidate in distinct:
        if not any(smaller & ~candidate == 0 for smaller in least):
            least.append(candidate)
    return tuple(least)


def _is_derivable(ways: dict[int, tuple[int, ...]], chosen: int) -> bool:
    """Whether the formulas follow in some order, each from the ones before: not in a circle."""
    left = chosen
    while left:
        done = chosen & ~left
        now = sum(1 << f for f in members(left) if any(not way & ~done for way in ways[f]))
        if not now:
            return False
        left &= ~now
    return True
