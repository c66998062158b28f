"""Is this answer the value asked for? Accept or reject, never a guess."""

from __future__ import annotations

from fractions import Fraction

from reason_env import lines
from reason_env.problem import Kind, State, Verdict
from reason_env.rational import parse_canonical


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
