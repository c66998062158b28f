"""Is a run folder what it should be, and what of it can be kept if not?"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.findings import Finding
from benchmarks.records import EpisodeRecord, Manifest
from benchmarks.replay import play
from benchmarks.run_folder import (
    AHEAD,
    EPISODES,
    RUN,
    ahead_line,
    parse,
    read_manifest,
    replace_file,
)
from benchmarks.runner import counts
from benchmarks.suite import Item, Suite, resolve


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the journal: an episode, or why it is none."""

    number: int
    data: bytes
    record: EpisodeRecord | None
    code: str = ""
    detail: str = ""


def check(folder: str | Path, replay: bool = False) -> list[Finding]:
    """What is wrong with a run folder. A run that is going on or was killed is not wrong for that.

    Args:
        replay: also play every recorded line again.

    Raises:
        FileNotFoundError: not a run folder.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if isinstance(manifest, Finding):
        return [manifest]
    found: list[Finding] = []
    items, complaint = _items(manifest)
    if complaint is not None:
        found.append(Finding("wrong-suite", RUN, complaint))
    records = []
    expected = iter(manifest.indices)
    for line in _lines(folder / EPISODES):
        where = f"{EPISODES}, line {line.number}"
        if line.record is None:
            found.append(Finding(line.code, where, line.detail))
            next(expected, None)
            continue
        record = line.record
        wanted = next(expected, None)
        if record.index != wanted:
            told = "no more episodes" if wanted is None else f"episode {wanted}"
            found.append(Finding("wrong-place", where, f"episode {record.index}, expected {told}"))
        if items:
            found += _check_episode(record, items.get(record.index), where, replay)
        records.append(record)
    if manifest.status == "done":
        found += _check_totals(manifest, records)
    return found


def recover(folder: str | Path) -> str:
    """Keep every whole episode of a damaged `episodes.jsonl`.

    Those before the damage stay where they are; those after it wait in `ahead.jsonl` for the run
    command, which plays only what is missing. The damaged file is kept beside it.

    Returns:
        What was done, in words.

    Raises:
        FileNotFoundError: not a run folder.
        ValueError: another process is running there, or `run.json` is damaged.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if isinstance(manifest, Finding):
        raise ValueError(
            f"{manifest}. What was run is not known any more; {EPISODES} is left as it is"
        )
    with (folder / EPISODES).open("ab") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"Another process is running in {folder}; stop it first") from error
        return _recover(folder, manifest)


def _recover(folder: Path, manifest: Manifest) -> str:
    path = folder / EPISODES
    lines = list(_lines(path))
    indices = manifest.indices
    kept: dict[int, _Line] = {}
    for line in lines:
        if line.record is not None and line.record.index in indices:
            kept.setdefault(line.record.index, line)
    head = []
    for index in indices:
        if index not in kept:
            break
        head.append(kept.pop(index))
    content = b"".join(line.data for line in head)
    if content == b"".join(line.data for line in lines):
        return f"{path}: nothing to recover, all {len(head)} of its episodes are whole"
    backup = _unused(folder, f"{EPISODES}.damaged")
    replace_file(backup, path.read_bytes())
    if kept:
        ahead = folder / AHEAD
        rest = [ahead_line(line.record, None) for line in kept.values() if line.record]
        replace_file(ahead, (ahead.read_bytes() if ahead.exists() else b"") + b"".join(rest))
    # In place, not replaced: whoever starts the run now waits for the lock on this very file.
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
    missing = len(indices) - len(head) - len(kept)
    return (
        f"{path}: kept {len(head) + len(kept)} of {len(indices)} episodes; the damaged file is "
        f"{backup.name}. The same `reason-bench run` command plays the other {missing}"
    )


def _manifest(folder: Path) -> Manifest | Finding:
    if not (folder / RUN).is_file():
        raise FileNotFoundError(f"{folder} is not a run folder: it has no {RUN}")
    try:
        return read_manifest(folder)
    except ValueError as error:
        return Finding("damaged-manifest", RUN, str(error))


def _lines(path: Path) -> Iterator[_Line]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, data in enumerate(file, 1):
            if not data.endswith(b"\n"):
                yield _Line(number, data, None, "torn-line", f"{len(data)} bytes without a newline")
                continue
            try:
                yield _Line(number, data, EpisodeRecord.from_json(parse(data)))
            except ValueError as error:
                yield _Line(number, data, None, "not-an-episode", str(error)[:200])


def _items(manifest: Manifest) -> tuple[dict[int, Item], str | None]:
    """The suite's items, drawn again, and what is wrong with that."""
    config: dict[str, Any] = dict(manifest.config)
    try:
        problems = resolve(Suite.from_json(config.get("suite")), config.get("limit"))
    except (ValueError, OSError, ImportError) as error:
        return {}, f"the suite cannot be drawn here: {error}"
    if problems.hash != config.get("suite_hash"):
        return {}, (
            f"suite hash {str(config.get('suite_hash'))[:12]}..., but it is "
            f"{problems.hash[:12]}... here: problems or environments have changed"
        )
    return {item.index: item for item in problems.items}, None


def _check_episode(
    record: EpisodeRecord, item: Item | None, where: str, replay: bool
) -> Iterator[Finding]:
    if item is None or (record.seed, record.problem) != (item.seed, item.problem):
        yield Finding("wrong-problem", where, f"episode {record.index} is not the suite's")
    elif replay and record.status != "error":
        try:
            outcome = play(item.start(), record.actions)
        except Exception as error:  # whatever a line does to the environment
            yield Finding("replay-failed", where, f"{type(error).__name__}: {error}")
            return
        given = (record.solved, record.reward, dict(record.terms))
        told = (outcome.solved, outcome.reward, outcome.terms.to_json())
        if given != told:
            yield Finding("wrong-score", where, f"recorded as {given}, but replay gives {told}")


def _check_totals(manifest: Manifest, records: list[EpisodeRecord]) -> Iterator[Finding]:
    if len(records) != manifest.episodes:
        detail = f"status is done, but {len(records)} of {manifest.episodes} episodes are there"
        yield Finding("missing-episodes", EPISODES, detail)
    for name, number in counts(records).items():
        if getattr(manifest, name) != number:
            detail = f"{name} is {getattr(manifest, name)}, but the episodes give {number}"
            yield Finding("wrong-total", RUN, detail)


def _unused(folder: Path, name: str) -> Path:
    """The first name that is free: name, name-2, ..."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path
