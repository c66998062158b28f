"""Low-rank adapters on a network's linear layers, by way of peft (Hu et al., "LoRA: low-rank
adaptation of large language models", 2021): the weights stay, and few new ones learn."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from reason_env.errors import require


def add_adapters(network: Any, rank: int, seed: int = 0) -> None:
    """Freeze a network's weights and add adapters to all linear layers but the last, in place.
    They start as nothing: the network says what it said.

    Args:
        network: a transformers model.
        rank: of the adapters; they are scaled by 2.
        seed: of their first weights.

    Raises:
        MissingExtra: peft is not installed.
    """
    peft = require("peft", "lora")
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.add_adapter(config)


def has_adapters(network: Any) -> bool:
    """Whether a network has adapters that are not merged."""
    return bool(getattr(network, "_hf_peft_config_loaded", False))


@contextmanager
def without_adapters(network: Any) -> Iterator[None]:
    """The network as it was before it had adapters."""
    network.disable_adapters()
    try:
        yield
    finally:
        network.enable_adapters()


def merged(network: Any) -> Any:
    """A plain network that says what this one says with its adapters."""
    layers = require("peft.tuners.tuners_utils", "lora").BaseTunerLayer
    plain = copy.deepcopy(network)
    for name, module in list(plain.named_modules()):
        if isinstance(module, layers):
            module.merge()
            above, _, last = name.rpartition(".")
            setattr(plain.get_submodule(above), last, module.get_base_layer())
    plain._hf_peft_config_loaded = False
    del plain.peft_config
    return plain.requires_grad_(True)
