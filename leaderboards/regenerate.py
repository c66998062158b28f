"""Did this model write these lines? Recorded episodes are generated again, token by token.

    regenerate("bundle.tar.gz", model="org/model").tier        # "spot-regenerated"

Replay proves that lines earn a score, not who chose them. This does, for the episodes it draws:
the published weights have the digest that the run names, and with the run's strategy, settings and
seeds they write what was recorded.

A sum of floating-point numbers depends on its order, and so on the other problems in a batch, the
processor and the version of torch: at a near tie an honest model writes another token, and a tree
search looks at another line first. A few episodes may therefore differ, and how many is said. On
another kind of processor there may be more: then the answer is "not proved", not "forged".
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from agents.agent import load_agent
from agents.models import is_server
from agents.search import strategy_names
from benchmarks.executors import local
from benchmarks.findings import Finding
from benchmarks.players import Player, PlayerSpec, Searcher, load_writer
from benchmarks.preparation import check_arguments, prepare, search_seed
from benchmarks.records import EpisodeRecord
from benchmarks.runner import CHUNK, score
from leaderboards import strict
from leaderboards.bundle import Manifest
from leaderboards.claims import Claim, read_claim
from leaderboards.decisions import RERUN, SPOT_REGENERATED, Decision, read_log
from leaderboards.entries import (
    BUNDLE,
    ENTRIES,
    NotAccepted,
    decide,
    entry_id,
    folder_of,
    rounds_beside,
)
from leaderboards.files import EPISODES, RUN, members
from leaderboards.replays import parse
from leaderboards.rounds import ROUNDS
from leaderboards.strict import Refused, shown
from leaderboards.verify import MAX_DISCREPANCIES, Result, verify

if TYPE_CHECKING:
    from agents.models.base import Completion, LanguageModel, Tokens

SAMPLE = 200
"""Episodes drawn: if one in thirty was written otherwise, that is caught with 96 %."""
MAY_DIFFER = {"lines": 0.01, "search": 0.05}
"""Share of a model's episodes that may differ, rounded down: in what was written, and in what the
search for it spent. Of 300 honest ones, in batches of 40 and of 128, MCTS had 0 and 7."""
SLACK = 10_000
"""Tokens that an episode may take beyond what is recorded: who claims a huge budget shall not keep
a machine busy for ever."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the operator says wrote a bundle; nothing is loaded because a bundle names it.

    Attributes:
        model: directory or hub id of the published weights, or a model that is loaded already;
            either this or `agent`.
        reward_model: likewise of the model that served the guide, if the run names one.
        agent: `random`, `expert`, or `package.module:make`, which is imported.
    """

    model: str | Path | LanguageModel | None = None
    reward_model: str | Path | LanguageModel | None = None
    agent: str | None = None


class _Difference(NamedTuple):
    """An episode that came out otherwise; `kind` is a key of `MAY_DIFFER`."""

    kind: str
    finding: Finding


def regenerate(
    bundle: str | Path,
    source: Source,
    *,
    sample: int | None = SAMPLE,
    seed: int | None = None,
    rounds: str | Path = ROUNDS,
) -> Result:
    """Verify a bundle, then generate some of its episodes again and compare them.

    Args:
        bundle: directory or `.tar.gz`.
        source: what is to write them.
        sample: so many episodes, drawn at random; None: all of them.
        seed: of the draw. None: a new one, since a submitter who knew it would know which episodes
            to write honestly.
        rounds: folder of the sealed rounds.

    Returns:
        The result, of tier `spot-regenerated` or `rerun` if it is accepted.

    Raises:
        FileNotFoundError: no such bundle or weights.
        ValueError: a bad argument, or weights that cannot be loaded.
    """
    if sample is not None and sample < 1:
        raise ValueError(f"sample must be 1 or more, received {sample}")
    if seed is not None and seed < 0:
        raise ValueError(f"seed must be 0 or more, received {seed}")
    if (source.model is None) == (source.agent is None):
        raise ValueError("Name the model or the agent that wrote the bundle, and not both")
    if source.agent is not None and source.reward_model is not None:
        raise ValueError("A reward model serves a model's guide; the bundle of an agent has none")
    for model in (source.model, source.reward_model):
        if isinstance(model, str) and is_server(model):
            raise ValueError("A server shows no weights: name the folder or hub id of the weights")
    result = verify(bundle, rounds)
    if not result.accepted:
        return result
    seed = secrets.randbits(63) if seed is None else seed
    try:
        claim, records = _read(Path(bundle), Path(rounds), result.bundle)
        drawn = _drawn(len(records), sample, seed)
        found = list(_until_refused(_differences(claim, records, source, drawn), source, drawn))
    except Refused as error:
        return replace(result, discrepancies=(Finding(error.code, "", error.detail),))
    if _too_many(found, source, drawn):
        findings = [difference.finding for difference in found]
        return replace(result, discrepancies=tuple(findings[:MAX_DISCREPANCIES]))
    everything = len(drawn) == len(records)
    kinds = Counter(difference.kind for difference in found)
    said = [f"{kinds[kind]} differ in their {kind}" for kind in MAY_DIFFER if kinds[kind]]
    note = (
        f"{len(drawn):,} of {len(records):,} episodes were generated again, and "
        + (f"{' and '.join(said)}, as rounding may have it" if said else "nothing differs")
        + (
            f": weights {result.model_digest}"
            if source.agent is None
            else f": agent {source.agent}"
        )
        + ("" if everything else f"; they were drawn with seed {seed}")
    )
    tier = RERUN if everything else SPOT_REGENERATED
    return replace(result, tier=tier, notes=(*result.notes, note))


def raise_tier(
    entry: str,
    source: Source,
    entries: str | Path = ENTRIES,
    *,
    sample: int | None = SAMPLE,
    seed: int | None = None,
) -> tuple[Result, Decision]:
    """Generate an entry's episodes again; its new tier goes into the log of decisions.

    Args:
        entry: its id.
        source, sample, seed: as for `regenerate`.
        entries: folder of the entries.

    Raises:
        NotAccepted: something differs; nothing is logged.
        ValueError: no such entry.
        Refused: it has that tier already, or is removed.
    """
    folder = folder_of(entry, entries)
    log = read_log(entries)
    # Before hours of work, not after: whether the highest tier could be logged.
    log.check(Decision(0, "", entry, RERUN, "", ""), str(log.path))
    result = regenerate(
        folder / BUNDLE, source, sample=sample, seed=seed, rounds=rounds_beside(entries)
    )
    if not result.accepted:
        raise NotAccepted(f"Not proved: {result.discrepancies[0]}", result)
    if entry_id(result) != entry:
        raise ValueError(f"{folder} is not an entry: its bundle's id is {entry_id(result)}")
    *_, proved = result.notes
    return result, decide(entry, result.tier, proved, entries)


def _read(bundle: Path, rounds: Path, digest: str) -> tuple[Claim, list[EpisodeRecord]]:
    """The claim and the records, in the suite's order, of a bundle that was accepted.

    Raises:
        Refused: it is not the one that was accepted.
    """
    files = members(bundle)
    head = next(files).whole()
    if hashlib.sha256(head).hexdigest() != digest:
        raise Refused("changed", "the bundle was changed meanwhile")
    manifest = Manifest.from_bytes(head)
    run = next(files)
    claim = read_claim(run.whole(), rounds)
    episodes = next(files)
    records = sorted(map(parse, episodes.lines()), key=lambda record: record.index)
    if manifest.files != {RUN: run.finish(), EPISODES: episodes.finish()}:
        raise Refused("changed", "the bundle was changed meanwhile")
    return claim, records


def _drawn(count: int, sample: int | None, seed: int) -> list[int]:
    """Indices of the episodes to generate."""
    if sample is None or sample >= count:
        return list(range(count))
    return sorted(np.random.default_rng(seed).choice(count, sample, replace=False).tolist())


def _differences(
    claim: Claim, records: Sequence[EpisodeRecord], source: Source, drawn: Sequence[int]
) -> Iterator[_Difference]:
    """What the source writes otherwise than was recorded.

    Raises:
        Refused: the source is another than the run names, or cannot be run as it says.
        FileNotFoundError, ValueError: the source cannot be loaded.
    """
    player, run_seed = _player(claim, source)
    items = [claim.problems.items[index] for index in drawn]
    pairs = [(item, search_seed(run_seed, item)) for item in items]
    chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    if isinstance(player, Searcher):
        most = sum(records[i].ledger["generated_tokens"] + SLACK for i in drawn)
        player = replace(player, model=cast("LanguageModel", _Metered(player.model, most)))
    try:
        for batch in local(player)(chunks, ()):
            for item, played in batch.pairs:
                recorded, again = records[item.index], score(item, played)
                where = f"{EPISODES}, episode {item.index}"
                if detail := _other_lines(recorded, again):
                    yield _Difference("lines", Finding("not-regenerated", where, detail))
                elif detail := _other_field(recorded, again, "ledger"):
                    yield _Difference("search", Finding("not-regenerated", where, detail))
    except Refused:
        raise
    except Exception as error:  # some settings are only looked at here
        raise _cannot_run(error) from error


def _player(claim: Claim, source: Source) -> tuple[Player, int]:
    """The source as the claim says that it was run, and the seed of its sampling."""
    spec, seed = _spec(claim, source)
    try:
        check_arguments(spec, seed=seed)
        player, config, defaults = prepare(spec, claim.problems, seed)
    except Exception as error:  # settings of a stranger
        raise _cannot_run(error) from error
    for what, ours, theirs in (
        ("config", config, claim.config),
        ("defaults", defaults, claim.defaults),
    ):
        for key in sorted({*ours, *theirs} - {"suite"}):
            one, other = theirs.get(key), ours.get(key)
            # As text: 1 == True == 1.0 in Python, but not in JSON.
            if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
                code = "wrong-model" if key in ("model_digest", "agent") else "wrong-settings"
                raise Refused(
                    code,
                    f"{RUN}: {what}.{key} is {shown(one)}, but what was run here has "
                    f"{shown(other)}",
                )
    return player, seed


def _spec(claim: Claim, source: Source) -> tuple[PlayerSpec, int]:
    """The same as a spec; the source is loaded, so that what fails later is the claim's fault."""
    config = claim.config
    named = config["agent"]
    if (named is None) != (source.agent is None):
        played = "a model" if named is None else f"the agent {shown(named)}"
        raise Refused("wrong-model", f"{RUN}: this is a run of {played}")
    seed = strict.whole(config.get("seed"), f"{RUN}: seed")
    if source.agent is not None:
        load_agent(source.agent)
        return PlayerSpec(agent=source.agent, prompt=config.get("prompt")), seed
    options = dict(config["options"])
    guide, critic = options.pop("guide", None), options.pop("reward_model", None)
    if (critic is None) != (source.reward_model is None):
        used = "no reward model" if critic is None else f"a reward model, {shown(critic)}"
        raise Refused("wrong-model", f"{RUN}: this is a run with {used}")
    assert source.model is not None
    return (
        PlayerSpec(
            load_writer(source.model),
            strict.one_of(config["strategy"], f"{RUN}: strategy", strategy_names()),
            options,
            config["budget_tokens"],
            guide,
            None if source.reward_model is None else load_writer(source.reward_model),
            prompt=config.get("prompt"),
            line_tokens=config.get("line_tokens"),
        ).within(claim.problems.suite),  # no run is without the suite's limits
        seed,
    )


