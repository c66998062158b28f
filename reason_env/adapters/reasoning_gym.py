"""The data sets of reasoning-gym (Stojanovski et al., 2025, arXiv 2505.24760) as tasks.

    gym.make("reason_env/rg-chain_sum-v0", level=3)
    gym.make("reason_env/rg-chain_sum-v0", config={"min_terms": 5, "max_terms": 8})

An episode of `rg-chain_sum`, whose lines before the answer are thoughts:

    State the final answer to the following arithmetic problem: 16 + 48 - 93 =
    64 - 93 is -29
    answer: -29

Value tasks with a private verifier; needs the extra `reasoning-gym`. Everything of the library
runs in one killable worker process (`reason_env.sandbox`), shared by all its tasks.

What differs from using the library directly:

- An item is drawn by a fresh 63-bit seed each, and its text decides its split. (The library's
  seed 43 is its seed 42 shifted by one.)
- An answer is right or wrong: solved means that the scorer gives exactly 1.0, and where that can
  be had for a wrong answer, our own check decides (`reasoning_gym_scoring`).
- Items without a solution that counts are not drawn, nor are those that a copy of the question
  solves, or that cannot be written in the charset. Signs outside it are spelt out: `->` for an
  arrow, and so in answers.
- `EXCLUDED` lists the data sets that are left out, and why.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np

from reason_env.adapters.answer_task import AnswerTask
from reason_env.adapters.reasoning_gym_names import DATASETS, EXCLUDED
from reason_env.answers import Judgement, Status
from reason_env.errors import choose, require
from reason_env.problem import Problem, State
from reason_env.sandbox import (
    Sandbox,
    SandboxCrash,
    SandboxMemory,
    SandboxRaised,
    SandboxTimeout,
)
from reason_env.task import Budget, Room
from reason_env.tokenizer import TOKENIZER

__all__ = ["DATASETS", "EXCLUDED", "ReasoningGym"]

ITEM_SECONDS = 20.0
"""Limit of making an item, far above what any takes: a slower machine must not get others."""
SCORE_SECONDS = 5.0
"""Limit of scoring an answer."""
_DRAWS = 300
_FAILURES = 3
"""Draws, and items that hang or crash among them, after which a level counts as unusable."""
HOW_TO_ANSWER = (
    "Think in as many lines as you like. Then give the answer in one line of the form "
    r"answer: VALUE (line breaks inside of VALUE are written as \n)."
)
_CONFIGURED_ROOM = 16_384
"""Tokens for a question whose configuration was changed: its length is not known beforehand."""

_worker = Sandbox("reason_env.adapters.reasoning_gym_worker:serve", seconds=ITEM_SECONDS)


class ReasoningGym(AnswerTask):
    """One data set of reasoning-gym. `Problem.data` is the question, `solution` what the worker
    makes the item from again: its seed and the changes to the configuration.

    Level 1 is the library's default configuration; the levels above are those of the data set's
    curriculum from its second on, as far as they work, fit and are no guessing games.

    Args:
        dataset: its name in the library.
        config: changes to the level's configuration, by the names of the library's fields.

    Raises:
        ValueError: unknown data set, or a config that is not JSON. Whether the data set takes it
            shows with the first problem.
    """

    extras: ClassVar[tuple[str, ...]] = ("reasoning-gym",)

    def __init__(self, dataset: str, config: Mapping[str, Any] | None = None) -> None:
        if dataset in EXCLUDED:
            raise ValueError(f"reasoning-gym's {dataset} is left out: {EXCLUDED[dataset]}")
        self.dataset = choose(dataset, DATASETS, "reasoning-gym data set")
        self._facts = DATASETS[self.dataset]
        self._config = _as_json({} if config is None else config)
        # Of the data set, not of the class.
        self.name = f"rg-{self.dataset}"  # type: ignore[misc]
        self.levels = range(1, self._facts.levels + 1)  # type: ignore[misc]
        longest = max(self._facts.prompt * 5 // 4 + 64, _CONFIGURED_ROOM if config else 0)
        added = 1 + _tokens(HOW_TO_ANSWER)
        self.room = Room(longest, longest + added)  # type: ignore[misc]

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        """Draw items until one is usable.

        Raises:
            ValueError: the data set does not take the config, or has no usable item with it.
        """
        choose(level, self.levels, f"level of {self.name}")
        failures, why = 0, ""
        for _ in range(_DRAWS):
            seed = int(rng.integers(2**63))
            try:
                drawn = _draw(self.dataset, level, seed, self._config)
            except (SandboxTimeout, SandboxMemory, SandboxCrash) as error:
                failures, why = failures + 1, str(error)
                if failures == _FAILURES:
                    break
                continue
            if isinstance(drawn, str):
                why = drawn
            elif _tokens(drawn[0]) > self.room.compact:
                why = f"its question does not fit in {self.room.compact} tokens"
            elif _tokens(f"answer: {drawn[1]}") > self.budget(level).tokens:
                why = f"its answer does not fit in {self.budget(level).tokens} tokens"
            else:
                return Problem(self.name, level, drawn[0], (seed, self._config))
        raise ValueError(
            f"reasoning-gym's {self.dataset} gives no usable item at level {level} with the config "
            f"{self._config}; the last was none because: {why}"
        )

    def initial(self, problem: Problem) -> State:
        choose(problem.level, self.levels, f"level of {self.name}")
        seed, config = _made_from(problem)
        drawn = _draw(self.dataset, problem.level, seed, config)
        if isinstance(drawn, str) or drawn[0] != problem.data:
            raise ValueError(
                f"The question {problem.data!r:.80} is not that of the {self.dataset} item of "
                f"seed {seed} and config {config}"
            )
        return State(None)

    def judge(self, problem: Problem, answer: str) -> Judgement:
        seed, config = _made_from(problem)
        item = (self.dataset, problem.level, seed, config)
        try:
            _draw(*item)  # a new worker makes the item again, which is no part of scoring
            right = _call("score", *item, answer, seconds=SCORE_SECONDS)
        except SandboxRaised as error:
            # Not its message, which may name the right value.
            return Judgement(Status.UNSCORED, f"the scorer raised {error.type_name}")
        except (SandboxTimeout, SandboxMemory, SandboxCrash) as error:
            return Judgement(Status.UNSCORED, str(error))
        if right:
            return Judgement(Status.CORRECT)
        return Judgement(Status.INCORRECT, "the answer is wrong")

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        if state.answer is not None:
            return None
        drawn = _draw(self.dataset, problem.level, *_made_from(problem))
        gold = None if isinstance(drawn, str) else drawn[1]
        return None if gold is None else f"answer: {gold}"

    def prompt(self, problem: Problem, style: str) -> str:
        return f"{problem.data}\n\n{HOW_TO_ANSWER}" if style == "verbose" else str(problem.data)

    def budget(self, level: int) -> Budget:
        return Budget(steps=128, tokens=max(4096, 2 * self._facts.answer))

    def chance(self, level: int) -> float:
        return self._facts.chance


def _tokens(text: str) -> int:
    """Tokens of a text and the newline after it."""
    return len(TOKENIZER.encode(text)) + 1


def _call(action: str, *args: str | int, seconds: float | None = None) -> Any:
    """Have the worker do something.

    Raises:
        MissingExtra: reasoning-gym is not installed.
        SandboxError: the call did not come back with a result.
    """
    if importlib.util.find_spec("reasoning_gym") is None:
        require("reasoning_gym", "reasoning-gym")  # which says what to install
    return _worker.call(action, *args, seconds=seconds)


def _draw(dataset: str, level: int, seed: int, config: str) -> str | tuple[str, str | None]:
    """An item's question and gold answer, or why it is not usable.

    Raises:
        ValueError: the data set does not take the config.
    """
    try:
        drawn = _call("draw", dataset, level, seed, config)
    except SandboxRaised as error:
        if error.type_name != "ValueError":
            raise
        raise ValueError(error.message) from None
    return drawn if isinstance(drawn, str) else (drawn[0], drawn[1])


def _made_from(problem: Problem) -> tuple[int, str]:
    """Seed and config of a problem's item.

    Raises:
        ValueError: there are none.
    """
    match problem.solution:
        case (int(seed), str(config)) if not isinstance(seed, bool) and 0 <= seed < 2**63:
            with suppress(ValueError, RecursionError):
                if isinstance(json.loads(config), dict):
                    return seed, config
    raise ValueError(f"Expected a seed and a config, received {problem.solution!r:.80}")


def _as_json(config: Mapping[str, Any]) -> str:
    """The same text for the same config, also after it came back from a file.

    Raises:
        ValueError: it is not an object in JSON.
    """
    try:
        return json.dumps(dict(config), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"config must map names of fields to JSON values, received {config!r:.80}: {error}"
        ) from error
