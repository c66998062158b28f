"""Sampling with one random stream per row, so that a row never depends on its batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


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


class RowSampler(LogitsProcessor):
    """Chooses each row's next token by inverse transform sampling from its own stream, and leaves
    it as the only possible one; keeps the log-probabilities of what it chose.

    Attributes:
        chosen_logprobs: one (B,) tensor per step, natural log, at temperature 1.
    """

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self.seeds = np.array(seeds, dtype=np.uint64)
        self.temperature = temperature
        self.chosen_logprobs: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B, V) in, the same shape with all but the chosen token at -inf out."""
        logprobs = scores.float().log_softmax(-1)
        if self.temperature == 0:
            chosen = scores.argmax(-1)
        else:
            # float64, so that the last bin reaches 1 and rare tokens keep their share.
            probabilities = (scores.double() / self.temperature).softmax(-1)
            step = len(self.chosen_logprobs)
            u = torch.from_numpy(uniforms(self.seeds, step)).to(scores.device)
            edges = probabilities.cumsum(-1)
            target = (u[:, None] * edges[:, -1:]).contiguous()
            chosen = torch.searchsorted(edges, target, right=True)[:, 0]
            chosen = chosen.clamp(max=scores.shape[-1] - 1)
        self.chosen_logprobs.append(logprobs.gather(-1, chosen[:, None])[:, 0])
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter(-1, chosen[:, None], 0.0)
