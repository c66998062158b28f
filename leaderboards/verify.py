"""Is this bundle's score earned? Every recorded action is replayed, nothing else is believed.

    result = verify("bundle.tar.gz")
    result.accepted, result.score.accuracy, [str(d) for d in result.discrepancies]

Replay proves that the recorded actions earn the score. It does not prove that the agent chose
them: a person or an oracle could have. That is what the tier says: `replayed` is the lowest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.findings import Finding
from benchmarks.metrics import Estimate, wilson
from leaderboards.bundle import Manifest, Submitter, code_hash
from leaderboards.claims import Claim, read_claim
from leaderboards.decisions import REPLAYED
from leaderboards.files import EPISODES, MANIFEST, RUN, Seen, members
from leaderboards.privacy import no_secrets
from leaderboards.replays import Part, Replayed, Transcript, replay_all
from leaderboards.rounds import ROUNDS
from leaderboards.strict import Refused, shown

MAX_DISCREPANCIES = 50
"""No more are collected: one is enough to refuse."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the replay gives.

    Attributes:
        episodes: as many as the suite has, whatever was sent.
        accuracy: fraction solved, with Wilson's 95 % interval.
        tokens: generated tokens per problem, as declared and at least the tokens of the lines
            that were replayed.
        parts: by environment and level.
    """

    episodes: int
    solved: int
    unfinished: int
    errors: int
    accuracy: Estimate
    tokens: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What verification found.

    Attributes:
        discrepancies: why it is refused; none: it is accepted.
        notes: what people should know all the same.
        submitter, suite, suite_hash, player, model_digest, strategy, options, budget_tokens,
            label: what the bundle says, checked to be safe to show; only `suite` and
            `suite_hash` are checked to be true.
        division: `open`, or `oracle` if something read the verifier; decided here.
        tier: how far this has been checked.
        score: recomputed; None where the bundle could not be read to its end.
        environment_code: `code_hash()` of the environments that replayed it.
        bundle: sha256 of the bundle's manifest, and so of all of it.
        actions: sha256 of everything the agent wrote; equal for copies.
        transcripts: a few episodes.
    """

    discrepancies: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    submitter: Submitter = Submitter("")  # noqa: RUF009  (frozen)
    suite: str = ""
    suite_hash: str = ""
    comparable: str = ""
    round: str = ""
    commitment: str = ""
    player: str = ""
    model_digest: str | None = None
    strategy: str = ""
    options: str = ""
    budget_tokens: int | None = None
    label: str = ""
    division: str = "open"
    tier: str = REPLAYED
    score: Score | None = None
    environment_code: str = ""
    bundle: str = ""
    actions: str = ""
    transcripts: tuple[Transcript, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.discrepancies and self.score is not None


class _Enough(Exception):
    """As many discrepancies as anyone will read."""


class _Log:
    def __init__(self) -> None:
        self.found: list[Finding] = []

    def report(self, code: str, detail: str, where: str) -> None:
        self.found.append(Finding(code, where, detail))
        if len(self.found) >= MAX_DISCREPANCIES:
            raise _Enough


def verify(path: str | Path, rounds: str | Path = ROUNDS) -> Result:
    """Check a bundle and recompute its score.

    Args:
        rounds: folder of the sealed rounds.
        path: directory or `.tar.gz`. Everything in it may be hostile: it is read once, forward,
            within limits, and nothing of it is written anywhere.

    Returns:
        The result; a bad bundle never raises.

    Raises:
        FileNotFoundError: there is nothing at `path`.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"No bundle at {path}")
    log = _Log()
    try:
        return _verify(Path(path), Path(rounds), log)
    except Refused as error:
        log.found.append(Finding(error.code, "", error.detail))
    except _Enough:
        detail = f"stopped after {MAX_DISCREPANCIES} discrepancies"
        log.found.append(Finding("too-many", "", detail))
    return Result(tuple(log.found))


def _verify(path: Path, rounds: Path, log: _Log) -> Result:
    files = members(path)
    head = next(files).whole()
    manifest = Manifest.from_bytes(head)
    run = next(files)
    told = run.whole()
    claim = read_claim(told, rounds)
    _check_committed(claim, manifest.submitter, log)
    # An accepted bundle is published as it is.
    no_secrets([json.loads(head), json.loads(told)], f"{MANIFEST} or {RUN}")
    _compare(manifest, RUN, run.finish(), log)
    episodes = next(files)
    replayed = replay_all(episodes.lines(), claim, log.report)
    _compare(manifest, EPISODES, episodes.finish(), log)
    # On to the bundle's end, where an archive may hide more.
    for _ in files:
        pass
    _compare_claims(claim, replayed, log)
    score = _score(replayed)
    here = code_hash()
    return Result(
        discrepancies=tuple(log.found),
        notes=_notes(manifest, claim, here),
        submitter=manifest.submitter,
        suite=claim.suite,
        suite_hash=claim.problems.hash,
        comparable=claim.comparable,
        round="" if claim.sealed is None else claim.sealed.round.name,
        commitment="" if claim.sealed is None else claim.sealed.digest,
        player=claim.player,
        model_digest=claim.model_digest,
        strategy=claim.strategy,
        options=claim.options,
        budget_tokens=claim.budget_tokens,
        label=claim.label,
        division="oracle" if claim.oracle or replayed.oracle else "open",
        score=score,
        environment_code=here,
        bundle=hashlib.sha256(head).hexdigest(),
        actions=replayed.actions,
        transcripts=replayed.transcripts,
    )


def _compare(manifest: Manifest, name: str, seen: Seen, log: _Log) -> None:
    said = manifest.files[name]
    if said != seen:
        log.report(
            "wrong-hash",
            f"{seen.bytes} bytes, sha256 {seen.sha256[:12]}...; the manifest says "
            f"{said.bytes} bytes, {said.sha256[:12]}...",
            name,
        )


def _compare_claims(claim: Claim, replayed: Replayed, log: _Log) -> None:
    """The totals in run.json: not used, but whoever sends false ones is refused."""
    found = {
        "episodes": len(replayed.solved),
        "solved": sum(replayed.solved),
        "unfinished": replayed.unfinished,
        "errors": replayed.errors,
    }
    for name, number in found.items():
        if claim.counts[name] != number:
            detail = f"{name} is {claim.counts[name]}, but replay gives {number}"
            log.report("forged-score", detail, RUN)
    for name, number in replayed.ledger.items():
        if claim.ledger[name] != number:
            detail = f"{name} is {claim.ledger[name]}, but the episodes add up to {number}"
            log.report("forged-ledger", detail, RUN)


def _score(replayed: Replayed) -> Score:
    episodes, solved = len(replayed.solved), sum(replayed.solved)
    return Score(
        episodes,
        solved,
        replayed.unfinished,
        replayed.errors,
        wilson(solved, episodes),
        replayed.ledger["generated_tokens"] / episodes,
        replayed.parts,
    )


def _check_committed(claim: Claim, submitter: Submitter, log: _Log) -> None:
    """Whether it was this submitter who committed to the player of a sealed round."""
    if claim.sealed is None:
        return
    names = [line.submitter for line in claim.sealed.round.committed(claim.sealed.digest)]
    if submitter.name not in names:
        detail = f"{shown(submitter.name)} did not commit to this player, but {shown(names)} did"
        log.report("not-committed", detail, MANIFEST)


def _notes(manifest: Manifest, claim: Claim, here: str) -> tuple[str, ...]:
    notes = []
    if manifest.environment_code != here:
        notes.append(
            f"packed with other environment code ({manifest.environment_code[:12]}..., here "
            f"{here[:12]}...); the score is what the code here gives"
        )
    if claim.sealed is not None:
        tries = claim.sealed.round.tries()[manifest.submitter.name]
        if tries > 1:
            notes.append(
                f"one of {tries} players that {manifest.submitter.name} committed to in this round"
            )
    return tuple(notes)
