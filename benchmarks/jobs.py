"""Jobs that need one another, on several processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from graphlib import TopologicalSorter
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)


def run_jobs(
    needs: Mapping[Key, set[Key]],
    job: Callable[[Key], None],
    processes: int,
    done: Callable[[Key], None],
) -> None:
    """Call `job(key)` for every key, each once all that it needs are done.

    Args:
        needs: what each key needs, all of them keys too.
        job: can be pickled, and depends on nothing but its key, so that it may run anywhere.
        processes: that share the work and the machine's cores; 1: all is done in this one.
        done: told of each key in this process, once its job is done.

    Raises:
        ValueError: fewer than one process.
        Exception: what a job raised; those under way are finished, no other is begun.
    """
    if processes < 1:
        raise ValueError(f"jobs must be 1 or more, received {processes}")
    order = TopologicalSorter(needs)
    if processes == 1:
        for key in order.static_order():
            job(key)
            done(key)
        return
    order.prepare()
    running: dict[Future[None], Key] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (processes,)) as pool:
        while order.is_active():
            running |= {pool.submit(job, key): key for key in order.get_ready()}
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                try:
                    future.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
                key = running.pop(future)
                done(key)
                order.done(key)


def _begin(processes: int) -> None:
    """A process's share of the cores, no progress bars through one another, and no life after
    that of the process it works for."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: Any) -> None:
    wait_for([sentinel])
    os._exit(1)
