"""Is one tree the answer that the other asks for? Structure here, formulas by who is asked.

What is compared how:

- A number asks for a number in its last form: `value_of`. Not for a calculation that gives it.
- Lists and sets are equal in any order; pairs, intervals and matrices item by item, and brackets
  count: (1, 2) is neither {1, 2} nor [1, 2]. But `x = 1, y = 2` is the point (1, 2).
- `x = 5` and `5` answer each other; names count when both are there, and in lists with several.
- Units count when both are there, and so do bases. 10 % is 1/10, and is not 10.
- Equations are equal with sides swapped and terms moved, but solved ones stay solved: 2x = 10 is
  not the answer x = 5. Inequalities may be read from the right, or be given as intervals.
- Other formulas: equal, and worked out as far (`shape.less_done`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from reason_env.formulas.parser import Node
from reason_env.formulas.shape import sorted_tree
from reason_env.formulas.tokens import base_unit
from reason_env.formulas.values import nodes, value_of, variables

Same = Callable[[Node, Node], str | None]
"""Why a formula is not the gold one, None if it is."""

_COLLECTIONS = ("list", "set")
_REVERSED = {">": "<", ">=": "<="}


def number_in(node: Node) -> Fraction | None:
    """The number that is asked for by `5`, `x = 5` or `5 cm`; None if it is not one number."""
    node = _value(node)
    node = node.args[0] if node.kind == "unit" else node
    return value_of(node, canonical=False)


def has_text(node: Node) -> bool:
    """Whether words are part of what is asked for (the name in `text = 5` is not)."""
    node = _value(node)
    own = node.kind == "label" and node.text.startswith("text")
    return own or any(map(has_text, node.args))


def difference(gold: Node, answer: Node, same: Same, named: bool = False) -> str | None:
    """Why the answer is not the gold one, None if it is.

    Args:
        gold: what is asked for.
        answer: what is given.
        same: compares two formulas of which the gold one is not a plain number.
        named: whether a name that one side gives must be given by the other.
    """
    if not named:
        gold, answer = _without_names(gold, answer)
    if gold.kind == "unit" or answer.kind == "unit":
        return _unit_difference(gold, answer, same)
    if gold.kind in _COLLECTIONS and answer.kind in _COLLECTIONS:
        golds, answers = _values(gold.args, answer.args)
        several = len({name for item in (*golds, *answers) if (name := _name(item))}) > 1
        return _unordered(golds, answers, same, named=several)
    if "rel" in (gold.kind, answer.kind) or gold.kind != answer.kind:
        gold, answer = _as_points(*_as_sets(gold, answer))
    if gold.kind == "label" and gold.text.startswith(f"base {answer.text}_"):
        return None  # the base was asked for, and is left out like a unit
    if gold.kind != answer.kind and {gold.kind, answer.kind} & {
        *("list", "set", "seq", "union", "matrix", "rel", "label")
    }:
        return _other_form(gold, answer)
    match gold.kind:
        case "seq" if gold.text != answer.text:
            return "other brackets"
        case "seq" | "matrix":
            return _ordered(gold.args, answer.args, same)
        case "union":
            return _unordered(gold.args, answer.args, same, named=True)
        case "label":
            return None if gold == answer else "another text"
        case "rel":
            return _relation_difference(gold, answer, same)
    value = value_of(gold, canonical=False)
    if value is None:
        if _without_value(gold) or _without_value(answer):
            return None if gold == answer else "another value"
        return None if sorted_tree(gold) == sorted_tree(answer) else same(gold, answer)
    given = value_of(answer)
    if given is None:
        return "not a number in its last form"
    return None if given == value else "another value"


def _other_form(gold: Node, answer: Node) -> str:
    if answer.kind in _COLLECTIONS:
        return "several answers where one is asked for"
    if gold.kind in _COLLECTIONS:
        return "one answer where several are asked for"
    return "an answer of another form"


def _unit_difference(gold: Node, answer: Node, same: Same) -> str | None:
    if gold.kind == "unit":
        match answer:
            # 5 m, read as a product
            case Node("mul", _, (number, Node("sym", name))) if base_unit(name) == gold.text:
                answer = Node("unit", gold.text, (number,))
        if answer.kind == "unit" and answer.text != gold.text:
            return "another unit"
    gold = gold.args[0] if gold.kind == "unit" else gold
    answer = answer.args[0] if answer.kind == "unit" else answer
    return difference(gold, answer, same)


def _ordered(golds: Sequence[Node], answers: Sequence[Node], same: Same) -> str | None:
    if len(golds) != len(answers):
        return "another number of items"
    for gold, answer in zip(golds, answers):
        nested = gold.kind == answer.kind == "list"  # rows of a matrix
        reason = (
            _ordered(gold.args, answer.args, same)
            if nested
            else difference(gold, answer, same, named=True)
        )
        if reason is not None:
            return reason
    return None


def _unordered(
    golds: Sequence[Node], answers: Sequence[Node], same: Same, named: bool
) -> str | None:
    """Each answer stands for one gold item; being equal is transitive, so the first will do."""
    if len(golds) != len(answers):
        return "another number of items"
    left = list(answers)
    for gold in golds:
        for answer in left:
            if difference(gold, answer, same, named) is None:
                left.remove(answer)
                break
        else:
            return "an item differs"
    return None


# Names


def _is_name(node: Node) -> bool:
    """x, f(x), AB, the area, (x, y)."""
    match node.kind:
        case "sym" | "label":
            return True
        case "apply":
            return all(arg.kind in ("sym", "num") for arg in node.args)
        case "mul":
            return all(arg.kind == "sym" and arg.text.isupper() for arg in node.args)
        case "seq":
            return node.text == "()" and all(arg.kind == "sym" for arg in node.args)
    return False


def _assignment(node: Node) -> tuple[Node, Node] | None:
    """Name and value of `x = 5`, `5 = x` or `x in {5}`."""
    if node.kind != "rel" or node.text not in ("=", "in"):
        return None
    left, right = node.args
    if _is_name(left) and not (_is_name(right) and right.kind != "seq"):
        return left, right
    if node.text == "=" and _is_name(right) and not _is_name(left):
        return right, left
    return None


def _name(node: Node) -> Node | None:
    found = _assignment(node)
    return found and found[0]


def _value(node: Node) -> Node:
    found = _assignment(node)
    return node if found is None else found[1]


def _without_names(gold: Node, answer: Node) -> tuple[Node, Node]:
    """The values alone, where only one of the two is named."""
    if answer.kind != "rel":
        return _value(gold), answer
    if gold.kind != "rel":
        return gold, _value(answer) if number_in(gold) is None else _total(answer)
    return gold, answer


def _total(answer: Node) -> Node:
    """The number in `m + n = 117` or `|S| = 5`: a name that is a formula without numbers."""
    match answer:
        case Node("rel", "=", (left, right)) if variables(left):
            if not any(part.kind == "num" for part in nodes(left)):
                return right
    return _value(answer)


def _values(golds: Sequence[Node], answers: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The values alone, where all are values of one variable: `x = 1, x = 2`, or `x = 1, 2`."""
    both = [list(golds), list(answers)]
    names = [{name for item in items if (name := _name(item))} for items in both]
    if len(names[0] | names[1]) != 1:
        return both[0], both[1]
    return [_value(item) for item in both[0]], [_value(item) for item in both[1]]


