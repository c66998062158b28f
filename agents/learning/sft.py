"""Supervised fine-tuning: clone demonstrations (policy initialisation).

Every step draws fresh problems and fresh demonstrations of them (with more than one pass, those of
the first again); only the agent's own tokens are
trained on, never the prompt or what the environment writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from agents.learning.config import check_config
from agents.learning.demonstrations import BehaviourRates, demonstrate
from agents.learning.forward import forward
from agents.learning.losses import token_weights
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.run import train
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Batch, collate
from agents.models.hf import HFModel
from reason_env.splits import stream_seed


@dataclass(frozen=True, slots=True)
class SFTConfig:
    """What `reason-train sft` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    expert_share: float = field(
        default=0.5, metadata={"help": "share of expert lines, 0 to 1", "most": 1}
    )
    steps: int = field(default=1000, metadata={"help": "updates"})
    batch: int = field(default=128, metadata={"help": "episodes per update"})
    passes: int = field(default=1, metadata={"help": "passes over the demonstrations"})
    first_batch: int = field(
        default=0, metadata={"help": "number of the first batch drawn", "least": 0}
    )
    seed: int = field(default=0, metadata={"help": "of problems and demonstrations", "least": 0})
    workers: int = field(
        default=1, metadata={"help": "processes that make demonstrations", "least": 0}
    )
    behaviours: BehaviourRates = field(default_factory=BehaviourRates)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


class _Batches(Dataset[Batch]):
    """Batch number k, the same whenever and wherever it is made."""

    def __init__(self, config: SFTConfig) -> None:
        self.config = config
        self.envs = [spec.make(split="train") for spec in config.envs]

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, number: int) -> Batch:
        number %= -(-self.config.steps // self.config.passes)
        seed = stream_seed("sft", self.config.seed, self.config.first_batch + number)
        rng = np.random.default_rng(seed)
        for env in self.envs:
            env.reset(seed=int(rng.integers(2**62)))
        share, rates = self.config.expert_share, self.config.behaviours
        return collate(
            [
                demonstrate(self.envs[row % len(self.envs)], rng, share, rates)
                for row in range(self.config.batch)
            ]
        )


def sft(model: HFModel, config: SFTConfig, folder: Path) -> HFModel:
    """Supervised fine-tuning: clone demonstrations, in place; writes the run to `folder`.

    Raises:
        ValueError: a setting out of its range.
        FileExistsError: the folder holds another run.
    """
    _check(config)
    optimizer = Optimizer(model, config.optimizer, config.steps)
    batches: Iterator[Batch] | None = None

    def step(number: int) -> dict[str, float]:
        nonlocal batches
        if batches is None:
            batches = _batches_from(config, number)
        batch = next(batches)
        loss = clone(model, optimizer, batch)
        norm = optimizer.step(number)
        return {"loss": loss, "gradient_norm": norm, "rate": optimizer.rate(number)}

    model.network.train()
    train(folder, "sft", config, model, optimizer, config.steps, step)
    model.network.eval()
    return model


def _check(config: SFTConfig) -> None:
    check_config(config)
    for spec in config.envs:
        ends = spec.make(split="train").on_invalid == "end"
        if ends and config.behaviours.corrections:
            raise ValueError(
                f"corrections can't be shown in {spec}, where a wrong claim ends the episode: add "
                "on_invalid=feedback to it"
            )


def clone(model: HFModel, optimizer: Optimizer, batch: Batch) -> float:
    """Add the gradients of cloning a batch's action tokens; returns the loss, nats per token."""
    weights = token_weights(batch.actions)
    total = 0.0
    for chosen in optimizer.micro_batches(torch.arange(len(batch)), batch.lengths):
        part = batch.rows(chosen)
        counts = weights[chosen, : part.ids.shape[1]][part.actions]
        loss = -(forward(model, part).logprobs * counts).sum()
        optimizer.backward(loss, part)
        total += loss.item()
    return total


def _batches_from(config: SFTConfig, start: int) -> Iterator[Batch]:
    loader: DataLoader[Batch] = DataLoader(
        _Batches(config),
        batch_size=None,
        sampler=range(start, config.steps),
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
        # Its generator would otherwise be seeded from torch's global stream.
        generator=torch.Generator().manual_seed(0),
    )
    return iter(loader)
