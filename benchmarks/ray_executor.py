"""Chunks of a run on a Ray cluster: `reason-bench run ... --executor ray` (extra `ray`).

Ray finds the cluster by RAY_ADDRESS, else the one that `ray start` began on this machine, else it
starts one here. Every node needs this package, and the model at the same path (or its hub id).
A worker that dies costs nothing but time: its chunk is played again by another.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.executors import Batch, Chunk, Executor, play_chunk
from benchmarks.players import Player, PlayerSpec, Searcher
from reason_env.errors import require

MOST_DEATHS = 3
"""A chunk whose worker dies so often is not tried again: it kills its workers."""


class Worker:
    """Loads what plays once, and plays chunks. Runs in a process of its own."""

    def __init__(self, spec: PlayerSpec, digest: str | None, threads: int | None, cwd: str) -> None:
        if cwd not in sys.path and Path(cwd).is_dir():
            sys.path.insert(0, cwd)  # where agents are found
        if threads is not None:
            import torch

            # Sums are rounded otherwise with another number of threads.
            torch.set_num_threads(threads)
        self._player = spec.build()
        if isinstance(self._player, Searcher) and self._player.model.digest != digest:
            raise ValueError(
                f"{spec.model} on this worker is another model ({self._player.model.digest[:12]}) "
                f"than where the run began ({(digest or '')[:12]})"
            )

    def play(self, chunk: Chunk, trees: Collection[int]) -> Batch:
        """Play a chunk; of the search trees only those asked for travel back."""
        batch = play_chunk(self._player, chunk)
        pairs = [
            (item, played if item.index in trees else replace(played, tree=None))
            for item, played in batch.pairs
        ]
        return replace(batch, pairs=pairs)


def on_ray(spec: PlayerSpec, player: Player, workers: int | None) -> Executor:
    """An executor on a Ray cluster.

    Args:
        spec: what plays; a model by its folder or id.
        player: the same, loaded here.
        workers: how many, each on one core; None: as many as the cluster has cores.

    Raises:
        MissingExtra: ray is not installed.
        ValueError: a model that was given as an object, which cannot travel.
    """
    ray = require("ray", "ray")
    for model in (spec.model, spec.reward_model):
        if not isinstance(model, str | Path | None):
            raise ValueError(
                f"A {type(model).__name__} cannot travel to other machines; save the model and "
                "give its folder, or a hub id"
            )
    digest = player.model.digest if isinstance(player, Searcher) else None
    spec = replace(spec, model=_absolute(spec.model), reward_model=_absolute(spec.reward_model))

    def run(chunks: Sequence[Chunk], trees: Collection[int]) -> Iterator[Batch]:
        if not chunks:
            return
        ours = not ray.is_initialized()
        if ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        try:
            cores = int(ray.cluster_resources().get("CPU", 1))
            most = min(workers or cores, len(chunks))
            arguments = (spec, digest, _threads(), os.getcwd())
            yield from _share_out(ray, most, arguments, chunks, trees)
        finally:
            if ours:
                ray.shutdown()

    return run


def _share_out(
    ray: Any, most: int, arguments: tuple[Any, ...], chunks: Sequence[Chunk], trees: Collection[int]
) -> Iterator[Batch]:
    """Keep `most` workers busy until all chunks are played."""
    worker = ray.remote(num_cpus=1)(Worker)
    todo = deque((number, 0) for number in range(len(chunks)))
    idle = [worker.remote(*arguments) for _ in range(most)]
    busy: dict[Any, tuple[Any, int, int]] = {}
    while todo or busy:
        while todo and idle:
            number, deaths = todo.popleft()
            actor = idle.pop()
            busy[actor.play.remote(chunks[number], trees)] = (actor, number, deaths)
        ready, _ = ray.wait(list(busy), num_returns=1)
        actor, number, deaths = busy.pop(ready[0])
        try:
            batch = ray.get(ready[0])
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None  # the player's own
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ValueError | OSError):
                raise cause from None  # the worker could not load what it is to play
            if deaths + 1 == MOST_DEATHS:
                raise ValueError(
                    f"Workers died {MOST_DEATHS} times while playing the same {len(chunks[number])}"
                    f" episodes ({type(error).__name__}): out of memory? Try a smaller --chunk. "
                    "What was finished is recorded; the same command goes on"
                ) from error
            todo.appendleft((number, deaths + 1))
            idle.append(worker.remote(*arguments))
            continue
        idle.append(actor)
        yield batch


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def _absolute(model: Any) -> Any:
    """A folder's path from the root: workers are elsewhere."""
    return str(Path(model).resolve()) if model is not None and Path(model).is_dir() else model
