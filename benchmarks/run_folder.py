"""The run folder on the disk.

- `run.json`: a `Manifest`, written whole or not at all.
- `episodes.jsonl`: append-only, one `EpisodeRecord` a line, in the suite's order, flushed one by
  one. A line counts once its newline is there.
- `trees.jsonl`: search trees of some episodes, to be looked at: `{"index": 3, "tree": [...]}`.
- `ahead.jsonl`: episodes that were finished before their turn, by workers side by side or by
  `reason-bench log recover`; each goes into the other two files when its turn comes. Gone when the
  run is done.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.records import EpisodeRecord, Manifest

RUN, EPISODES, TREES, AHEAD = "run.json", "episodes.jsonl", "trees.jsonl", "ahead.jsonl"
Tree = list[dict[str, Any]]
"""Nodes of a search tree, as `agents.search.tree.Tree.to_json` gives them."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder, read."""

    folder: Path
    manifest: Manifest
    episodes: tuple[EpisodeRecord, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.stage} / {self.strategy}"

    @property
    def stage(self) -> str:
        """The label, else the folder's name."""
        return self.manifest.label or self.folder.name

    @property
    def strategy(self) -> str:
        """How it was played: agent, or strategy with what is not as the suite has it."""
        config = self.manifest.config
        settings = [f"{key}={value}" for key, value in config["options"].items()]
        if config["strategy"] and config["budget_tokens"] != config["suite"]["budget_tokens"]:
            settings.append(f"budget={config['budget_tokens']}")
        for key in ("prompt", "line_tokens"):
            if config.get(key):
                settings.append(f"{key}={config[key]}")
        if config["seed"]:
            settings.append(f"seed={config['seed']}")
        name = str(config["strategy"] or config["agent"])
        return f"{name} ({', '.join(settings)})" if settings else name

    @property
    def division(self) -> str:
        """`oracle` if any episode is."""
        return "oracle" if any(e.division == "oracle" for e in self.episodes) else "open"


def load_run(folder: str | Path, complete: bool = True) -> Run:
    """Read a run folder.

    Args:
        complete: refuse a run that is not done.

    Raises:
        FileNotFoundError: not a run folder.
        ValueError: not done, or damaged; says where.
    """
    folder = Path(folder)
    if not (folder / RUN).is_file():
        raise FileNotFoundError(f"{folder} is not a run folder: it has no {RUN}")
    manifest = read_manifest(folder)
    episodes, _ = read_episodes(folder / EPISODES, manifest.indices)
    if complete and (manifest.status != "done" or len(episodes) != manifest.episodes):
        raise ValueError(
            f"{folder} has {len(episodes)} of {manifest.episodes} episodes (status "
            f"{manifest.status}); the same `reason-bench run` command goes on with it"
        )
    return Run(folder, manifest, episodes)


