"""Runs a suite, and goes on where a killed run stopped.

    run = run_suite("smoke", "runs/smoke", model="models/tiny", strategy="mcts")

Calling it again with the same arguments completes an interrupted run to the same bytes, or gives
back a finished one. Episodes are played in chunks, by one process or by many (`executor`), which
changes nothing but the speed; every score is what the replay of the recorded lines gives.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environment import capture
from benchmarks.executors import EXECUTORS, Executor, local
from benchmarks.players import Played, Player, PlayerSpec, describe, source_of
from benchmarks.preparation import check_arguments, drawn, prepare, search_seed, shard_of
from benchmarks.progress import bar
from benchmarks.records import LEDGER, EpisodeRecord, Manifest, total
from benchmarks.replay import Outcome, play
from benchmarks.run_folder import (
    AHEAD,
    EPISODES,
    RUN,
    Journal,
    Run,
    load_run,
    read_manifest,
    write_manifest,
)
from benchmarks.suite import Item, Resolved, Suite
from reason_env import RewardTerms
from reason_env.errors import choose

if TYPE_CHECKING:
    from agents.models import LanguageModel
    from agents.models.server_config import ServerConfig

CHUNK = 64
"""Problems searched at once."""
TREES = 3
"""Search trees kept of so many episodes of each entry of the suite."""


def run_suite(
    suite: str | Path | Suite | Resolved,
    out: str | Path,
    *,
    model: str | Path | LanguageModel | None = None,
    strategy: str = "greedy",
    options: Mapping[str, Any] | None = None,
    guide: str | None = None,
    reward_model: str | Path | LanguageModel | None = None,
    agent: str | None = None,
    budget_tokens: int | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    prompt: str | None = None,
    line_tokens: int | None = None,
    seed: int = 0,
    label: str = "",
    chunk: int = CHUNK,
    trees: int = TREES,
    executor: str = "local",
    workers: int | None = None,
    progress: bool = True,
    server: ServerConfig | None = None,
) -> Run:
    """Play a suite into a run folder.

    Args:
        suite: name, path of a JSON file, a `Suite`, or its problems, which take a while to draw.
        out: run folder: new, empty, or of the same run (which then goes on).
        model: directory, hub id or address of a server (`http://HOST:PORT/v1#MODEL`), or a model
            loaded already. Either this or `agent`.
        strategy: how the model searches, and `options`: its settings.
        guide: who values what the search finds (`agents.search.guides`); None: the best open one.
        reward_model: serves the guides `value` and `prm`; None: the model itself.
        agent: `random`, `expert` or `package.module:make`.
        budget_tokens: generated tokens per problem; None: the suite's own budget.
        limit: at most so many episodes of each of the suite's entries; problems have their own.
        shard: `(i, n)`: only every n-th episode from the i-th on, from 1; `benchmarks.merge` makes
            one run of all shards.
        prompt: how problems are put, `compact` or `verbose`; None: as the suite has it.
        line_tokens: most tokens of a line; None: as the suite has it, else 64.
        seed: of all sampling; the problems follow from the suite alone.
        label: the stage this run stands for in reports.
        chunk: problems searched at once; more is faster and needs more memory.
        trees: search trees kept of so many episodes of each entry, for reports.
        executor: `local`, or `ray`: on a cluster.
        workers: of a cluster; None: as many as there is room for.
        progress: show a progress bar.
        server: how the model's server is asked, if it is behind one.

    Raises:
        ValueError: a bad argument, or a folder that holds another run (nothing is overwritten).
    """
    asked = PlayerSpec(
        model,
        strategy,
        options or {},
        budget_tokens,
        guide,
        reward_model,
        agent,
        prompt,
        server,
        line_tokens,
    )
    check_arguments(asked, chunk=chunk, trees=trees, seed=seed, workers=workers)
    choose(executor, EXECUTORS, "executor")
    problems = drawn(suite, limit)
    spec = asked.within(problems.suite)
    player, config, defaults = prepare(spec, problems, seed)
    manifest = Manifest(
        config=config,
        label=label,
        model=source_of(model),
        episodes=len(shard_of(problems, shard)),
        environment=capture(agent),
        defaults=defaults,
        shard=shard,
    )
    make = EXECUTORS[executor](spec, player, workers)
    return execute(problems, player, Path(out), manifest, chunk, progress, make, trees)


def execute(
    problems: Resolved,
    player: Player,
    out: Path,
    manifest: Manifest,
    chunk: int = CHUNK,
    progress: bool = True,
    executor: Executor | None = None,
    trees: int = TREES,
) -> Run:
    """Play the problems that the run folder does not have yet (see `run_suite`)."""
    started = time.monotonic()
    _refuse_strangers(out)
    items = {index: problems.items[index] for index in manifest.indices}
    asked = Manifest.from_json(json.loads(json.dumps(manifest.to_json())))
    _claim(out, asked)
    with Journal(out, asked.indices) as journal:
        manifest = _claim(out, asked)  # again, now that nobody else writes there
        _check([*journal.done, *journal.ahead], items, out)
        if manifest.status == "done" and len(journal.done) == len(items):
            return load_run(out)
        journal.catch_up()
        manifest = replace(manifest, status="running")
        write_manifest(out, manifest)
        todo = [(items[i], search_seed(manifest.config["seed"], items[i])) for i in journal.missing]
        chunks = [todo[start : start + chunk] for start in range(0, len(todo), chunk)]
        kept = _with_trees(problems.items, trees)  # of the suite: shards keep what the whole does
        have = [*journal.done, *journal.ahead]
        with bar(problems.suite.name, manifest, have, progress) as advance:
            for batch in (executor or local(player))(chunks, kept):
                for item, played in batch.pairs:
                    record = score(item, played)
                    tree = played.tree if item.index in kept else None
                    journal.add(record, None if tree is None else tree.to_json())
                    advance(record)
                journal.sync()
                if batch.usage:
                    manifest = replace(manifest, usage=add_usage(manifest.usage, batch.usage))
                    write_manifest(out, manifest)
        records = tuple(journal.done)
        finished = replace(
            manifest,
            status="done",
            seconds=round(manifest.seconds + time.monotonic() - started, 3),
            **counts(records),
        )
        journal.finish(lambda: write_manifest(out, finished))
    return Run(out, finished, records)


def score(item: Item, played: Played) -> EpisodeRecord:
    """The record of an episode: what was played, and what its replay is worth."""
    actions, tokens, error = played.actions, played.tokens, played.error
    if error is None:
        try:
            outcome = play(item.start(), actions)
        except Exception as problem:
            error = describe(problem)
    if error is not None:
        actions, tokens = (), ()
        outcome = Outcome(item.problem, RewardTerms(), 0.0, False, "unfinished", 0)
    ledger = played.ledger
    return EpisodeRecord(
        index=item.index,
        env=item.env,
        kwargs=item.kwargs,
        seed=item.seed,
        problem=item.problem,
        actions=tuple(actions),
        tokens=tuple(tuple(int(token) for token in line) for line in tokens),
        terms=outcome.terms.to_json(),
        reward=outcome.reward,
        solved=outcome.solved,
        status="error" if error else "unfinished" if outcome.ended == "unfinished" else "ok",
        error=error,
        ledger={key: int(ledger.get(key, 0)) for key in LEDGER},
        division="oracle" if played.oracle else "open",
    )


def counts(records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """A manifest's totals."""
    return {
        "solved": sum(record.solved for record in records),
        "unfinished": sum(record.status == "unfinished" for record in records),
        "errors": sum(record.status == "error" for record in records),
        "ledger": total(record.ledger for record in records),
    }


