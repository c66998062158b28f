"""The worker's side of the reasoning-gym adapter: makes items and scores answers to them.

An item follows from data set, level, configuration and seed alone: the generators' own random
streams are seeded by the library; Python's and NumPy's global ones, which some generators and the
programs in `codeio` use, and the decimal context are reset here before each; and the order of sets
is fixed by the sandbox's hash seed.
"""

from __future__ import annotations

import copy
import decimal
import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from reason_env.adapters.reasoning_gym_scoring import is_right
from reason_env.adapters.text import to_charset
from reason_env.errors import choose, require

factory = require("reasoning_gym.factory", "reasoning-gym")

_LOADED = {"arc_agi", "figlet_font", "group_anagrams", "rush_hour", "spell_backward", "word_ladder"}
"""Data sets that read a large file when they are made, which does not depend on the seed: one
instance serves all items. (`codeio` keeps what it has read in its class: it is made anew.)"""

_SPELLING: dict[str, str | int | None] = {
    "\u2194": "<->",
    "\u2192": "->",
    "\u222b": "Integral of",
    "\u00d7": "*",
    "\u00f7": "/",
    "\u2227": "^",  # futoshiki
    "\u2228": "v",
    "\u2588": "@",  # full block
    "\u2705": "Y",  # modulo_grid: check mark, cross, question mark
    "\u274c": "N",
    "\u2754": "?",
    "\u2502": "|",  # circuit_logic: wires and gates
    "\u2500": "-",
    "\u250c": ",",
    "\u2510": ".",
    "\u2514": "`",
    "\u2518": "'",
    "\u251c": "{",
    "\u2191": "^",
    "\u2193": "v",
    "\u2295": "#",
}
"""Signs that carry meaning and have no equal in ASCII."""

_SPOKEN = {
    "advanced_geometry": {" degrees": "\u00b0"},
    "futoshiki": {"^": "\u2227", "v": "\u2228"},
    "modulo_grid": {"Y": "\u2705", "N": "\u274c"},
    "prime_factorization": {"*": "\u00d7"},
    "quantum_lock": {"->": "\u2192"},
}
"""By data set, what in an answer stands for a sign that the library's scorer expects."""

_JSON_TEXT = {"codeio"}
"""Data sets whose answers may hold `\\n` as JSON's escape, and never a line break."""

_CHANGES = {
    *("arc_1d", "pool_matrix", "rearc", "rotate_matrix", "string_insertion", "string_manipulation"),
}
"""Data sets that give something at the end of the question and ask for it changed. Where nothing
changes (9 of 10 items of `string_insertion`), a copy would be right."""

_UNSTABLE = re.compile(
    r"\b(?:now|today|time|uuid\d?|urandom|getpid|getcwd|id|hash|"
    r"open|exists|isfile|isdir|listdir|mkdir|makedirs|os\.remove)\("
)
"""Calls in programs of `codeio` whose results differ from run to run, or that touch files."""


class Unusable(Exception):
    """An item that is not given to agents; the message says why."""


@dataclass(frozen=True, slots=True)
class _Item:
    """An item in our charset, and what it takes to score it."""

    dataset: Any
    entry: Mapping[str, Any]
    question: str
    gold: str | None


def serve(action: str, name: str, level: int, seed: int, config: str, answer: str = "") -> Any:
    """What the sandbox calls.

    Args:
        action: `draw` an item, or `score` an answer to it.
        name: of the data set.
        config: changes to the level's configuration, as JSON.

    Returns:
        `draw`: question and gold answer (None: not known), or why the item is not usable.
        `score`: whether the answer is right.

    Raises:
        ValueError: the data set does not take the config.
    """
    try:
        item = _item(name, level, seed, config)
    except Unusable as unusable:
        if action == "score":
            raise
        return str(unusable)
    return _score(name, item, answer) if action == "score" else [item.question, item.gold]


def _score(name: str, item: _Item, answer: str) -> bool:
    _reset(0)
    # Some scorers write into the item.
    return is_right(name, item.dataset, copy.deepcopy(item.entry), hear(name, answer))