def read_manifest(folder: Path) -> Manifest:
    """`run.json` of a folder that has one.

    Raises:
        ValueError: damaged.
    """
    try:
        return Manifest.from_json(json.loads((folder / RUN).read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{folder / RUN}: {error}") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace `run.json` in one go: a kill leaves the old one or the new one."""
    text = json.dumps(manifest.to_json(), indent=2, allow_nan=False) + "\n"
    replace_file(folder / RUN, text.encode("ascii"))


def replace_file(path: Path, content: bytes) -> None:
    """Write a file such that a kill or a full disk leaves the old content or the new."""
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def read_episodes(path: Path, indices: Sequence[int]) -> tuple[tuple[EpisodeRecord, ...], int]:
    """Finished lines of `episodes.jsonl`, and how many bytes they take.

    A last line without its newline was torn by a kill and does not count.

    Args:
        indices: of the episodes that the run has to play, in order.

    Raises:
        ValueError: a finished line that is not an episode, or not the next one.
    """
    episodes = []
    size = 0
    for number, line in enumerate(whole_lines(path)):
        where = f"{path}, line {number + 1}"
        try:
            record = EpisodeRecord.from_json(parse(line))
        except ValueError as error:
            raise ValueError(
                f"{where}: {error}. `reason-bench log recover {path.parent}` keeps what is whole"
            ) from error
        if number >= len(indices):
            raise ValueError(f"{where}: more episodes than the run has, {len(indices)}")
        if record.index != indices[number]:
            raise ValueError(f"{where}: index {record.index}, expected {indices[number]}")
        episodes.append(record)
        size += len(line)
    return tuple(episodes), size


def whole_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file that end in a newline, with it; none if there is no file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def parse(line: bytes) -> Any:
    """One line of JSON.

    Raises:
        ValueError: it is not, it has a number that is none, or it is nested without end.
    """
    try:
        return json.loads(line, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_trees(folder: Path) -> dict[int, Tree]:
    """Search trees by the index of their episode. Lines that cannot be read do not count: trees
    are for looking at, no score comes from them."""
    trees = {}
    for line in whole_lines(folder / TREES):
        try:
            value = parse(line)
            trees[int(value["index"])] = list(value["tree"])
        except (ValueError, KeyError, TypeError):
            continue
    return trees


class Journal:
    """A run folder that is being written: takes finished episodes in any order and keeps
    `episodes.jsonl` in the suite's.

    One process at a time: it holds a lock, which goes when the process does.

    Attributes:
        done: episodes in the journal, in order.
    """

    def __init__(self, folder: Path, indices: Sequence[int]) -> None:
        """Open a folder for writing; what a kill left behind is put right.

        Raises:
            ValueError: another process is writing there, or a file is damaged.
        """
        self._folder = folder
        self._indices = indices
        # Unbuffered: what could not be written is never tried again behind our back.
        self._file = (folder / EPISODES).open("ab", buffering=0)
        try:
            _lock(self._file, folder)
            done, size = read_episodes(folder / EPISODES, indices)
            self.done = list(done)
            _cut(self._file, size)  # a line torn by a kill
            self._ahead = self._read_ahead()
            self._trees = self._open_trees()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._trees is not None:
            self._trees.close()

    @property
    def missing(self) -> list[int]:
        """Indices of the episodes that are still to be played."""
        return [i for i in self._indices[len(self.done) :] if i not in self._ahead]

    def add(self, record: EpisodeRecord, tree: Tree | None = None) -> None:
        """Write down a finished episode."""
        if len(self.done) == len(self._indices) or record.index != self._indices[len(self.done)]:
            with (self._folder / AHEAD).open("ab", buffering=0) as file:
                _write(file, ahead_line(record, tree))
            self._ahead[record.index] = (record, tree)
            return
        self._append(record, tree)
        self.catch_up()

    def catch_up(self) -> None:
        """Write the episodes whose turn has come."""
        while len(self.done) < len(self._indices):
            found = self._ahead.pop(self._indices[len(self.done)], None)
            if found is None:
                return
            self._append(*found)

    def sync(self) -> None:
        """Make sure that what is written survives a power cut too."""
        os.fsync(self._file.fileno())

    def finish(self, write: Callable[[], None]) -> None:
        """The run is done: `write` its manifest, then drop what is no longer needed."""
        self.sync()
        write()
        (self._folder / AHEAD).unlink(missing_ok=True)

    def _append(self, record: EpisodeRecord, tree: Tree | None) -> None:
        if tree is not None:
            # Before the episode: one whose tree is missing would not be noticed.
            if self._trees is None:
                self._trees = (self._folder / TREES).open("ab", buffering=0)
            _write(self._trees, tree_line(record.index, tree))
        _write(self._file, record.to_line().encode("ascii"))
        self.done.append(record)

    @property
    def ahead(self) -> list[EpisodeRecord]:
        """Episodes that wait for their turn."""
        return [record for record, _ in self._ahead.values()]

    def _read_ahead(self) -> dict[int, tuple[EpisodeRecord, Tree | None]]:
        found = {}
        wanted = set(self._indices[len(self.done) :])
        path = self._folder / AHEAD
        lines = list(whole_lines(path))
        if path.exists():
            with path.open("ab", buffering=0) as file:
                _cut(file, sum(map(len, lines)))  # a line torn by a kill
        for line in lines:
            try:
                value = parse(line)
                record, tree = EpisodeRecord.from_json(value["episode"]), value["tree"]
            except (ValueError, KeyError, TypeError):
                continue  # damaged: it is played again
            if record.index in wanted:
                found[record.index] = (record, tree)
        return found

    def _open_trees(self) -> FileIO | None:
        """`trees.jsonl` up to the last episode of the journal."""
        path = self._folder / TREES
        if not path.exists():
            return None
        last = self.done[-1].index if self.done else -1
        size = 0
        for line in whole_lines(path):
            try:
                if parse(line)["index"] > last:
                    break
            except (ValueError, KeyError, TypeError):
                break
            size += len(line)
        file = path.open("ab", buffering=0)
        _cut(file, size)
        return file


def tree_line(index: int, tree: Tree) -> bytes:
    """A line of `trees.jsonl`."""
    return _dumps({"index": index, "tree": tree})


def ahead_line(record: EpisodeRecord, tree: Tree | None) -> bytes:
    """A line of `ahead.jsonl`."""
    return _dumps({"episode": json.loads(record.to_line()), "tree": tree})


def _dumps(value: Any) -> bytes:
    return (json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")


def _write(file: FileIO, data: bytes) -> None:
    """All of it: the system may take a part at a time, as on a disk that is filling up."""
    while data:
        data = data[file.write(data) :]


def _cut(file: FileIO, size: int) -> None:
    """Down to a size; a file of that size keeps its time stamp."""
    if file.tell() != size:
        file.truncate(size)


def _lock(journal: FileIO, folder: Path) -> None:
    """Two runs on one folder would interleave."""
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"Another process is running in {folder}; wait for it to end") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
