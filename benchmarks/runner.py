"""Runs a suite, and goes on where a killed run stopped.

    run = run_suite("smoke", "runs/smoke", model="models/tiny", strategy="mcts")

Calling it again with the same arguments completes an interrupted run to the same bytes, or gives
back a finished one. Episodes are played in the suite's order, in chunks that change nothing but
the speed; every score is what the replay of the recorded lines gives.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from agents.agent import load_agent
from benchmarks.environment import capture
from benchmarks.players import (
    Played,
    Player,
    Searcher,
    agent_player,
    defaults_of,
    describe,
    load_writer,
    source_of,
)
from benchmarks.progress import bar
from benchmarks.records import (
    EPISODES,
    LEDGER,
    RUN,
    EpisodeRecord,
    Manifest,
    Run,
    load_run,
    read_episodes,
    total,
    write_manifest,
)
from benchmarks.replay import Outcome, play
from benchmarks.suite import Item, Resolved, Suite, load_suite, make_env, resolve
from reason_env import RewardTerms
from reason_env.splits import stream_seed

if TYPE_CHECKING:
    from agents.models import LanguageModel
    from agents.models.server import ServerConfig

CHUNK = 64
"""Problems searched at once."""


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
    seed: int = 0,
    label: str = "",
    chunk: int = CHUNK,
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
        seed: of all sampling; the problems follow from the suite alone.
        label: the stage this run stands for in reports.
        chunk: problems searched at once; more is faster and needs more memory.
        progress: show a progress bar.
        server: how the model's server is asked, if it is behind one.

    Raises:
        ValueError: a bad argument, or a folder that holds another run (nothing is overwritten).
    """
    if (model is None) == (agent is None):
        raise ValueError("A run needs a model or an agent, and not both")
    if agent is not None and (
        budget_tokens is not None or options or guide or reward_model or server
    ):
        raise ValueError(
            "Budget, strategy options, guide, reward model and server settings are for models, "
            "not for agents"
        )
    for name, number in (("budget_tokens", budget_tokens), ("chunk", chunk)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be 1 or more, received {number}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, received {seed}")
    problems = _drawn(suite, limit)
    config: dict[str, Any] = {
        "suite": problems.suite.to_json(),
        "limit": problems.limit,
        "suite_hash": problems.hash,
        "model_digest": None,
        "strategy": None,
        "options": {},
        "agent": agent,
        "budget_tokens": None,
        "seed": seed,
    }
    defaults: dict[str, Any] = {}
    if agent is not None:
        path, player = None, agent_player(load_agent(agent))
    else:
        assert model is not None
        defaults = defaults_of(strategy, options or {})  # a typo need not wait for the weights
        budget = problems.suite.budget_tokens if budget_tokens is None else budget_tokens
        path, loaded = source_of(model), load_writer(model, server)
        critic = None if reward_model is None else load_writer(reward_model)
        player = Searcher(loaded, strategy, options or {}, budget, guide, critic)
        player.check(problems.items)
        config |= {
            "model_digest": loaded.digest,
            "strategy": strategy,
            "options": {
                **(options or {}),
                **({"guide": guide} if guide else {}),
                **({"reward_model": critic.digest[:12]} if critic else {}),
            },
            "budget_tokens": budget,
        }
    manifest = Manifest(config, label, path, len(problems.items), capture(), defaults)
    return execute(problems, player, Path(out), manifest, chunk, progress)


def _drawn(suite: str | Path | Suite | Resolved, limit: int | None) -> Resolved:
    if not isinstance(suite, Resolved):
        return resolve(suite if isinstance(suite, Suite) else load_suite(suite), limit)
    if limit is not None:
        raise ValueError(
            f"limit {limit} is for a suite whose problems are not drawn yet: give it to resolve"
        )
    return suite


def execute(
    problems: Resolved,
    player: Player,
    out: Path,
    manifest: Manifest,
    chunk: int = CHUNK,
    progress: bool = True,
) -> Run:
    """Play the problems that the run folder does not have yet (see `run_suite`)."""
    started = time.monotonic()
    _refuse_strangers(out)
    with (out / EPISODES).open("ab") as journal:
        _lock(journal, out)
        done, size = read_episodes(out / EPISODES)
        manifest = _claim(out, Manifest.from_json(json.loads(json.dumps(manifest.to_json()))), done)
        _check(done, problems, out)
        if manifest.status == "done" and len(done) == len(problems.items):
            return load_run(out)
        journal.truncate(size)  # a line torn by a kill
        records = list(done)
        write_manifest(out, replace(manifest, status="running"))
        with bar(problems.suite.name, manifest, records, progress) as advance:
            for start in range(len(records), len(problems.items), chunk):
                items = problems.items[start : start + chunk]
                seeds = [_seed(manifest.config["seed"], item) for item in items]
                for item, played in zip(items, player(items, seeds), strict=True):
                    record = score(item, played)
                    journal.write(record.to_line().encode("ascii"))
                    journal.flush()
                    records.append(record)
                    advance(record)
                os.fsync(journal.fileno())
        finished = replace(
            manifest,
            status="done",
            seconds=round(manifest.seconds + time.monotonic() - started, 3),
            solved=sum(record.solved for record in records),
            unfinished=sum(record.status == "unfinished" for record in records),
            errors=sum(record.status == "error" for record in records),
            ledger=total(record.ledger for record in records),
        )
        write_manifest(out, finished)
    return Run(out, finished, tuple(records))


def score(item: Item, played: Played) -> EpisodeRecord:
    """The record of an episode: what was played, and what its replay is worth."""
    actions, tokens, error = played.actions, played.tokens, played.error
    if error is None:
        try:
            env = make_env(item.env, item.kwargs)
            env.reset(seed=item.seed)
            outcome = play(env, actions)
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


def _seed(seed: int, item: Item) -> int:
    # From the problem, not from its place: a problem is sampled alike in every suite.
    return stream_seed("search", seed, item.problem)


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


def _claim(out: Path, manifest: Manifest, done: tuple[EpisodeRecord, ...]) -> Manifest:
    """The manifest to go on with: that in the folder, or a new one.

    Raises:
        ValueError: the folder holds another run.
    """
    if not (out / RUN).exists():
        return manifest
    old = load_run(out, complete=False).manifest
    wanted, found = _identity(manifest), _identity(old)
    different = [key for key in wanted if found.get(key) != wanted[key]]
    if different and not done:
        return manifest  # a run that failed at once has nothing to lose
    if different:
        raise ValueError(
            f"{out} holds another run, which differs in {', '.join(different)} "
            f"({different[0]}: {found.get(different[0])!r:.60} there, "
            f"{wanted[different[0]]!r:.60} here); choose a new folder with --out"
        )
    under = old.resumed_under
    if old.status != "done" and manifest.environment not in (old.environment, *under):
        under = (*under, manifest.environment)
    return replace(old, resumed_under=under)


def _identity(manifest: Manifest) -> dict[str, Any]:
    """What two sessions of one run have in common."""
    return {**manifest.config, "defaults": manifest.defaults}


def _lock(journal: BinaryIO, out: Path) -> None:
    """Two runs on one folder would interleave; the lock goes when the process does."""
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"Another process is running in {out}; wait for it to end") from error


def _check(done: tuple[EpisodeRecord, ...], problems: Resolved, out: Path) -> None:
    """Whether the recorded episodes are the suite's."""
    if len(done) > len(problems.items):
        raise ValueError(f"{out / EPISODES} has more episodes than the suite")
    for record, item in zip(done, problems.items):
        if (record.seed, record.problem) != (item.seed, item.problem):
            raise ValueError(f"{out / EPISODES}: episode {item.index} is not the suite's")
