"""The progress bar of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks.records import EpisodeRecord, Manifest
from reason_env.errors import require


@contextmanager
def bar(
    suite: str, manifest: Manifest, records: Sequence[EpisodeRecord], show: bool
) -> Iterator[Callable[[EpisodeRecord], None]]:
    """A progress bar with the running accuracy; gives the function to call after an episode."""
    if not show:
        yield lambda record: None
        return
    bars = require("rich.progress", "bench")
    config = manifest.config
    title = " ".join(filter(None, [suite, manifest.label, config["strategy"] or config["agent"]]))
    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[solved]}"),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    ) as progress:
        task = progress.add_task(title, total=manifest.episodes, completed=len(records), solved="")

        solved = sum(record.solved for record in records)
        done = len(records)

        def advance(record: EpisodeRecord) -> None:
            nonlocal solved, done
            solved, done = solved + record.solved, done + 1
            progress.update(task, advance=1, solved=f"{solved / done:.1%} solved")

        yield advance
