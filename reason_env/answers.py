r"""Is this answer the right one? Correct, incorrect, or not scored, and why; never a guess.

Native families ask for one number in its one canonical text: `is_value`. Data sets hold answers in
LaTeX, and models write them in many ways: `judge_math`.

    >>> judge_math(r"\frac{1}{2}", "0.5").status
    <Status.CORRECT: 'correct'>
    >>> judge_math("3", "1+2")
    Judgement(status=<Status.INCORRECT: 'incorrect'>, reason='not a number in its last form')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec

from reason_env import lines
from reason_env.errors import choose, require
from reason_env.formulas.compare import difference, has_text, number_in
from reason_env.formulas.parser import Node, parse
from reason_env.formulas.text import SeveralAnswers, Unreadable, plain, words
from reason_env.formulas.values import check_size, value_of
from reason_env.problem import Kind, State, Verdict
from reason_env.rational import parse_canonical
from reason_env.sandbox import (
    Sandbox,
    SandboxCrash,
    SandboxMemory,
    SandboxRaised,
    SandboxTimeout,
)


def is_value(text: str | None, value: Fraction) -> bool:
    """Whether `text` is the canonical literal of `value`: `12`, `-3`, `8/3`.

    Nothing else is accepted, however equal: who answers `3 + 4` or `6/2` has not evaluated it.
    """
    return text is not None and parse_canonical(text) == value


def judge_answer(state: State, line: str, value: Fraction) -> Verdict:
    """The verdict on an `answer:` line of a value task; the answer is kept in the state."""
    text = lines.answer_value(line)
    answered = State(state.data, text)
    if is_value(text, value):
        return Verdict(Kind.ANSWER, True, answered)
    if parse_canonical(text) is None:
        reason = "an answer is a whole number or a fraction in lowest terms, such as 12, -3 or 8/3"
    else:
        reason = "the answer is not right"
    return Verdict(Kind.ANSWER, False, answered, reason)


class Status(StrEnum):
    """What became of an answer. Only `CORRECT` is ever paid."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    UNSCORED = "unscored"


