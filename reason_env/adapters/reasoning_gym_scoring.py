"""Which answers to a reasoning-gym item are right. Runs in the worker only.

An answer is right where the library's own scorer gives exactly 1.0, but for these data sets:

- `CHECKS` has our own check where the library's would run the answer as code, or gives 1.0 to
  wrong answers, or to answers that need no reading: where moves that are not possible are
  skipped, one long list of moves solves many boards.
- `FORMS` says what an answer must look like before the library's scorer sees it: no code, no
  numbers that take an age to work out, no `nan`, no words around a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from reason_env.adapters.reasoning_gym_expressions import (
    evaluate,
    is_elementary,
    parse,
    polynomial,
)
from reason_env.errors import require

Entry: TypeAlias = Mapping[str, Any]
"""An item of the library: `question`, `answer`, `metadata`."""

TIMES = "\u00d7"
LONGEST = 100_000
"""Characters of the longest answer that is looked at."""


def is_right(name: str, dataset: Any, entry: Entry, answer: str) -> bool:
    """Whether an answer to an item of the data set `name` is right.

    Args:
        dataset: the instance that made the item.
        entry: the item; the library's scorers may change it.
        answer: the answer as the library would read it.

    Raises:
        Exception: whatever the library's scorer raises on odd answers.
    """
    if not answer.strip() or len(answer) > LONGEST:
        return False
    form = FORMS.get(name)
    if form is not None and form.fullmatch(answer) is None:
        return False
    if name in _INTEGRALS and not is_elementary(answer, entry["metadata"]["variable"]):
        return False
    check = CHECKS.get(name)
    if check is None:
        return bool(dataset.score_answer(answer, entry) == 1.0)
    try:
        return check(dataset, entry, answer)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return False  # not even of the right shape


# -- Own checks ----------------------------------------------------------------------------------


def _is_text(dataset: Any, entry: Entry, answer: str) -> bool:
    return answer.strip() == entry["answer"].strip()


def _is_text_in_any_case(dataset: Any, entry: Entry, answer: str) -> bool:
    return answer.strip().lower() == entry["answer"].strip().lower()


def _is_json(dataset: Any, entry: Entry, answer: str) -> bool:
    """Equal as JSON, and true is not 1."""
    given, gold = (json.dumps(json.loads(t), sort_keys=True) for t in (answer, entry["answer"]))
    return given == gold


def _is_number(dataset: Any, entry: Entry, answer: str) -> bool:
    return Fraction(answer) == Fraction(entry["answer"])


def _is_queens_board(dataset: Any, entry: Entry, answer: str) -> bool:
    return answer in entry["metadata"]["valid_answers"]


def _is_probability(dataset: Any, entry: Entry, answer: str) -> bool:
    """To four significant digits, however small the probability is."""
    rational = entry["metadata"]["rational"]
    gold = Fraction(rational["numerator"], rational["denominator"])
    return abs(Fraction(answer) - gold) <= gold / 10_000


def _is_sorted_list(dataset: Any, entry: Entry, answer: str) -> bool:
    given, gold = (json.loads(t.replace("'", '"')) for t in (answer, entry["answer"]))
    return isinstance(given, list) and [float(n) for n in given] == [float(n) for n in gold]


def _is_word_list(dataset: Any, entry: Entry, answer: str) -> bool:
    given = [word.strip() for word in answer.split(",")]
    return given == list(entry["metadata"]["sorted_words"])


def _is_factorization(dataset: Any, entry: Entry, answer: str) -> bool:
    given, gold = (sorted(map(int, t.split(TIMES))) for t in (answer, entry["answer"]))
    return given == gold


def _reaches_target(dataset: Any, entry: Entry, answer: str) -> bool:
    """An expression in exactly the given numbers, with the target's exact value."""
    metadata = entry["metadata"]
    value, numbers = evaluate(parse(answer))
    return value == metadata.get("target", 24) and sorted(numbers) == sorted(metadata["numbers"])


def _is_polynomial(dataset: Any, entry: Entry, answer: str) -> bool:
    """The product multiplied out: no brackets, one term for each power."""
    return polynomial(parse(answer)) == polynomial(parse(entry["answer"]))


def _pushes_all_boxes(dataset: Any, entry: Entry, answer: str) -> bool:
    """Every move moves the player."""
    rows = entry["metadata"]["gamestr"].replace(" ", "").strip().split("\n")
    game = dataset._Game(height=len(rows), width=len(rows[0]))
    game.load_puzzle_matrix([list(row) for row in rows])
    return all(game.player.update(key=move) for move in answer) and bool(
        dataset._is_solved(game.get_curr_state())
    )


def _frees_the_car(dataset: Any, entry: Entry, answer: str) -> bool:
    """Every car moves all the way that it is said to."""
    rush_hour = require("reasoning_gym.games.rush_hour", "reasoning-gym")
    board = rush_hour.Board(entry["metadata"]["board_config"])
    for move in answer.split():
        for _ in range(int(move[2:])):
            before = str(board)
            board.perform_moves(move[:2] + "1")
            if str(board) == before:
                return False
    return bool(board.solved)


def _clears_all_boxes(dataset: Any, entry: Entry, answer: str) -> bool:
    """Every action does something, also after those before it."""
    boxnet = require("reasoning_gym.games.boxnet", "reasoning-gym")
    squares = entry["metadata"]["initial_state"]
    for actions in json.loads(answer):
        for agent, action in actions.items():
            before, squares = squares, boxnet.action_from_response(squares, [{agent: action}])
            if squares == before:
                return False
    return not any(item.startswith("box_") for items in squares.values() for item in items)


