"""A training run on disk: configuration, metrics, checkpoints and exact resume."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

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

from agents.learning.optimizers import DivergedError, Optimizer
from agents.models.hf import HFModel

CONFIG, METRICS, STATE, MODEL = "config.json", "metrics.jsonl", "resume.pt", "model"
DIVERGED = "diverged.pt"
_FORMAT = 2
"""Of the resume points; another number is refused."""


class Stateful(Protocol):
    """What else a trainer carries from step to step, beside model and optimizer."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def train(
    folder: Path,
    trainer: str,
    config: Any,
    model: HFModel,
    optimizer: Optimizer,
    steps: int,
    step: Callable[[int], Mapping[str, float]],
    save_every: int = 200,
    carried: Stateful | None = None,
) -> None:
    """Run `step(0) ... step(steps - 1)`, each of which must depend on nothing but its number, the
    model, the optimizer and what is carried: then a run that was killed and called again ends with
    the same parameters as one that was not.

    Args:
        folder: gets `config.json`, `metrics.jsonl` (a row a step), TensorBoard events, and the
            checkpoint `model/`. A finished run is loaded and not repeated.
        trainer: name for the progress bar and the configuration.
        config: the trainer's frozen dataclass.
        step: does one update and returns what to log. If the very first one raises, the folder is
            removed again.
        save_every: steps between resume points.
        carried: what else changes from step to step.

    Raises:
        FileExistsError: the folder holds another run.
        ValueError: its resume point is broken, or was written by another version.
        DivergedError: a loss or a gradient was not finite. What was learned from is in
            `diverged.pt` and the model as it last was saved in `model/`.
    """
    resolved = {"trainer": trainer, "init": model.digest, **asdict(config)}
    _claim(folder, json.loads(json.dumps(resolved, default=str)))
    start = _restore(folder, model, optimizer, carried)
    if start >= steps:
        model.finish_training()
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
                    _save_state(folder, model, optimizer, carried, number + 1)
    except DivergedError as error:
        raise _diverged(error, folder, model, optimizer, carried) from None
    except Exception:
        if not metrics.stat().st_size:
            # Not one step was done: the settings were wrong, so the folder is free again.
            shutil.rmtree(folder)
        raise
    finally:
        board.close()
    model.save(folder / MODEL)
    _save_state(folder, model, optimizer, carried, steps)
    model.finish_training()


def _diverged(
    error: DivergedError,
    folder: Path,
    model: HFModel,
    optimizer: Optimizer,
    carried: Stateful | None,
) -> DivergedError:
    """Keep what went wrong and the last model that was saved; returns the error that says so."""
    torch.save([asdict(batch) for batch in error.batches], folder / DIVERGED)
    number = len((folder / METRICS).read_text().splitlines()) + 1
    saved = _restore(folder, model, optimizer, carried)
    if saved:
        model.save(folder / MODEL)
        kept = f"the model after step {saved} is in {folder / MODEL}"
    else:
        kept = "no step was saved yet: the last good model is the one that this run began with"
    return DivergedError(
        f"{error} in step {number} of {folder}, so the run has stopped; what it learned from there "
        f"is in {folder / DIVERGED}, and {kept}. Go on in another folder, with a smaller lr or a "
        "smaller max_norm",
        error.batches,
    )


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


def _save_state(
    folder: Path, model: HFModel, optimizer: Optimizer, carried: Stateful | None, step: int
) -> None:
    state = {
        "format": _FORMAT,
        "step": step,
        "network": model.network.state_dict(),
        **{name: head.state_dict() for name, head in model.heads.items()},
        "optimizer": optimizer.state_dict(),
        "carried": carried.state_dict() if carried else {},
    }
    # A kill while writing must not cost the last good state.
    partial = folder / f"{STATE}.partial"
    torch.save(state, partial)
    os.replace(partial, folder / STATE)


def _restore(folder: Path, model: HFModel, optimizer: Optimizer, carried: Stateful | None) -> int:
    """Load the last resume point, if there is one; returns the number of finished steps."""
    path = folder / STATE
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} is broken and can't be gone on from; delete {folder} to start again"
        ) from error
    found = state.get("format", 1)
    if found != _FORMAT:
        raise ValueError(
            f"{path} was written by another version of reason-env (format {found}, expected "
            f"{_FORMAT}): finish the run with that version, or choose another folder"
        )
    model.network.load_state_dict(state["network"])
    for name, head in model.heads.items():
        head.load_state_dict(state[name])
    optimizer.load_state_dict(state["optimizer"])
    if carried:
        carried.load_state_dict(state["carried"])
    return int(state["step"])


def _keep_rows(path: Path, rows: int) -> None:
    """Drop the rows of steps that will be done again, and a row that was cut in two."""
    if path.is_file():
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:rows]))