class _Metered:
    """A model that stops where an honest run cannot be, whatever the budget."""

    def __init__(self, model: LanguageModel, most: int) -> None:
        self._model, self._most, self._left = model, most, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, prefixes: Sequence[Tokens], **options: Any) -> list[Completion]:
        if len(prefixes) > self._left:  # each takes one at least
            detail = f"{RUN}: run as it says, it takes over {self._most} tokens, {SLACK} an episode"
            raise Refused("not-regenerated", f"{detail} more than it records")
        found = self._model.generate(prefixes, **options)
        self._left -= sum(completion.cost for completion in found)
        return found


def _cannot_run(error: Exception) -> Refused:
    return Refused("cannot-run", f"{RUN}: {type(error).__name__}: {shown(str(error), 200)}")


def _until_refused(
    found: Iterable[_Difference], source: Source, drawn: Sequence[int]
) -> Iterator[_Difference]:
    """The differences, but no more than anyone will read of too many."""
    seen: list[_Difference] = []
    for difference in found:
        seen.append(difference)
        yield difference
        if len(seen) >= MAX_DISCREPANCIES and _too_many(seen, source, drawn):
            return


def _too_many(found: Sequence[_Difference], source: Source, drawn: Sequence[int]) -> bool:
    """Whether more differs than rounding explains; an agent of ours has nothing to round."""
    kinds = Counter(difference.kind for difference in found)
    if source.agent is not None:
        return bool(found)
    return any(kinds[kind] > int(share * len(drawn)) for kind, share in MAY_DIFFER.items())


def _other_lines(recorded: EpisodeRecord, again: EpisodeRecord) -> str:
    """The first thing in which what was written differs; empty if in nothing."""
    for number, (one, other) in enumerate(zip_longest(recorded.tokens, again.tokens), 1):
        for place, (token, other_token) in enumerate(zip_longest(one or (), other or ()), 1):
            if token != other_token:
                return (
                    f"line {number}, token {place}: {_name(token)} recorded, "
                    f"{_name(other_token)} generated"
                )
    fields = ("actions", "status", "division")
    return next(filter(None, (_other_field(recorded, again, name) for name in fields)), "")


def _other_field(recorded: EpisodeRecord, again: EpisodeRecord, name: str) -> str:
    one, other = getattr(recorded, name), getattr(again, name)
    return "" if one == other else f"{name}: {shown(one)} recorded, {shown(other)} generated"


def _name(token: int | None) -> str:
    return "the end" if token is None else str(token)
