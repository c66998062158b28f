"""How problems of `Propositional` are drawn: a derivation backwards from the goal, then premises
that lead elsewhere, of which those are kept that leave the shortest derivation as long as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reason_env.tasks.deduction import calculus, derivations, opposite
from reason_env.tasks.logic_text import Formula, truth_table

NAMES = "pqrstuvwxyz"


def draw_deduction(
    rng: np.random.Generator, length: int, names: int, spare: int
) -> tuple[list[Formula], Formula]:
    """Premises that do not contradict one another, and a goal with a shortest derivation of that
    length. Not every draw gives some.

    Args:
        rng: decides everything.
        length: formulas to derive, the goal included.
        names: how many may occur.
        spare: how many premises at most that are not meant to be used.

    Returns:
        The premises and the goal; no premises where the draw failed.
    """
    literals = [
        Formula(NAMES[i]) if rng.integers(3) else Formula(NAMES[i]).negation
        for i in rng.permutation(len(NAMES))[:names]
    ]
    goal = literals[0]
    if rng.integers(3) == 0:
        goal = _compound(rng, "&|-", goal, literals[1])
    premises = _needed(rng, goal, literals, length)
    if not _has_distance(premises, goal, length):
        return [], goal
    wanted = len(premises) + spare
    for _ in range(4 * spare):
        added = [*premises, _spare(rng, literals)]
        if len(added) <= wanted and _has_distance(added, goal, length):
            premises = added
    return premises if _consistent(premises) else [], goal


def _has_distance(premises: Sequence[Formula], goal: Formula, length: int) -> bool:
    """Whether the premises are distinct, and the goal's shortest derivation is so long."""
    if len(set(premises)) < len(premises):
        return False
    rules = calculus(premises, goal)
    found = derivations(rules, rules.start)
    return found is not None and found[0].bit_count() == length


def _needed(
    rng: np.random.Generator, goal: Formula, literals: Sequence[Formula], length: int
) -> list[Formula]:
    """Premises from which the goal follows by so many inferences, unless they go in a circle.

    It is built backwards: one by one, formulas that are wanted are replaced by what they follow
    from, and what is wanted in the end are the premises.
    """
    wanted, derived = [goal], list[Formula]()
    for _ in range(length):
        # What is long is left for a premise, if there is something short.
        open_ = [formula for formula in wanted if len(formula.parts) < 2] or wanted
        formula = open_[int(rng.integers(len(open_)))]
        wanted.remove(formula)
        derived.append(formula)
        taken = set[str]().union(*(other.names for other in (*wanted, *derived)))
        fresh = [literal for literal in literals if not literal.names & taken]
        if not fresh or rng.integers(8) == 0:
            fresh = [literal for literal in literals if not literal.names & formula.names]
        grounds = _grounds(rng, formula, fresh or literals)
        wanted += [ground for ground in grounds if ground not in wanted]
    return wanted


def _grounds(
    rng: np.random.Generator, formula: Formula, literals: Sequence[Formula]
) -> list[Formula]:
    """Formulas that it follows from by some rule, perhaps with some of the literals."""
    x, y = (literals[int(i)] for i in rng.integers(len(literals), size=2))
    if formula.sign == "&" and rng.integers(3):
        return list(formula.parts)
    if formula.sign == "|" and rng.integers(3):
        return [formula.parts[int(rng.integers(2))]]
    if formula.sign == "->" and rng.integers(3):
        return [Formula("->", (formula.parts[0], x)), Formula("->", (x, formula.parts[1]))]
    choice = int(rng.integers(8))
    if choice < 3:
        # A ground of two parts takes a step of its own.
        ground = _compound(rng, "&|", x, y) if x != y and rng.integers(2) else x
        return [Formula("->", (ground, formula)), ground]
    if choice < 5:
        return [Formula("->", (opposite(formula), opposite(x))), x]
    if choice < 7:
        return [_compound(rng, "|", formula, opposite(x)), x]
    return [_compound(rng, "&", formula, x)]


def _spare(rng: np.random.Generator, literals: Sequence[Formula]) -> Formula:
    """A premise for something useless to be derived from what the goal needs."""
    x, y, z = (literals[i] for i in rng.permutation(len(literals))[:3])
    options = [
        Formula("->", (x, y)),
        Formula("->", (x, _compound(rng, "&|", y, z))),
        _compound(rng, "|", opposite(x), y),
        Formula("->", (opposite(x), opposite(y))),
        _compound(rng, "&", y, z),
    ]
    return options[int(rng.integers(len(options)))]


def _compound(rng: np.random.Generator, signs: str, x: Formula, y: Formula) -> Formula:
    """The two parts, in any order, under one of the signs (`-` for `->`)."""
    sign = signs[int(rng.integers(len(signs)))].replace("-", "->")
    return Formula(sign, (x, y) if rng.integers(2) else (y, x))


def _consistent(premises: Sequence[Formula]) -> bool:
    """Whether some world makes all premises true."""
    names = sorted(set[str]().union(*(formula.names for formula in premises)))
    worlds = (1 << (1 << len(names))) - 1
    for formula in premises:
        worlds &= truth_table(formula, names)
    return worlds != 0
