"""A language model that follows a script: for tests, and to try a strategy without a network.

    ScriptedModel.table({"": {"left": 0.9, "right": 0.1}, "left\\n": {"answer: 3": 1.0}})

Its token log-probabilities are exact: the chance of a token is that of all lines which go on with
it, among those that fit so far.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

import numpy as np

from agents.models.base import Completion, Tokens
from reason_env.splits import numbered_seed, stream_seed
from reason_env.tokenizer import EOS, SPECIALS, TOKENIZER, Tokenizer

Lines: TypeAlias = Mapping[str, float]
"""Chances of the next line, 1 in all. A newline is added; `<eos>` at the end stands instead."""
Script: TypeAlias = Callable[[str, int], Lines | str]
"""From the text so far, which ends with a line's end, and the row's seed: the next line, or the
chances of several."""
_MOST_TABLES = 10_000
_Open: TypeAlias = dict[tuple[int, ...], float]


class ScriptedModel:
    """See `LanguageModel` for the methods.

    Args:
        script: says what comes next. `logprobs` asks it with seed 0: where the line depends on
            the seed, give chances instead.
        value: expected return of a text, for a model with values.
        reward: process reward of a text, for a model with rewards.
        name: stands for the script in the digest.

    Attributes:
        written: every prefix and its completion, in order: the model's own account of its work.
        valued: every prefix whose value or process reward was asked for.
        calls: rows of each call of `generate`.
    """

    has_logprobs = True
    prompt_style: str | None = None

    def __init__(
        self,
        script: Script,
        value: Callable[[str], float] | None = None,
        name: str = "scripted",
        tokenizer: Tokenizer = TOKENIZER,
        reward: Callable[[str], float] | None = None,
    ) -> None:
        self.script = script
        self.value = value
        self.reward = reward
        self.name = name
        self.tokenizer = tokenizer
        self.written: list[tuple[tuple[int, ...], Completion]] = []
        self.valued: list[tuple[int, ...]] = []
        self.calls: list[int] = []
        self._tables: dict[tuple[tuple[str, float], ...], _Table] = {}

    @classmethod
    def table(
        cls,
        lines: Mapping[str, Lines],
        otherwise: Lines | None = None,
        value: Callable[[str], float] | None = None,
    ) -> ScriptedModel:
        """A model that looks up what comes next.

        Args:
            lines: by the text after the first line, which is the prompt.
            otherwise: where the table has no entry; by default to give up (`<eos>`).
        """
        default = {"<eos>": 1.0} if otherwise is None else otherwise

        def look_up(text: str, seed: int) -> Lines:
            return lines.get(text.partition("\n")[2], default)

        name = json.dumps([{key: dict(row) for key, row in lines.items()}, dict(default)])
        return cls(look_up, value, name)

    @property
    def has_values(self) -> bool:
        return self.value is not None

    @property
    def has_rewards(self) -> bool:
        return self.reward is not None

    def remembering(self) -> AbstractContextManager[None]:
        return nullcontext()

    @property
    def digest(self) -> str:
        """sha256 of the table, or of the script's name."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    def generate(
        self,
        prefixes: Sequence[Tokens],
        *,
        stop: Collection[int],
        temperature: float,
        max_tokens: Sequence[int],
        seeds: Sequence[int],
        without: Sequence[Sequence[Completion]] | None = None,
    ) -> list[Completion]:
        if without is not None and temperature != 1:
            raise ValueError(f"without= needs temperature 1, received {temperature}")
        self.calls.append(len(prefixes))
        completions = []
        known = without or [()] * len(prefixes)
        for prefix, limit, seed, drawn in zip(prefixes, max_tokens, seeds, known, strict=True):
            completion = self._write(tuple(prefix), stop, temperature, limit, seed, drawn)
            self.written.append((tuple(prefix), completion))
            completions.append(completion)
        return completions

    def logprobs(
        self, prefixes: Sequence[Tokens], continuations: Sequence[Tokens]
    ) -> list[tuple[float, ...]]:
        results = []
        for prefix, continuation in zip(prefixes, continuations, strict=True):
            context, scores = tuple(prefix), []
            lines, place = self._open(context, seed=0)
            for i, token in enumerate(continuation):
                if i:
                    lines, place = self._after(lines, place, (*context, *continuation[:i]), 0)
                chances = _next(lines, place)
                scores.append(math.log(chances[token]) if token in chances else -math.inf)
            results.append(tuple(scores))
        return results

    def values(self, prefixes: Sequence[Tokens]) -> list[float]:
        if self.value is None:
            raise ValueError("This scripted model has no values; give it value=")
        self.valued += [tuple(prefix) for prefix in prefixes]
        return [self.value(self.tokenizer.decode(prefix)) for prefix in prefixes]

    def rewards(self, prefixes: Sequence[Tokens]) -> list[float]:
        if self.reward is None:
            raise ValueError("This scripted model has no process rewards; give it reward=")
        self.valued += [tuple(prefix) for prefix in prefixes]
        return [self.reward(self.tokenizer.decode(prefix)) for prefix in prefixes]

    def _write(
        self,
        prefix: tuple[int, ...],
        stop: Collection[int],
        temperature: float,
        limit: int,
        seed: int,
        drawn: Sequence[Completion],
    ) -> Completion:
        if temperature == 1:
            return self._write_lines(prefix, stop, limit, seed, drawn)
        rng = np.random.default_rng(stream_seed("scripted", seed))
        tokens: list[int] = []
        logprobs: list[float] = []
        complements: list[float] = []
        lines, place = self._open(prefix, seed)
        while not tokens or (len(tokens) < limit and tokens[-1] not in stop):
            if tokens:
                lines, place = self._after(lines, place, (*prefix, *tokens), seed)
            chances = _next(lines, place)
            token = _choose(chances, temperature, rng)
            others = sum(chance for other, chance in chances.items() if other != token)
            tokens.append(token)
            logprobs.append(math.log(chances[token]))
            complements.append(math.log(others) if others else -math.inf)
        stopped = tokens[-1] in stop
        return Completion(tuple(tokens), tuple(logprobs), tuple(complements), stopped)

    def _write_lines(
        self,
        prefix: tuple[int, ...],
        stop: Collection[int],
        limit: int,
        seed: int,
        drawn: Sequence[Completion],
    ) -> Completion:
        """At temperature 1 a line can be drawn whole: its tokens' chances multiply to its own."""
        tokens: tuple[int, ...] = ()
        logprobs: tuple[float, ...] = ()
        complements: tuple[float, ...] = ()
        number = 0
        while not tokens or (len(tokens) < limit and tokens[-1] not in stop):
            context = prefix + tokens
            start = self._line_start(context)
            table = self._table(context[:start], seed)
            place = len(context) - start
            uniform = numbered_seed(seed, number) / 2**63
            line = table.draw(uniform, context[start:], drawn if not tokens else ())
            tokens += table.lines[line][place:]
            logprobs += table.logprobs[line][place:]
            complements += table.complements[line][place:]
            number += 1
        tokens = tokens[:limit]
        return Completion(tokens, logprobs[:limit], complements[:limit], tokens[-1] in stop)

    def _line_start(self, context: tuple[int, ...]) -> int:
        """Where the last line begins."""
        ends = (self.tokenizer.newline, EOS)
        return next((i + 1 for i in reversed(range(len(context))) if context[i] in ends), 0)

    def _table(self, context: tuple[int, ...], seed: int) -> _Table:
        """What can come after finished lines."""
        said = self.script(self.tokenizer.decode(context), seed)
        key = ((said, 1.0),) if isinstance(said, str) else tuple(said.items())
        if key not in self._tables:
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            self._tables[key] = _Table(self._coded(dict(key)))
        return self._tables[key]

    def _open(self, context: tuple[int, ...], seed: int) -> tuple[_Open, int]:
        """The lines that fit the unfinished line at the context's end, and its length."""
        start = self._line_start(context)
        begun = context[start:]
        lines = self._lines(context[:start], seed)
        return {line: p for line, p in lines.items() if line[: len(begun)] == begun}, len(begun)

    def _after(
        self, lines: _Open, place: int, context: tuple[int, ...], seed: int
    ) -> tuple[_Open, int]:
        """What `_open` gives one token later."""
        if context[-1] in (self.tokenizer.newline, EOS):
            return self._lines(context, seed), 0
        return {line: p for line, p in lines.items() if line[place] == context[-1]}, place + 1

    def _lines(self, context: tuple[int, ...], seed: int) -> _Open:
        """Chances of the next line's token ids."""
        table = self._table(context, seed)
        return dict(zip(table.lines, table.chances))

    def _coded(self, chances: Mapping[str, float]) -> _Open:
        """Lines as token ids.

        Raises:
            ValueError: the script's lines are not lines, or their chances not chances.
        """
        if any("\n" in line for line in chances):
            raise ValueError(f"A script gives one line at a time, received {list(chances)}")
        if min(chances.values(), default=0) <= 0 or not math.isclose(sum(chances.values()), 1):
            raise ValueError(f"Chances must be above 0 and 1 in all, received {chances}")
        return {self._ids(line): chance for line, chance in chances.items()}

    def _ids(self, line: str) -> tuple[int, ...]:
        end = EOS if line.endswith(SPECIALS[EOS]) else self.tokenizer.newline
        return (*self.tokenizer.encode(line.removesuffix(SPECIALS[EOS])), end)