class Form(StrEnum):
    """What a question asks for.

    VALUE: one number. It must be given as a number in its last form (`12`, `0.5`, `1/2`, `1 1/2`,
        `1.5e3`), not as a calculation that gives it.
    EXPRESSION: whatever the gold answer is: a number (as above), a formula, several of them, a
        pair, an interval, a matrix, an equation. Formulas may be written in another way, but must
        be worked out as far as the gold answer, and be expanded or factored like it: most
        questions with such answers ask for just that, and would else be answered by their own
        formula. The price is that `1-1/x` is not taken for `(x-1)/x`, nor `sin 2x` for
        `2 sin x cos x`. See `reason_env.formulas.compare`.
    TEXT: a word or the letter of a choice, the same but for case, brackets and LaTeX around it.
    """

    VALUE = "value"
    EXPRESSION = "expression"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of an answer.

    Attributes:
        status: correct, incorrect or not scored.
        reason: why it is not correct; starts with `gold:` where the gold answer is at fault, and
            never states the right value.
    """

    status: Status
    reason: str = ""


def judge_math(
    gold: str, answer: str, *, form: Form | str = Form.EXPRESSION, seconds: float = 2.0
) -> Judgement:
    r"""Whether an answer is the gold one.

    An answer that cannot be read, that would take too long to calculate, or that runs into a limit
    is not scored. The answer may be in `\boxed{}`, in dollars or in bold; several boxes with
    different contents are incorrect, and so are several values where one is asked for.

    Args:
        gold: the right answer, as the data set has it.
        answer: what was answered.
        form: what is asked for.
        seconds: wall-clock limit of the comparison (numbers and texts need no time).

    Raises:
        MissingExtra: formulas need math-verify.
    """
    form = choose(form, Form, "form")
    if form == Form.TEXT:
        return _judge_text(gold, answer)
    try:
        wanted = _read(gold)
        if form == Form.VALUE and number_in(wanted) is None:
            raise Unreadable("it is not a number")
        if has_text(wanted):
            raise Unreadable("it is text, which needs form='text'")
    except (SeveralAnswers, Unreadable) as error:
        return Judgement(Status.UNSCORED, f"gold: {error}")
    try:
        given = _read(answer)
    except SeveralAnswers as error:
        return Judgement(Status.INCORRECT, str(error))
    except Unreadable as error:
        return Judgement(Status.UNSCORED, f"cannot be read: {error}")
    try:
        reason = difference(wanted, given, _ask_worker)
    except _WorkerNeeded:
        return _judge_in_worker(wanted, given, seconds)
    return Judgement(Status.CORRECT) if reason is None else Judgement(Status.INCORRECT, reason)


def form_of(gold: str) -> Form:
    r"""What a gold answer asks for, as far as it shows.

    `\text{Evelyn}`, `C` and `(C)` ask for text, and so does what cannot be read as mathematics;
    numbers ask for values, and all else for an expression.
    """
    try:
        wanted = _read(gold)
    except (SeveralAnswers, Unreadable):
        return Form.TEXT
    if has_text(wanted) or re.fullmatch(r"[A-Z]|\([A-Z]\)", gold.strip()):
        return Form.TEXT
    return Form.EXPRESSION if number_in(wanted) is None else Form.VALUE


def canonical_answer(text: str) -> str | None:
    r"""One form for answers that are equal: to vote over, never to score.

    Numbers are told by value (`1/2`, `0.5` and `50\%` are one, in its one canonical text), other
    mathematics by how it reads, with its numbers told by value and the order of terms, factors and
    lists aside, both without a name or unit around the whole. Words are told without regard to
    case and to what is around them (`C`, `(c)` and `\text{C}` are one). None where nothing is
    answered, or several things at once.
    """
    if (value := parse_canonical(text)) is not None:
        return str(value)
    try:
        node = _read(text)
        if (number := number_in(node)) is not None:
            return str(number)
        node = _bare(node)
        if not has_text(node) and node.kind != "sym":
            return _one_form(node)
    except (SeveralAnswers, Unreadable):
        pass
    try:
        return words(text)
    except SeveralAnswers:
        return None
    except Unreadable:  # too long, or nothing but punctuation
        return " ".join(text.split()).casefold() or None


def _bare(node: Node) -> Node:
    """What is named `y = ...` or `x in ...`, without a unit."""
    match node:
        case Node("rel", "=" | "in", (Node("sym" | "apply"), value)):
            return _bare(value)
        case Node("rel", "=", (value, Node("sym" | "apply"))) | Node("unit", _, (value,)):
            return value
    return node


def _one_form(node: Node) -> str:
    """A text that trees with equal numbers share, whatever the order where none counts."""
    value = value_of(node, canonical=False)
    if value is not None:
        return str(value)
    parts = [_one_form(arg) for arg in node.args]
    if node.kind in ("add", "mul", "list", "set", "union"):
        parts.sort()
    kind = "list" if node.kind == "set" else node.kind
    return f"{kind} {node.text}({', '.join(parts)})"


@lru_cache(maxsize=4096)
def _read(text: str) -> Node:
    node = parse(plain(text))
    check_size(node)
    return node


def _judge_text(gold: str, answer: str) -> Judgement:
    try:
        wanted = words(gold)
    except (SeveralAnswers, Unreadable) as error:
        return Judgement(Status.UNSCORED, f"gold: {error}")
    try:
        given = words(answer)
    except SeveralAnswers as error:
        return Judgement(Status.INCORRECT, str(error))
    except Unreadable as error:
        return Judgement(Status.UNSCORED, f"cannot be read: {error}")
    if given == wanted:
        return Judgement(Status.CORRECT)
    return Judgement(Status.INCORRECT, "another text")


class _WorkerNeeded(Exception):
    """Formulas are to be compared, which is not done in this process."""


def _ask_worker(gold: Node, answer: Node) -> str | None:
    raise _WorkerNeeded


_sandbox = Sandbox("reason_env.formulas.worker:judge")


def _judge_in_worker(gold: Node, answer: Node, seconds: float) -> Judgement:
    if find_spec("math_verify") is None:
        require("math_verify", "math")
    try:
        status, reason = _sandbox.call(gold, answer, seconds=seconds)
    except SandboxTimeout:
        return Judgement(Status.UNSCORED, f"not compared within {seconds:g} s")
    except SandboxMemory:
        return Judgement(Status.UNSCORED, "not compared within the memory limit")
    except (SandboxCrash, SandboxRaised) as error:
        return Judgement(Status.UNSCORED, f"not compared: {error}")
    return Judgement(Status(status), reason)
