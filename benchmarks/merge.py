"""One run of all the shards of a suite: the same episodes, byte for byte, as of a run in one go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.run_folder import (
    EPISODES,
    TREES,
    Run,
    load_run,
    read_trees,
    tree_line,
    write_manifest,
)
from benchmarks.runner import add_usage, counts, identity


def merge(shards: Sequence[str | Path], out: str | Path) -> Run:
    """Make a run folder of finished shards.

    Args:
        shards: run folders of `run_suite(..., shard=(i, n))`, all of them, in any order.
        out: a new folder.

    Raises:
        FileExistsError: `out` exists.
        ValueError: a shard is missing, given twice, not finished, or of another run.
    """
    out = Path(out)
    if out.exists():
        raise FileExistsError(f"{out} exists already and is not overwritten; name another folder")
    if not shards:
        raise ValueError("There is nothing to merge: name the shards' folders")
    runs = sorted(map(load_run, shards), key=lambda run: run.manifest.shard or (0, 0))
    _check(runs)
    records = sorted((e for run in runs for e in run.episodes), key=lambda record: record.index)
    if [record.index for record in records] != list(range(len(records))):
        raise ValueError(f"The shards' {len(records)} episodes are not a suite's: some are missing")
    first = runs[0].manifest
    # Equal ones once: shards may have been played on one machine or on many.
    environments = {
        json.dumps(environment, sort_keys=True): environment
        for run in runs
        for environment in (run.manifest.environment, *run.manifest.resumed_under)
    }
    usage: dict[str, object] = {}
    for run in runs:
        usage = add_usage(usage, run.manifest.usage)
    manifest = replace(
        first,
        shard=None,
        episodes=len(records),
        resumed_under=tuple(environments.values())[1:],
        seconds=round(sum(run.manifest.seconds for run in runs), 3),
        usage=usage,
        **counts(records),
    )
    scratch = out.with_name(f".{out.name}.merging")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    lines = "".join(record.to_line() for record in records)
    (scratch / EPISODES).write_bytes(lines.encode("ascii"))
    trees = {index: tree for run in runs for index, tree in read_trees(run.folder).items()}
    if trees:
        content = b"".join(tree_line(index, trees[index]) for index in sorted(trees))
        (scratch / TREES).write_bytes(content)
    write_manifest(scratch, manifest)
    scratch.rename(out)
    return load_run(out)


def _check(runs: Sequence[Run]) -> None:
    """Whether these are all the shards of one run."""
    for run in runs:
        if run.manifest.shard is None:
            raise ValueError(f"{run.folder} is no shard but a whole run")
    first = runs[0]
    ours = {**identity(first.manifest), "shard": None}
    for run in runs[1:]:
        theirs = {**identity(run.manifest), "shard": None}
        different = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
        if different:
            raise ValueError(
                f"{run.folder} is of another run than {first.folder}: {', '.join(different)} differ"
            )
    _, step = first.manifest.shard or (1, 1)
    found = [run.manifest.shard for run in runs]
    if found != [(number, step) for number in range(1, step + 1)]:
        listed = ", ".join(f"{shard[0]}/{shard[1]}" for shard in found if shard)
        raise ValueError(f"Expected shards 1/{step} to {step}/{step}, each once, received {listed}")
