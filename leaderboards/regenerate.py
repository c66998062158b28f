"""Did this model write these lines? Recorded episodes are generated again, token by token.

    regenerate("bundle.tar.gz", Source("org/model")).tier        # "spot-regenerated"

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
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.models import is_server
from benchmarks.findings import Finding
from benchmarks.records import EpisodeRecord
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
from leaderboards.generation import Difference, Source, differences
from leaderboards.replays import parse
from leaderboards.rounds import ROUNDS
from leaderboards.strict import Refused
from leaderboards.verify import MAX_DISCREPANCIES, Result, verify

SAMPLE = 200
"""Episodes drawn: if one in thirty was written otherwise, that is caught with 96 %."""
MAY_DIFFER = {"lines": 0.01, "search": 0.05}
"""Share of a model's episodes that may differ, rounded down: in what was written, and in what the
search for it spent. Of 300 honest ones, in batches of 40 and of 128, MCTS had 0 and 7."""


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
        found = list(_until_refused(differences(claim, records, source, drawn), source, drawn))
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


def _until_refused(
    found: Iterable[Difference], source: Source, drawn: Sequence[int]
) -> Iterator[Difference]:
    """The differences, but no more than anyone will read of too many."""
    seen: list[Difference] = []
    for difference in found:
        seen.append(difference)
        yield difference
        if len(seen) >= MAX_DISCREPANCIES and _too_many(seen, source, drawn):
            return


def _too_many(found: Sequence[Difference], source: Source, drawn: Sequence[int]) -> bool:
    """Whether more differs than rounding explains; an agent of ours has nothing to round."""
    kinds = Counter(difference.kind for difference in found)
    if source.agent is not None:
        return bool(found)
    return any(kinds[kind] > int(share * len(drawn)) for kind, share in MAY_DIFFER.items())
