r"""Many whole solutions of each problem of a suite, with their scores: drawn once, then only read.

`samples.jsonl` is append-only. Its first line is what was asked for, every further one a problem
(see `Sampled`), in the suite's order, written chunk by chunk. It has nothing in it that two equal
studies would write differently, so that a killed one resumes to the same bytes.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from agents.search import Found, run_searches
from agents.search.requests import Choice, Node, Search, evaluate, generate
from benchmarks.players import describe
from benchmarks.replay import play
from benchmarks.suite import Item, make_env
from reason_env.splits import stream_seed

if TYPE_CHECKING:
    from agents.models import LanguageModel

SAMPLES = "samples.jsonl"


@dataclass(frozen=True, slots=True)
class Sampled:
    """One problem's samples.

    Attributes:
        index, problem: of the suite's item.
        scores: of each sample, by the guide. Equal texts have equal scores; one whose last line
            was cut has 0, or just less than the lowest of the others where that is below 0.
        solved: whether each is a solution, by replay in the environment.
        tokens: that each took to write.
        best: the lines of the first of those with the highest score.
        best_solved: whether that one is a solution.
        ledger: what all of them cost.
        error: why there are no samples (the task or the guide failed), else None.
    """

    index: int
    problem: str
    scores: tuple[float, ...]
    solved: tuple[bool, ...]
    tokens: tuple[int, ...]
    best: tuple[str, ...]
    best_solved: bool
    ledger: Mapping[str, int]
    error: str | None = None

    def to_line(self) -> bytes:
        """JSON in ASCII, newline included."""
        return _line(asdict(self))

    @classmethod
    def from_json(cls, value: Any, samples: int) -> Sampled:
        """Read a line.

        Raises:
            ValueError: not such an object, or not that many samples.
        """
        try:
            columns = {key: tuple(value[key]) for key in ("scores", "solved", "tokens", "best")}
            sampled = cls(**{**value, **columns})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a problem's samples: {error}") from error
        wanted = samples if sampled.error is None else 0
        for name in ("scores", "solved", "tokens"):
            if len(columns[name]) != wanted:
                raise ValueError(f"{len(columns[name])} {name}, expected {wanted}")
        return sampled


class Collector:
    """A strategy that draws whole solutions, scores them, and keeps all.

    Attributes:
        kept: of each problem, in the order in which the searches are begun: nodes and scores.
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.kept: list[list[tuple[Node, float]]] = []

    def __call__(self, root: Node) -> Search:
        kept: list[tuple[Node, float]] = []
        self.kept.append(kept)
        return self._search(root, kept)

    def _search(self, root: Node, kept: list[tuple[Node, float]]) -> Search:
        [nodes] = yield from generate([root], self.samples, "solution")
        # A text is scored once: in another batch its score could differ in the last digit, and
        # what ought to be a tie would be broken.
        distinct = {_text(node): node for node in reversed(nodes)}
        values = yield from evaluate(list(distinct.values()))
        worth = {key: value.total for key, value in zip(distinct, values)}
        # What was cut is picked only where nothing else is there (as in `choose_final`), also
        # where a value head says less than nothing of all the others.
        ended = [worth[key] for key, node in distinct.items() if node.lines]
        cut = min(0.0, math.nextafter(min(ended, default=1.0), -math.inf))
        kept += [(node, worth[_text(node)] if node.lines else cut) for node in nodes]
        return Choice(max(kept, key=lambda pair: pair[1])[0])


