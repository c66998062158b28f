"""The problems of `Derivative` and `Integral`, level by level."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from reason_env.tasks.algebra_tree import (
    Call,
    Name,
    Tree,
    add,
    divide,
    multiply,
    number,
    power,
)

Maker = Callable[[np.random.Generator], Tree]

_X = Name("x")


def _positive(rng: np.random.Generator, largest: int, smallest: int = 1) -> int:
    return int(rng.integers(smallest, largest + 1))


def _whole(rng: np.random.Generator, largest: int) -> int:
    """A whole number of that magnitude, of either sign."""
    return _positive(rng, largest) * (1 - 2 * int(rng.integers(2)))


def _monomial(coefficient: int | Fraction, exponent: int) -> Tree:
    return multiply(number(coefficient), power(_X, exponent))


def _linear(rng: np.random.Generator, slope: int = 9, constant: int = 9) -> Tree:
    return add(_monomial(_positive(rng, slope, 2), 1), number(_whole(rng, constant)))


def _primitive(rng: np.random.Generator, largest: int = 9) -> Tree:
    """A linear expression whose numbers have no common factor, as ln takes it."""
    while True:
        slope, constant = _positive(rng, largest), _whole(rng, largest)
        if np.gcd(slope, constant) == 1:
            return add(_monomial(slope, 1), number(constant))


def _quadratic(rng: np.random.Generator, largest: int = 9) -> Tree:
    """x^2 + b*x + c, at times without the middle."""
    middle = [_monomial(_whole(rng, largest), 1)] if rng.integers(2) else []
    return add(_monomial(1, 2), *middle, number(_whole(rng, largest)))


def _function(rng: np.random.Generator, argument: Tree) -> Tree:
    """exp, sin or cos of it."""
    return Call(("exp", "sin", "cos")[int(rng.integers(3))], argument)


def _multiple(rng: np.random.Generator) -> Tree:
    """2*x to 9*x"""
    return _monomial(_positive(rng, 9, 2), 1)


def _different(rng: np.random.Generator, count: int, largest: int) -> list[int]:
    """Different numbers from 0 up, the largest first."""
    return sorted(map(int, rng.permutation(largest + 1)[:count]), reverse=True)


def _sum(rng: np.random.Generator, makers: list[Maker], count: int, coefficient: int = 9) -> Tree:
    """Different kinds of terms in any order, each with a number in front."""
    chosen = [makers[int(i)] for i in rng.permutation(len(makers))[:count]]
    return add(*(multiply(number(_whole(rng, coefficient)), maker(rng)) for maker in chosen))


# -- To differentiate ----------------------------------------------------------------------------


def _derivative_1(rng: np.random.Generator) -> Tree:
    """Small enough for a tiny model, and still more than 10,000 distinct problems."""
    first, second = _different(rng, 2, 5)
    return add(_monomial(_positive(rng, 20), first), _monomial(_whole(rng, 20), second))


def _derivative_2(rng: np.random.Generator) -> Tree:
    first, second = _different(rng, 2, 6)
    special: list[Maker] = [
        lambda rng: power(_X, -_positive(rng, 4)),
        lambda rng: _function(rng, _X),
        lambda rng: Call("ln", _X),
        lambda rng: power(_linear(rng, 3, 5), 2),
    ]
    return add(
        _monomial(_whole(rng, 12), first), _sum(rng, special, 1), _monomial(_whole(rng, 12), second)
    )


_DERIVATIVES_3: list[Maker] = [
    lambda rng: multiply(power(_X, _positive(rng, 4)), _function(rng, _X)),
    lambda rng: _function(rng, _multiple(rng)),
    lambda rng: power(_linear(rng), _positive(rng, 6, 2)),
    lambda rng: divide(_X, _linear(rng)),
    lambda rng: Call("ln", _primitive(rng)),
    lambda rng: multiply(power(_X, _positive(rng, 4)), Call("ln", _X)),
]

_DERIVATIVES_4: list[Maker] = [
    lambda rng: multiply(power(_X, _positive(rng, 4, 2)), _function(rng, _linear(rng))),
    lambda rng: divide(_linear(rng), _quadratic(rng)),
    lambda rng: power(_quadratic(rng), _positive(rng, 5, 2)),
    lambda rng: Call("ln", _quadratic(rng)),
    lambda rng: _function(rng, _quadratic(rng)),
    lambda rng: multiply(_function(rng, _multiple(rng)), _function(rng, _multiple(rng))),
    lambda rng: divide(_function(rng, _multiple(rng)), _X),
]

_DERIVATIVES_5: list[Maker] = [
    lambda rng: multiply(
        power(_X, _positive(rng, 4, 2)),
        _function(rng, _multiple(rng)),
        _function(rng, _quadratic(rng)),
    ),
    lambda rng: divide(
        multiply(power(_X, _positive(rng, 3, 2)), _function(rng, _multiple(rng))), _linear(rng)
    ),
    lambda rng: divide(power(_linear(rng), _positive(rng, 4, 2)), power(_quadratic(rng), 2)),
    lambda rng: multiply(power(_function(rng, _linear(rng)), 3), Call("ln", _quadratic(rng))),
    lambda rng: power(add(_function(rng, _multiple(rng)), _quadratic(rng)), _positive(rng, 4, 2)),
]


def _derivative_3(rng: np.random.Generator) -> Tree:
    return add(_sum(rng, _DERIVATIVES_3, 1), _monomial(_whole(rng, 9), _positive(rng, 5)))


def _derivative_4(rng: np.random.Generator) -> Tree:
    return _sum(rng, _DERIVATIVES_4, 2)


def _derivative_5(rng: np.random.Generator) -> Tree:
    return add(_sum(rng, _DERIVATIVES_5, 1), _sum(rng, _DERIVATIVES_4, 1))


DERIVATIVES: dict[int, Maker] = {
    1: _derivative_1,
    2: _derivative_2,
    3: _derivative_3,
    4: _derivative_4,
    5: _derivative_5,
}


# -- To integrate --------------------------------------------------------------------------------


def _integral_1(rng: np.random.Generator) -> Tree:
    """Small enough for a tiny model, with whole results, and more than 5,000 distinct problems."""
    first, second = _different(rng, 2, 5)
    return add(
        _monomial(_positive(rng, 15) * (first + 1), first),
        _monomial(_whole(rng, 15) * (second + 1), second),
    )


def _integral_2(rng: np.random.Generator) -> Tree:
    first, second = _different(rng, 2, 5)
    special: list[Maker] = [
        lambda rng: power(_X, -_positive(rng, 4)),
        lambda rng: _function(rng, _X),
        lambda rng: _function(rng, _multiple(rng)),
    ]
    return add(
        _monomial(_whole(rng, 12), first), _sum(rng, special, 1), _monomial(_whole(rng, 12), second)
    )


_INTEGRALS_3: list[Maker] = [
    lambda rng: multiply(_linear(rng, 5), _linear(rng, 5)),
    lambda rng: power(_linear(rng), _positive(rng, 6, 2)),
    lambda rng: _function(rng, _linear(rng)),
    lambda rng: power(_primitive(rng), -1),
    lambda rng: multiply(power(_X, _positive(rng, 3)), _linear(rng)),
]

_INTEGRALS_4: list[Maker] = [
    lambda rng: multiply(
        _X, power(add(_monomial(1, 2), number(_whole(rng, 9))), _positive(rng, 5))
    ),
    lambda rng: multiply(
        _X, _function(rng, add(_monomial(_positive(rng, 5), 2), number(_whole(rng, 9))))
    ),
    lambda rng: multiply(_X, _function(rng, _multiple(rng))),
    lambda rng: multiply(power(_X, _positive(rng, 5)), Call("ln", _X)),
    lambda rng: divide(power(Call("ln", _X), _positive(rng, 4)), _X),
    lambda rng: _turned(rng, _multiple(rng)),
    lambda rng: divide(_X, add(_monomial(1, 2), number(_positive(rng, 9)))),
]

_INTEGRALS_5: list[Maker] = [
    lambda rng: multiply(power(_X, _positive(rng, 3, 2)), _function(rng, _multiple(rng))),
    lambda rng: multiply(_linear(rng), _function(rng, _linear(rng))),
    lambda rng: power(Call(("sin", "cos")[int(rng.integers(2))], _multiple(rng)), 2),
    lambda rng: multiply(Call("sin", _multiple(rng)), Call("cos", _multiple(rng))),
    lambda rng: multiply(power(_X, _positive(rng, 2)), power(Call("sin", _multiple(rng)), 2)),
    lambda rng: multiply(_quadratic(rng), Call("ln", _X)),
    lambda rng: multiply(power(_X, 2), power(_linear(rng, 5, 5), 2)),
]


def _turned(rng: np.random.Generator, argument: Tree) -> Tree:
    """A power of sin times cos, or of cos times sin."""
    names = ("sin", "cos") if rng.integers(2) else ("cos", "sin")
    return multiply(power(Call(names[0], argument), _positive(rng, 5, 2)), Call(names[1], argument))


def _integral_3(rng: np.random.Generator) -> Tree:
    return add(
        _sum(rng, _INTEGRALS_3, 1),
        _monomial(_whole(rng, 9), _positive(rng, 4)),
        multiply(number(_whole(rng, 9)), _function(rng, _multiple(rng))),
    )


def _integral_4(rng: np.random.Generator) -> Tree:
    return add(_sum(rng, _INTEGRALS_4, 2), _sum(rng, _INTEGRALS_3, 1))


def _integral_5(rng: np.random.Generator) -> Tree:
    return add(_sum(rng, _INTEGRALS_5, 2), _sum(rng, _INTEGRALS_4, 1))


INTEGRALS: dict[int, Maker] = {
    1: _integral_1,
    2: _integral_2,
    3: _integral_3,
    4: _integral_4,
    5: _integral_5,
}
