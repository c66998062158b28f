"""A policy that reads rows of token ids: a small causal transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from agents.integrations.stable_baselines3.environments import NOTHING
from reason_env.errors import require

_sb3: Any = require("stable_baselines3", "sb3")
BaseFeaturesExtractor: Any = _sb3.common.torch_layers.BaseFeaturesExtractor


def policy_kwargs(width: int = 64, layers: int = 2, heads: int = 4) -> dict[str, Any]:
    """`policy_kwargs=` of stable-baselines3: a causal transformer with linear policy and value
    heads, shared by both.

    Args:
        width: hidden size, a multiple of `heads`.
        layers: transformer blocks.
        heads: attention heads.
    """
    return {
        "features_extractor_class": CausalTransformer,
        "features_extractor_kwargs": {"width": width, "layers": layers, "heads": heads},
        "net_arch": {"pi": [], "vf": []},
    }


class CausalTransformer(BaseFeaturesExtractor):
    """Reads rows of token ids; its features are the hidden state at the last token, (B, width).

    Pre-norm blocks with learned positions, counted from the row's first token, and no dropout.

    Args:
        observation_space: of `make_env`.
        width: hidden size, a multiple of `heads`.
        layers: transformer blocks.
        heads: attention heads.

    Raises:
        ValueError: other observations, or a shape that is none.
    """

    def __init__(
        self, observation_space: spaces.Space[Any], width: int, layers: int, heads: int
    ) -> None:
        context, vocabulary = row_shape(observation_space)
        for name, number in (("width", width), ("layers", layers), ("heads", heads)):
            if number < 1:
                raise ValueError(f"{name} must be 1 or more, received {number}")
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, received {width} and {heads}")
        super().__init__(observation_space, features_dim=width)
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, observations: Tensor) -> Tensor:
        """Features of rows.

        Args:
            observations: token ids and then `NOTHING`, any number type (stable-baselines3 makes
                floats of them), (B, context).

        Returns:
            float32 (B, width).
        """
        ids = observations.long()
        # A row has its prompt, so at least one token; its last one is the only query that counts.
        last = ((ids != NOTHING).sum(-1) - 1).clamp(min=0)
        places = torch.arange(int(last.max()) + 1, device=ids.device)
        hidden = self.embedding(ids[:, : len(places)].clamp(min=0)) + self.position(places)
        for block in self.blocks[:-1]:
            hidden = block(hidden, hidden, places <= places[:, None])
        query = hidden[torch.arange(len(ids), device=ids.device), last][:, None]
        seen = places <= last[:, None, None, None]
        return self.norm(self.blocks[-1](query, hidden, seen)).squeeze(1)


class _Block(nn.Module):
    """Attention and a feed-forward network, each on normalised input and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.attended = nn.Linear(width, width)
        self.before_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, query: Tensor, hidden: Tensor, seen: Tensor) -> Tensor:
        """New hidden states of the places asked for.

        Args:
            query: hidden states of the places asked for, (B, Q, width).
            hidden: of all places, (B, T, width).
            seen: which places each query attends to, bool, broadcast to (B, heads, Q, T).

        Returns:
            (B, Q, width).
        """
        keys, values = self.key_value(self.before_attention(hidden)).chunk(2, dim=-1)
        attended = functional.scaled_dot_product_attention(
            self._split(self.query(self.before_attention(query))),
            self._split(keys),
            self._split(values),
            attn_mask=seen,
        )
        query = query + self.attended(attended.transpose(1, 2).flatten(2))
        return query + self.feed(self.before_feed(query))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def row_shape(space: Any) -> tuple[int, int]:
    """Length and vocabulary of the rows.

    Raises:
        ValueError: the space is not one of `make_env`.
    """
    is_row = isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype == np.int32
    if not is_row or (space.low != NOTHING).any():
        raise ValueError(
            f"Expected rows of token ids (environments of make_env or TokenRow), received {space}"
        )
    return space.shape[0], int(space.high.max()) + 1