def draw_samples(
    items: Sequence[Item],
    out: Path,
    config: Mapping[str, Any],
    model: LanguageModel,
    reward_model: LanguageModel | None,
    progress: Callable[[int], None] = lambda problems: None,
) -> list[Sampled]:
    """Samples of all problems: those that the folder has, and the others now.

    Args:
        config: decides the samples; `guide`, `samples`, `seed` and `chunk` (problems sampled at
            once) are read from it.
        progress: called with numbers of problems that are done.

    Raises:
        ValueError: the folder holds something else, or another process works in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / SAMPLES
    if not path.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and has no {SAMPLES}; choose a new folder with --out")
    with path.open("ab") as journal:
        _lock(journal, out)
        done, ends = _read(path, config)
        # Chunks are drawn whole: batches of other problems could change a score's last digit.
        chunk = config["chunk"]
        if len(done) < len(items):
            done = done[: len(done) - len(done) % chunk]
        journal.truncate(ends[len(done)] if ends else 0)
        if not ends:
            _write(journal, [_line({"config": config})])
        progress(len(done))
        for start in range(len(done), len(items), chunk):
            sampled = _draw(items[start : start + chunk], config, model, reward_model, progress)
            _write(journal, [one.to_line() for one in sampled])
            done += sampled
    _check(done, items, path)
    return done


def _draw(
    items: Sequence[Item],
    config: Mapping[str, Any],
    model: LanguageModel,
    reward_model: LanguageModel | None,
    progress: Callable[[int], None],
) -> list[Sampled]:
    """Samples of some problems, together."""
    envs = []
    for item in items:
        envs.append(make_env(item.env, item.kwargs))
        envs[-1].reset(seed=item.seed)
    collector = Collector(config["samples"])
    found = run_searches(
        model,
        envs,
        collector,
        [stream_seed("overoptimization", config["seed"], item.problem) for item in items],
        guide=config["guide"],
        reward_model=reward_model,
        progress=progress,
    )
    return [_judged(*each) for each in zip(items, found, collector.kept, strict=True)]


def _judged(item: Item, found: Found, kept: Sequence[tuple[Node, float]]) -> Sampled:
    """A problem's samples as they are recorded; whether they are solutions, by replay."""
    error = found.error
    solved: dict[tuple[str, ...], bool] = {}
    if error is None:
        try:
            env = make_env(item.env, item.kwargs)
            env.reset(seed=item.seed)
            start = env.snapshot()
            for node, _ in kept:
                lines = _played(node)
                if lines not in solved:
                    env.restore(start)
                    solved[lines] = play(env, lines).solved
        except Exception as problem:  # the task's own failure costs its problem only
            error = describe(problem)
        if not all(math.isfinite(score) for _, score in kept):
            error = "ValueError: the guide gave a score that is no finite number"
    if error is not None:
        ledger = found.ledger.to_json()
        return Sampled(item.index, item.problem, (), (), (), (), False, ledger, error)
    best = max(kept, key=lambda pair: pair[1])[0]
    return Sampled(
        index=item.index,
        problem=item.problem,
        scores=tuple(float(score) for _, score in kept),
        solved=tuple(solved[_played(node)] for node, _ in kept),
        tokens=tuple(_cost(node) for node, _ in kept),
        best=best.actions,
        best_solved=solved[_played(best)],
        ledger=found.ledger.to_json(),
    )


def _text(node: Node) -> tuple[object, bool]:
    """Equal for nodes with the same lines; whether the last was cut counts too."""
    return node.tokens, bool(node.lines)


def _played(node: Node) -> tuple[str, ...]:
    return node.actions[: node.played]


def _cost(node: Node) -> int:
    """Tokens that were generated for a sample, a cut line included."""
    return sum(len(step.written.tokens) for step in node.way if step.written is not None)


# -- The file ----------------------------------------------------------------------------------


def _line(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")


def _write(journal: BinaryIO, lines: Sequence[bytes]) -> None:
    journal.write(b"".join(lines))
    journal.flush()
    os.fsync(journal.fileno())


def _lock(journal: BinaryIO, out: Path) -> None:
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"Another process is at work in {out}; wait for it to end") from error


def _read(path: Path, config: Mapping[str, Any]) -> tuple[list[Sampled], list[int]]:
    """What the file has. A last line without its newline was torn by a kill and does not count.

    Returns:
        The problems that are there, and where the lines end, in bytes; the first is the config's.

    Raises:
        ValueError: samples of something else, or a line that is none of ours.
    """
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    done: list[Sampled] = []
    ends: list[int] = []
    for number, line in enumerate(whole.split(b"\n")[:-1]):
        ends.append(len(line) + 1 + (ends[-1] if ends else 0))
        try:
            value = json.loads(line)
            if number:
                done.append(Sampled.from_json(value, config["samples"]))
                continue
            found = value["config"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number + 1}: {error}") from error
        wanted = json.loads(json.dumps(config))
        different = [key for key in wanted if found.get(key) != wanted[key]]
        if different:
            key = different[0]
            raise ValueError(
                f"{path.parent} holds another study, which differs in {', '.join(different)} "
                f"({key}: {found.get(key)!r:.60} there, {wanted[key]!r:.60} here); choose a new "
                "folder with --out"
            )
    return done, ends


def _check(done: Sequence[Sampled], items: Sequence[Item], path: Path) -> None:
    """Whether the samples are of the suite's problems."""
    known = [(one.index, one.problem) for one in done]
    if known != [(item.index, item.problem) for item in items]:
        raise ValueError(f"{path}: the problems are not the suite's, one for one and in order")
