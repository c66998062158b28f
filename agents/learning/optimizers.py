"""What is optimised, and how: shared by all trainers."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from agents.learning.trajectory import Batch
from agents.models.hf import HFModel


class DivergedError(ValueError):
    """A loss or a gradient is not a number.

    Attributes:
        batches: what was learned from in that step.
    """

    def __init__(self, message: str, batches: list[Batch]) -> None:
        super().__init__(message)
        self.batches = batches


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """Muon for the matrices of the blocks, AdamW for the rest; or AdamW for all."""

    lr: float = field(default=2e-3, metadata={"help": "peak learning rate"})
    muon: bool = field(default=True, metadata={"help": "Muon for the blocks' matrices"})
    warmup: int = field(default=50, metadata={"help": "steps of linear warm-up", "least": 0})
    final: float = field(
        default=0.05, metadata={"help": "share of the peak rate at the end", "most": 1}
    )
    decay_from: float = field(
        default=0.3, metadata={"help": "when linear decay sets in, 0 to 1", "most": 1}
    )
    weight_decay: float = field(default=0.01, metadata={"help": "of the matrices"})
    max_norm: float = field(default=1.0, metadata={"help": "largest norm of the gradient"})
    micro_batch: int = field(
        default=0,
        metadata={"help": "episodes per forward pass, gradients added up; 0: all", "least": 0},
    )
    lora: int = field(
        default=0,
        metadata={"help": "rank of LoRA adapters; 0: the weights themselves learn", "least": 0},
    )
    compile: bool = field(default=False, metadata={"help": "torch.compile the training pass"})


class Optimizer:
    """One step of all parameters, with schedule and gradient clipping.

    Adapters are added to the model, and its training pass compiled, if the configuration says so.
    """

    def __init__(self, model: HFModel, config: OptimizerConfig, steps: int) -> None:
        self.config = config
        self.steps = steps
        if config.lora:
            model.add_lora(config.lora)
        if config.compile:
            model.compile()
        self.parameters = model.parameters()
        self._seen: list[Batch] = []
        # Adapters are matrices too, but not ones whose updates should have full rank.
        whole = [] if config.lora else model.network.model.layers.parameters()
        matrices = [p for p in whole if p.ndim == 2]
        inside = {id(p) for p in matrices}
        rest = [p for p in self.parameters if id(p) not in inside]
        self.parts: list[torch.optim.Optimizer] = []
        if config.muon and matrices:
            # Rates scaled to AdamW's update size ("Muon is scalable for LLM training",
            # arXiv 2502.16982), so that one rate serves both.
            self.parts.append(
                torch.optim.Muon(
                    matrices,
                    lr=config.lr,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
            groups = [{"params": rest, "weight_decay": 0.0}]
        else:
            groups = [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": rest, "weight_decay": 0.0},
            ]
        self.parts.append(
            torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), eps=1e-8, fused=True)
        )

    def rate(self, step: int) -> float:
        """Learning rate of step 0, 1, ...: linear warm-up, plateau, linear decay."""
        c = self.config
        warm = min(1.0, (step + 1) / max(1, c.warmup))
        gone = (step / max(1, self.steps) - c.decay_from) / max(1e-9, 1 - c.decay_from)
        return c.lr * warm * (1 - (1 - c.final) * min(1.0, max(0.0, gone)))

    def micro_batches(self, rows: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """A minibatch in parts that go through the network at once; rows of like length go
        together, so that little is padded.

        Args:
            rows: indices of its rows, (B,).
            lengths: tokens of each of them, (B,).
        """
        size = self.config.micro_batch
        return rows[lengths.argsort(stable=True)].split(size) if size else (rows,)

    def backward(self, loss: torch.Tensor, batch: Batch) -> None:
        """Add a loss's gradients to those of the step.

        Args:
            loss: scalar.
            batch: what it was computed from, to be kept should anything go wrong.

        Raises:
            DivergedError: the loss is not finite.
        """
        self._seen.append(batch)
        if not loss.isfinite():
            self._give_up(f"The loss is {loss.item()}")
        loss.backward()

    def _give_up(self, message: str) -> None:
        batches, self._seen = self._seen, []
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        raise DivergedError(message, batches)

    def step(self, step: int) -> float:
        """Apply and clear the gradients.

        Returns:
            The gradient's norm before clipping.

        Raises:
            DivergedError: the norm is not finite; nothing was applied.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_norm)
        if not norm.isfinite():
            self._give_up(f"The gradient's norm is {float(norm)}")
        self._seen = []
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = self.rate(step)
            part.step()
            part.zero_grad(set_to_none=True)
        return float(norm)

    def state_dict(self) -> list[dict[str, object]]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, object]]) -> None:
        for part, state in zip(self.parts, states):
            part.load_state_dict(state)
