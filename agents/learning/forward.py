"""The training forward pass: what the network says at the places of the agent's tokens."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from agents.learning.trajectory import Batch
from agents.models.hf import HFModel


@dataclass(frozen=True, slots=True)
class Outputs:
    """Of a batch with N action tokens, in row-major order.

    Attributes:
        logits: that predicted each token, divided by the temperature, float32 (N, V).
        logprobs: of each token, natural log, (N,).
        values: of the state before each token, (N,); zeros without a value head.
        final: value of the state after each row's last token, (B,).
        states: values where the batch has potentials, in row-major order, (M,).
        process: logits of the process reward there, (M,); zeros without such a head.
    """

    logits: torch.Tensor
    logprobs: torch.Tensor
    values: torch.Tensor
    final: torch.Tensor
    states: torch.Tensor
    process: torch.Tensor


@functools.cache
def fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices itself, which is then about three times
    as fast as float32. Where torch has to emulate it, it is 20 to 80 times slower instead."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _precision() -> AbstractContextManager[object]:
    """Matrix products of training: bfloat16 where that is fast, else float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16())


def forward(model: HFModel, batch: Batch, temperature: float = 1.0) -> Outputs:
    """Run the network over a right-padded batch, in bfloat16 matrix products where the processor
    has them.

    Args:
        temperature: at which the tokens were sampled, above 0.
    """
    hidden = hidden_states(model, batch)
    with _precision():
        # Position t predicts token t + 1.
        before = hidden[:, :-1][batch.actions[:, 1:]]
        logits = model.network.lm_head(before).float() / temperature
    taken = batch.ids[:, 1:][batch.actions[:, 1:]]
    logprobs = logits.log_softmax(-1).gather(-1, taken[:, None])[:, 0]
    last = hidden[torch.arange(len(batch)), batch.attention.sum(-1) - 1]
    known = hidden[~batch.potentials.isnan()]
    values, final, states = (_said(model.value_head, at) for at in (before, last, known))
    return Outputs(logits, logprobs, values, final, states, _said(model.reward_head, known))


def hidden_states(model: HFModel, batch: Batch) -> torch.Tensor:
    """Last hidden states of a right-padded batch, (B, T, H), computed likewise."""
    with _precision():
        return model.hidden(batch.ids, batch.attention)


def _said(head: torch.nn.Linear | None, hidden: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(hidden)) if head is None else head(hidden.float())[:, 0]
