"""Sampling with one random stream per row, so that a row never depends on its batch; and without
replacement, so that no token is spent on a line that is known already."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

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
    """

    def __init__(self, completions: Sequence[Completion]) -> None:
        self.children: dict[int, tuple[float, Drawn]] = {}
        self._beside = 1.0
        """Probability of all tokens that start no drawn completion."""
        for completion in completions:
            self._add(completion, 0)

    def _add(self, completion: Completion, place: int) -> None:
        token = completion.tokens[place]
        if token not in self.children:
            probability = math.exp(completion.logprobs[place])
            if self.children:
                self._beside = max(0.0, self._beside - probability)
            else:
                self._beside = math.exp(completion.complements[place])
            self.children[token] = (probability, Drawn([]))
        child = self.children[token][1]
        if place + 1 < len(completion.tokens):
            child._add(completion, place + 1)
        else:
            child._beside = 0.0

    def left(self) -> float:
        """Probability that a completion from here on is none of those drawn."""
        return self._beside + sum(p * child.left() for p, child in self.children.values())


class RowSampler(LogitsProcessor):
    """Chooses each row's next token by inverse transform sampling from its own stream, and leaves
    it as the only possible one.

    Attributes:
        logprobs: of what was chosen, a (B,) tensor per step: natural log, at temperature 1.
        complements: natural log of the probability of all other tokens, likewise.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        temperature: float,
        without: Sequence[Sequence[Completion]] | None = None,
    ) -> None:
        self.seeds = np.array(seeds, dtype=np.uint64)
        self.temperature = temperature
        self.logprobs: list[torch.Tensor] = []
        self.complements: list[torch.Tensor] = []
        # Of each row that must avoid something: where it is in the tree of what was drawn.
        self._places = {row: Drawn(drawn) for row, drawn in enumerate(without or []) if drawn}

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B, V) in, the same shape with all but the chosen token at -inf out."""
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
            self._avoid(weights)
            edges = weights.cumsum(-1)
            u = torch.from_numpy(uniforms(self.seeds, len(self.logprobs))).to(scores.device)
            target = (u[:, None] * edges[:, -1:]).contiguous()
            chosen = torch.searchsorted(edges, target, right=True)[:, 0]
            chosen = chosen.clamp(max=scores.shape[-1] - 1)
        index = chosen[:, None]
        self.logprobs.append(probabilities.gather(-1, index)[:, 0].log())
        self.complements.append(probabilities.scatter_(-1, index, 0.0).sum(-1).log())
        self._descend(chosen.tolist())
        return torch.full_like(scores, -torch.inf).scatter_(-1, index, 0.0)

    def _avoid(self, weights: torch.Tensor) -> None:
        """Weigh tokens that lead to drawn completions by what those leave, in place."""
        for row, place in self._places.items():
            # Where next to nothing is left, drawing something again is all one can do.
            if place.left() > _LEAST_MASS:
                for token, (_, child) in place.children.items():
                    weights[row, token] *= child.left()

    def _descend(self, chosen: list[int]) -> None:
        self._places = {
            row: place.children[chosen[row]][1]
            for row, place in self._places.items()
            if chosen[row] in place.children
        }
