"""A training run on disk: configuration, metrics, checkpoints and exact resume."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from agents.learning.optimizers import Optimizer
from agents.models.hf import HFModel

CONFIG, METRICS, STATE, MODEL = "config.json", "metrics.jsonl", "resume.pt", "model"


def train(
    folder: Path,
    trainer: str,
    config: Any,
    model: HFModel,
    optimizer: Optimizer,
    steps: int,
    step: Callable[[int], Mapping[str, float]],
    save_every: int = 200,
) -> None:
    """Run `step(0) ... step(steps - 1)`, each of which must depend on nothing but its number,
    the model and the optimizer: then a run that was killed and called again ends with the same
    parameters as one that was not.

    Args:
        folder: gets `config.json`, `metrics.jsonl` (a row a step), TensorBoard events, and the
            checkpoint `model/`. A finished run is loaded and not repeated.
        trainer: name for the progress bar and the configuration.
        config: the trainer's frozen dataclass.
        step: does one update and returns what to log. If the very first one raises, the folder is
            removed again.
        save_every: steps between resume points.

    Raises:
        FileExistsError: the folder holds another run.
    """
    resolved = {"trainer": trainer, "init": model.digest, **asdict(config)}
    _claim(folder, json.loads(json.dumps(resolved, default=str)))
    start = _restore(folder, model, optimizer)
    if start >= steps:
        return
    metrics = folder / METRICS
    _keep_rows(metrics, start)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    board = SummaryWriter(str(folder / "tensorboard"))
    try:
        with Progress(*columns) as progress, metrics.open("a") as file:
            bar = progress.add_task(trainer, total=steps, completed=start, note="")
            for number in range(start, steps):
                started = time.monotonic()
                row = {key: float(value) for key, value in step(number).items()}
                row["seconds"] = time.monotonic() - started
                file.write(json.dumps({"step": number + 1, **row}) + "\n")
                file.flush()
                for key, value in row.items():
                    board.add_scalar(f"{trainer}/{key}", value, number + 1)
                note = "  ".join(f"{key} {value:.3g}" for key, value in list(row.items())[:2])
                progress.update(bar, advance=1, note=note)
                if (number + 1) % save_every == 0 and number + 1 < steps:
                    _save_state(folder, model, optimizer, number + 1)
    except Exception:
        if not metrics.stat().st_size:
            # Not one step was done: the settings were wrong, so the folder is free again.
            shutil.rmtree(folder)
        raise
    finally:
        board.close()
    model.save(folder / MODEL)
    _save_state(folder, model, optimizer, steps)


def _claim(folder: Path, resolved: dict[str, Any]) -> None:
    path = folder / CONFIG
    if path.is_file():
        held = json.loads(path.read_text())
        if held != resolved:
            differing = sorted(k for k in {*held, *resolved} if held.get(k) != resolved.get(k))
            raise FileExistsError(
                f"{folder} already holds another run (it differs in {', '.join(differing)}); "
                "choose another folder or delete that one. Nothing was overwritten."
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} is not empty and holds no {CONFIG} of a run; choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(resolved, indent=2) + "\n")


def _save_state(folder: Path, model: HFModel, optimizer: Optimizer, step: int) -> None:
    state = {
        "step": step,
        "network": model.network.state_dict(),
        **{name: head.state_dict() for name, head in model.heads.items()},
        "optimizer": optimizer.state_dict(),
    }
    # A kill while writing must not cost the last good state.
    partial = folder / f"{STATE}.partial"
    torch.save(state, partial)
    os.replace(partial, folder / STATE)


def _restore(folder: Path, model: HFModel, optimizer: Optimizer) -> int:
    """Load the last resume point, if there is one; returns the number of finished steps."""
    path = folder / STATE
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    model.network.load_state_dict(state["network"])
    for name, head in model.heads.items():
        head.load_state_dict(state[name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _keep_rows(path: Path, rows: int) -> None:
    """Drop the rows of steps that will be done again, and a row that was cut in two."""
    if path.is_file():
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:rows]))