def identity(manifest: Manifest) -> dict[str, Any]:
    """What two sessions of one run have in common."""
    return {**manifest.config, "defaults": manifest.defaults, "shard": manifest.shard}


def add_usage(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Usage of two sessions: numbers add up, of anything else the later counts. A cost that is not
    known (None) stays unknown."""
    added = dict(one)
    for key, value in two.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if key not in one or not (number or value is None):
            added[key] = value
        else:
            added[key] = None if value is None or one[key] is None else one[key] + value
    return added


def _with_trees(items: Collection[Item], trees: int) -> frozenset[int]:
    """Indices of the episodes whose search tree is kept: the first of each entry."""
    groups: dict[str, list[int]] = {}
    for item in items:
        groups.setdefault(item.env + json.dumps(item.kwargs, sort_keys=True), []).append(item.index)
    return frozenset(index for group in groups.values() for index in group[:trees])


def _refuse_strangers(out: Path) -> None:
    """Make the folder; one with other things in it is not for a run.

    Raises:
        ValueError: the folder holds something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    journal = out / EPISODES
    present = {path.name for path in out.iterdir()} - {f".{RUN}.tmp"}
    if journal.exists() and journal.stat().st_size == 0:
        present.discard(EPISODES)  # killed before anything was played
    if present and RUN not in present:
        raise ValueError(
            f"{out} is not empty and holds no run ({', '.join(sorted(present)[:3])}); "
            "choose a new folder with --out"
        )


def _claim(out: Path, manifest: Manifest) -> Manifest:
    """The manifest to go on with: that in the folder, or a new one.

    Raises:
        ValueError: the folder holds another run.
    """
    if not (out / RUN).exists():
        return manifest
    old = read_manifest(out)
    wanted, found = identity(manifest), identity(old)
    different = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
    played = [name for name in (EPISODES, AHEAD) if (out / name).exists()]
    if different and not any((out / name).stat().st_size for name in played):
        return manifest  # a run that failed at once has nothing to lose
    if different:
        raise ValueError(
            f"{out} holds another run, which differs in {', '.join(different)} "
            f"({different[0]}: {found.get(different[0])!r:.60} there, "
            f"{wanted.get(different[0])!r:.60} here); choose a new folder with --out"
        )
    under = old.resumed_under
    if old.status != "done" and manifest.environment not in (old.environment, *under):
        under = (*under, manifest.environment)
    return replace(old, resumed_under=under)


def _check(found: Sequence[EpisodeRecord], items: Mapping[int, Item], out: Path) -> None:
    """Whether the recorded episodes are the suite's."""
    for record in found:
        item = items[record.index]
        if (record.seed, record.problem) != (item.seed, item.problem):
            raise ValueError(f"{out / EPISODES}: episode {item.index} is not the suite's")
