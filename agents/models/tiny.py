"""A tiny Llama-type model, made from a configuration, that a CPU trains in minutes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from reason_env.tokenizer import BOS, EOS, PAD, TOKENIZER


@dataclass(frozen=True, slots=True)
class TinyConfig:
    """Shape of the embedded default model: about a million parameters."""

    layers: int = field(default=4, metadata={"help": "transformer blocks"})
    width: int = field(default=128, metadata={"help": "hidden size"})
    heads: int = field(default=4, metadata={"help": "attention heads"})
    context: int = field(default=1024, metadata={"help": "longest sequence in tokens"})


def tiny_model(config: TinyConfig | None = None, seed: int = 0) -> LlamaForCausalLM:
    """A randomly initialised model in float32, without dropout."""
    config = config or TinyConfig()
    shape = LlamaConfig(
        vocab_size=len(TOKENIZER),
        hidden_size=config.width,
        intermediate_size=3 * config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.context,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    # Initialisation draws from torch's global stream: leave that stream as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(shape)