# Relations


def _relation_difference(gold: Node, answer: Node, same: Same) -> str | None:
    gold, answer = _forwards(gold), _forwards(answer)
    if gold.text != answer.text:
        return "another relation"
    if _ordered(gold.args, answer.args, same) is None:
        return None
    if gold.text in ("=", "!=") and _ordered(gold.args, answer.args[::-1], same) is None:
        return None
    if gold.text != "=" or _assignment(gold) or _assignment(answer):
        return "another relation"
    ones, others = list(_terms(gold)), list(_terms(answer))
    if len(ones) != len(others):
        return "another equation"
    one, other = Node("add", "", tuple(ones)), Node("add", "", tuple(others))
    if same(one, other) is None or same(one, Node("neg", "", (other,))) is None:
        return None
    return "another equation"


def _forwards(node: Node) -> Node:
    """`a > b` as `b < a`."""
    operators = node.text.split()
    if all(operator in _REVERSED for operator in operators):
        backwards = " ".join(_REVERSED[operator] for operator in reversed(operators))
        return Node("rel", backwards, node.args[::-1])
    return node


def _as_sets(gold: Node, answer: Node) -> tuple[Node, Node]:
    """Inequalities as intervals, where only one of the two is given by them."""
    if "in" in (gold.text, answer.text) and gold.text != answer.text:
        gold, answer = (_value(node) if node.text == "in" else node for node in (gold, answer))
    sets, inequalities = _as_set(gold), _as_set(answer)
    if sets is not None and answer.kind in ("seq", "union"):
        return sets, answer
    if inequalities is not None and gold.kind in ("seq", "union") and _is_interval(gold):
        return gold, inequalities
    return gold, answer


