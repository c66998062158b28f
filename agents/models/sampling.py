"""Sampling with one random stream per row, so that a row never depends on its batch; and without
replacement, so that no token is spent on a line that is known already."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from agents.models.base import Completion

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LEAST_MASS = 1e-12


def uniforms(seeds: NDArray[np.uint64], step: int) -> NDArray[np.float64]:
    """Number `step` of each seed's stream, uniform in [0, 1), shape (B,).

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)
    as a counter-based generator: any position of any stream at once, without state.
    """
    with np.errstate(over="ignore"):
        z = seeds + _GOLDEN * np.uint64(step + 1)
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Drawn:
    """The completions drawn at one place already, as a prefix tree with the mass each leaves.

    Drawing token by token from what is left is sampling without replacement from the model
    (Shi, Bieber and Singh, "Incremental sampling without replacement for sequence models", 2020).
    All masses are sums of positive terms, so that what little is left beside a likely line is
    still exact to many digits.

    Args:
        completions: drawn, one or more, with the same first `place` tokens.
        place: of the next token.
    """

    __slots__ = ("_beside", "_children", "_completions", "_left", "_place")

    def __init__(self, completions: Sequence[Completion], place: int = 0) -> None:
        self._completions = completions
        self._place = place
        self._children: dict[int, tuple[float, Drawn]] | None = None
        self._beside = 0.0
        self._left: float | None = None

    @property
    def children(self) -> dict[int, tuple[float, Drawn]]:
        """The next tokens of what was drawn, with their probabilities."""
        if self._children is None:
            groups: dict[int, list[Completion]] = {}
            place = self._place
            for completion in self._completions:
                if len(completion.tokens) > place:
                    groups.setdefault(completion.tokens[place], []).append(completion)
            self._children = {}
            for token, group in groups.items():
                probability = math.exp(group[0].logprobs[place])
                if self._children:
                    self._beside = max(0.0, self._beside - probability)
                else:
                    # Probability of all tokens that start no drawn completion.
                    self._beside = math.exp(group[0].complements[place])
                self._children[token] = (probability, Drawn(group, place + 1))
        return self._children

    def left(self) -> float:
        """Probability that a completion from here on is none of those drawn."""
        if self._left is None:
            if any(len(completion.tokens) == self._place for completion in self._completions):
                self._left = 0.0
            elif len(self._completions) == 1:
                self._left = _left_beside(self._completions[0], self._place)
            else:
                below = sum(p * child.left() for p, child in self.children.values())
                self._left = self._beside + below
        return self._left


def _left_beside(completion: Completion, place: int) -> float:
    """What one completion leaves from a place on, where it is the only one."""
    left, reach = 0.0, 1.0
    for logprob, complement in zip(completion.logprobs[place:], completion.complements[place:]):
        left += reach * math.exp(complement)
        reach *= math.exp(logprob)
    return left


class RowSampler:
    """Chooses each row's next token by inverse transform sampling from its own stream.

    Args:
        seeds: random stream of each row.
        temperature: 0 takes the likeliest token.
        without: completions of each row that are not to be drawn again (temperature 1 only).
    """

    def __init__(
        self,
        seeds: Sequence[int],
        temperature: float,
        without: Sequence[Sequence[Completion]] | None = None,
    ) -> None:
        self.seeds = np.array(seeds, dtype=np.uint64)
        self.temperature = temperature
        # Of each row that must avoid something: where it is in the tree of what was drawn.
        self._places = {row: Drawn(drawn) for row, drawn in enumerate(without or []) if drawn}

    def choose(
        self, scores: torch.Tensor, rows: Sequence[int], step: int
    ) -> list[tuple[int, float, float]]:
        """Choose the next token of some rows.

        Args:
            scores: the network's, for each of `rows`, (B, V).
            rows: numbers of the rows in the order of `seeds`.
            step: tokens that the rows have already.

        Returns:
            Of each row the token, its natural log-probability at temperature 1, and that of all
            other tokens.
        """
        # float64, so that rare tokens keep their share and the last edge reaches 1.
        probabilities = scores.double().softmax(-1)
        if self.temperature == 0:
            chosen = scores.argmax(-1)
        else:
            weights = (
                probabilities.clone()
                if self.temperature == 1
                else (scores.double() / self.temperature).softmax(-1)
            )
            self._avoid(weights, rows)
            edges = weights.cumsum(-1)
            u = torch.from_numpy(uniforms(self.seeds[list(rows)], step)).to(scores.device)
            target = (u[:, None] * edges[:, -1:]).contiguous()
            chosen = torch.searchsorted(edges, target, right=True)[:, 0]
            chosen = chosen.clamp(max=scores.shape[-1] - 1)
        index = chosen[:, None]
        logprobs = probabilities.gather(-1, index)[:, 0].log().tolist()
        complements = probabilities.scatter_(-1, index, 0.0).sum(-1).log().tolist()
        tokens = chosen.tolist()
        self._descend(rows, tokens)
        return list(zip(tokens, logprobs, complements))

    def _avoid(self, weights: torch.Tensor, rows: Sequence[int]) -> None:
        """Weigh tokens that lead to drawn completions by what those leave, in place."""
        for at, row in enumerate(rows):
            place = self._places.get(row)
            # Where next to nothing is left, drawing something again is all one can do.
            if place is not None and place.left() > _LEAST_MASS:
                for token, (_, child) in place.children.items():
                    weights[at, token] *= child.left()

    def _descend(self, rows: Sequence[int], chosen: Sequence[int]) -> None:
        places = {row: self._places[row] for row in rows if row in self._places}
        tokens = dict(zip(rows, chosen))
        self._places = {
            row: place.children[tokens[row]][1]
            for row, place in places.items()
            if tokens[row] in place.children
        }