@lru_cache(maxsize=64)
def _item(name: str, level: int, seed: int, config: str) -> _Item:
    """Make an item and look it over.

    Raises:
        Unusable: the library failed, or the item has no solution that counts and can be written
            in our charset.
    """
    dataset = _dataset(name, level, seed, config)
    _reset(seed)
    try:
        entry = dataset[0]
    except Exception as error:
        raise Unusable(f"the generator raised {type(error).__name__}: {error}") from error
    if name == "codeio" and (
        not entry["metadata"]["input_data"] or _UNSTABLE.search(entry["question"])
    ):
        raise Unusable("its program fails, touches files, or gives another result each time")
    if name == "polynomial_multiplication" and "(" not in entry["metadata"]["polynomial_expr"]:
        raise Unusable("there is nothing to multiply")
    question, exact = spell(entry["question"])
    if not exact:
        raise Unusable("its text has characters outside the charset")
    item = _Item(dataset, entry, question, None)
    gold = _gold(name, entry)
    if gold is None:
        return item
    said = say(spell(gold)[0])
    if not _score(name, item, said):
        if entry["answer"] is None:
            return item  # the metadata's example need not be one
        raise Unusable("its gold answer does not count as right, or cannot be written")
    if name in _CHANGES and _score(name, item, say(question.rpartition(":")[2])):
        raise Unusable("a copy of what it gives is right")
    if name == "rubiks_cube" and _score(name, item, "U U'"):
        raise Unusable("the cube is solved already")
    return replace(item, gold=said)


def _gold(name: str, entry: Mapping[str, Any]) -> str | None:
    """The gold answer as the library has it, or what its metadata tells of one."""
    metadata = entry["metadata"]
    if entry["answer"] is not None:
        return str(entry["answer"])
    if name == "graph_color":
        return json.dumps(metadata["possible_answer"])
    if name == "rubiks_cube":
        moves = reversed(metadata["scramble_moves"].split())
        return " ".join(move[:-1] if move.endswith("'") else move + "'" for move in moves)
    if name == "boxnet":
        return json.dumps(_box_moves(metadata["initial_state"]))
    return None


def _box_moves(squares: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """One box after the other to a target of its colour, along the rows and then the columns."""
    where: dict[str, list[tuple[float, float]]] = {}
    for place, items in squares.items():
        x, y = map(float, place.split("_"))
        for item in items:
            where.setdefault(item, []).append((x, y))
    moves = []
    for box in [item for item in where if item.startswith("box_")]:
        target = box.replace("box_", "target_")
        for (x, y), goal in zip(where[box], where[target]):
            while (x, y) != goal:
                there = (
                    (x + (1 if x < goal[0] else -1), y)
                    if x != goal[0]
                    else (x, y + (1 if y < goal[1] else -1))
                )
                moves.append({f"Agent[{x}, {y}]": f"move({box}, square[{there[0]}, {there[1]}])"})
                x, y = there
            moves.append({f"Agent[{x}, {y}]": f"move({box}, {target})"})
    return moves


# -- Data sets -----------------------------------------------------------------------------------


def _dataset(name: str, level: int, seed: int, config: str) -> Any:
    """An instance whose item 0 is the one of the seed."""
    # NumPy's global generator, which this one seeds, takes no more.
    seed = seed % 2**32 if name == "pool_matrix" else seed
    if name in _LOADED:
        dataset = _loaded(name, level, config)
        dataset.seed = seed
        return dataset
    return _made(name, level, seed, config)


@lru_cache(maxsize=8)
def _loaded(name: str, level: int, config: str) -> Any:
    return _made(name, level, 0, config)


def _made(name: str, level: int, seed: int, config: str) -> Any:
    dataset_class, _ = factory.DATASETS[name]
    configuration = replace(level_configuration(name, level), seed=seed, size=1)
    known = [field.name for field in fields(configuration)]
    changes = json.loads(config)
    for key in changes:
        choose(key, [option for option in known if option not in ("seed", "size")], "config name")
    try:
        changed = replace(configuration, **changes)
        if hasattr(changed, "validate"):
            changed.validate()
        return dataset_class(changed)
    except Exception as error:
        raise ValueError(
            f"reasoning-gym's {name} does not take the config {config}: {error}"
        ) from error


def level_configuration(name: str, level: int) -> Any:
    """Level 1: the library's defaults. Others: its curriculum's levels, from the second on."""
    if level == 1:
        return factory.DATASETS[name][1]()
    curriculum = factory.create_curriculum(name)
    curriculum.set_global_level(level - 1)
    return curriculum.generate_configuration()


def _reset(seed: int) -> None:
    """Bring what is global in the process into a known state."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # `decimal_arithmetic` lowers the precision for all.
    decimal.setcontext(decimal.Context())


# -- Text ----------------------------------------------------------------------------------------


def spell(text: str) -> tuple[str, bool]:
    """A text in our charset, and whether nothing was lost."""
    spelt = text.translate(str.maketrans(_SPELLING))
    written = to_charset(spelt)
    return written, written.count("?") == spelt.count("?")


def say(text: str) -> str:
    """A text as an answer in one line."""
    return text.strip().replace("\n", r"\n")


def hear(name: str, answer: str) -> str:
    """What the library is given for an agent's answer."""
    heard = answer if name in _JSON_TEXT else answer.replace(r"\n", "\n")
    for said, meant in _SPOKEN.get(name, {}).items():
        heard = heard.replace(said, meant)
    return heard