def _as_points(gold: Node, answer: Node) -> tuple[Node, Node]:
    """`x = 1, y = 2` as (1, 2), where only one of the two is given by it."""
    if answer.kind == "seq":
        return _as_point(gold), answer
    if gold.kind == "seq":
        return gold, _as_point(answer)
    return gold, answer


def _as_point(node: Node) -> Node:
    names = [_name(item) or Node("") for item in node.args] if node.kind == "list" else []
    in_order = all(one.text < other.text for one, other in pairwise(names))
    if not names or not in_order or any(name.kind != "sym" for name in names):
        return node
    return Node("seq", "()", tuple(map(_value, node.args)))


def _is_interval(node: Node) -> bool:
    """Whether it can be nothing else: (1, 2) may be a point."""
    if node.kind == "union":
        return True
    return node.text != "()" or any(_without_value(arg) for arg in node.args)


def _as_set(node: Node) -> Node | None:
    """`1 < x <= 2` as (1, 2], and `x < 1 or x > 2`, or `x != 1`, as a union."""
    infinity = Node("const", "infinity")
    ends = Node("neg", "", (infinity,)), infinity
    if node == Node("const", "reals"):
        return Node("seq", "()", ends)
    if node.kind == "list":
        parts = [_as_set(item) for item in node.args]
        known = tuple(part for part in parts if part is not None)
        return Node("union", "", known) if len(known) == len(parts) else None
    if node.kind != "rel":
        return None
    node = _forwards(node)
    operators, sides = node.text.split(), list(node.args)
    if operators == ["!="] and sides[0].kind == "sym":
        below, above = (ends[0], sides[1]), (sides[1], ends[1])
        return Node("union", "", (Node("seq", "()", below), Node("seq", "()", above)))
    if set(operators) - {"<", "<="}:
        return None
    if len(sides) == 2 and sides[0].kind == "sym":
        operators, sides = ["<", *operators], [ends[0], *sides]
    elif len(sides) == 2 and sides[1].kind == "sym":
        operators, sides = [*operators, "<"], [*sides, ends[1]]
    if len(sides) != 3 or sides[1].kind != "sym":
        return None
    brackets = {"<": "()", "<=": "[]"}
    return Node("seq", brackets[operators[0]][0] + brackets[operators[1]][1], (sides[0], sides[2]))


def _without_value(node: Node) -> bool:
    """Whether it is infinity, or another constant that cannot be calculated with."""
    node = node.args[0] if node.kind == "neg" else node
    return node.kind == "const" and node.text in ("infinity", "empty set", "reals")


def _terms(equation: Node) -> Iterator[Node]:
    """The terms of an equation with all of them on the left."""
    for side, sign in zip(equation.args, (1, -1)):
        for term in side.args if side.kind == "add" else (side,):
            if term != Node("num", "0"):
                yield term if sign == 1 else Node("neg", "", (term,))