_NUMBER = r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?"
_PLAIN_NUMBER = re.compile(rf" *\+?{_NUMBER} *")
_ROLE = r"[A-Za-z]{1,40} is an? [a-z]{1,40}"
_MOVE = r"Move disk [0-9]{1,3} from Peg [0-9]{1,3} to Peg [0-9]{1,3}"
_ARITHMETIC = re.compile(r"[0-9+\-*/() ]{1,400}")

_INTEGRALS = {"intermediate_integration", "simple_integration"}
"""Data sets whose scorer has SymPy parse the answer, which runs it, and takes the question for
one: `is_elementary` lets neither through."""

CHECKS: dict[str, Callable[[Any, Entry, str], bool]] = {
    "binary_matrix": _is_text,  # runs the answer
    "boxnet": _clears_all_boxes,  # skips what is not possible
    "codeio": _is_json,  # takes "1" for 1, and spends long on comparing trees
    "coin_flip": _is_probability,  # takes any beginning of the right digits, such as 0
    "countdown": _reaches_target,  # runs the answer; takes 99.9999 for 100
    "figlet_font": _is_text_in_any_case,  # ten right letters are enough
    "game_of_life": _is_json,  # takes a larger board
    "game_of_life_halting": _is_text,  # takes anything
    "gsm_symbolic": _is_number,  # the first number counts, without its sign
    "letter_jumble": _is_text_in_any_case,  # takes more words
    "n_queens": _is_queens_board,  # runs the answer
    "number_sorting": _is_sorted_list,  # every number may be off by 1
    "polynomial_multiplication": _is_polynomial,  # runs the answer; 2*(x + 1) is 2*x + 2 to it
    "prime_factorization": _is_factorization,  # raises on other text
    "puzzle24": _reaches_target,  # runs the answer; 6*4*1*1 solves every item
    "rush_hour": _frees_the_car,  # skips what is not possible
    "sokoban": _pushes_all_boxes,  # skips what is not possible
    "spiral_matrix": _is_text,  # runs the answer
    "string_insertion": _is_text,  # runs the answer
    "word_sorting": _is_word_list,  # takes more words
}
"""Our own checks, and what the library's scorers do instead."""

FORMS: dict[str, re.Pattern[str]] = {
    "advanced_geometry": re.compile(rf"\(?{_NUMBER}(?:, ?{_NUMBER})?\)?°?"),
    "chain_sum": re.compile(r"[-+]?[0-9,]{1,400}(?:\.[0-9]{1,400})?"),
    "coin_flip": re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40}(?:e-[0-9]{1,2})?|/[0-9]{1,40})?"),
    "complex_arithmetic": re.compile(r"[-+0-9.ij() ]{1,200}"),
    "countdown": _ARITHMETIC,
    "decimal_arithmetic": _PLAIN_NUMBER,
    "decimal_chain_sum": _PLAIN_NUMBER,
    "fraction_simplification": re.compile(
        r"\$?(?:\\d?frac\{[0-9]{1,40}\}\{[0-9]{1,40}\}|[0-9]{1,40} ?/ ?[0-9]{1,40})\$?"
    ),
    "gsm_symbolic": _PLAIN_NUMBER,
    "kakurasu": re.compile(r"[01](?:[ \n]{0,2}[01]){0,1000}"),
    "knights_knaves": re.compile(rf"{_ROLE}(?:(?:,|,? and) {_ROLE}){{0,50}}\.?"),
    "number_format": re.compile(r"[-+]?[0-9,]{1,400}(?:\.[0-9]{1,400})?"),
    "polynomial_equations": re.compile(rf"{_NUMBER}(?:, ?{_NUMBER}){{0,40}}"),
    "polynomial_multiplication": re.compile(r"[a-zA-Z0-9+\-* ]{1,20000}"),
    "pool_matrix": re.compile(r"[0-9.\n ]{1,20000}"),
    "power_function": re.compile(rf"{_NUMBER}(?:[eE][-+]?[0-9]{{1,3}})?"),
    "prime_factorization": re.compile(rf"[0-9]{{1,40}}(?: ?{TIMES} ?[0-9]{{1,40}}){{0,200}}"),
    "products": re.compile(r"[-+]?[0-9,]{1,400}(?:\.[0-9]{1,400})?"),
    "puzzle24": _ARITHMETIC,
    "quantum_lock": re.compile(r"[ABC](?:(?: ?[→,] ?| ?)[ABC]){0,100}"),
    "rubiks_cube": re.compile(r"[LRUDFB]w?'?[0-9]?(?: [LRUDFB]w?'?[0-9]?){0,2000}"),
    "rush_hour": re.compile(r"[A-Z][+-][1-5](?: [A-Z][+-][1-5]){0,500}"),
    "sokoban": re.compile(r"[LRUD]{1,2000}"),
    "survo": re.compile(r"-?[0-9]{1,9}(?:[ \n]-?[0-9]{1,9}){0,1000}"),
    "time_intervals": re.compile(r"[0-9:.]{1,40}|[0-9]{1,9} days(?:, [0-9:]{1,40})?"),
    "tower_of_hanoi": re.compile(rf"{_MOVE}(?:\n{_MOVE}){{0,20000}}"),
}
"""The whole of an answer, before any scorer sees it."""