class _Table:
    """Some lines and their chances.

    Attributes:
        lines: token ids of each.
        chances: of each, 1 in all.
        logprobs, complements: of each line's tokens (see `Completion`).
    """

    def __init__(self, chances: _Open) -> None:
        self.lines = list(chances)
        self.chances = list(chances.values())
        self.logprobs: list[tuple[float, ...]] = []
        self.complements: list[tuple[float, ...]] = []
        for line in self.lines:
            logprobs, complements = [], []
            for place, token in enumerate(line):
                alike = {other: p for other, p in chances.items() if other[:place] == line[:place]}
                following = _next(alike, place)
                others = sum(p for other, p in following.items() if other != token)
                logprobs.append(math.log(following[token]))
                complements.append(math.log(others) if others else -math.inf)
            self.logprobs.append(tuple(logprobs))
            self.complements.append(tuple(complements))

    def draw(self, uniform: float, begun: tuple[int, ...], drawn: Sequence[Completion]) -> int:
        """One of the lines that begin as told and go on otherwise than all of `drawn`; where all
        go on like those, any that begins so.

        Args:
            uniform: in [0, 1).
        """
        fits: Sequence[int] = range(len(self.lines))
        if begun:
            fits = [i for i in fits if self.lines[i][: len(begun)] == begun]
        if drawn:
            known = [(*begun, *completion.tokens) for completion in drawn]
            fits = [i for i in fits if not any(self.lines[i][: len(k)] == k for k in known)] or fits
        if not fits:
            raise ValueError("The script has no line that begins as the prefix ends")
        aim = uniform * sum([self.chances[i] for i in fits])
        for i in fits:
            aim -= self.chances[i]
            if aim < 0:
                return i
        return fits[-1]


def _next(lines: _Open, place: int) -> dict[int, float]:
    """Chances of the token at `place`, in the order of the ids."""
    total = sum(lines.values())
    chances: dict[int, float] = {}
    for line, chance in lines.items():
        chances[line[place]] = chances.get(line[place], 0.0) + chance / total
    return {token: min(1.0, chances[token]) for token in sorted(chances)}


def _choose(chances: dict[int, float], temperature: float, rng: np.random.Generator) -> int:
    if not chances:
        raise ValueError("The script has no line that begins as the prefix ends")
    if temperature == 0:
        return max(chances, key=lambda token: chances[token])
    weights = np.array(list(chances.values())) ** (1 / temperature)
    edges = np.cumsum(weights)
    u = rng.random() * edges[-1]
    return list(chances)[min(int(np.searchsorted(edges, u, side="right")), len(edges) - 1)]
