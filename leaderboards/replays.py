"""Every recorded episode, played again: what a bundle's score comes from.

Problems come from the suite as it is resolved here; records give nothing but the lines that were
written, what they say about themselves is compared and never used.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from benchmarks.records import EpisodeRecord, total
from benchmarks.replay import Outcome, ReplayError, play
from benchmarks.suite import Item, make_env
from leaderboards import strict
from leaderboards.claims import Claim
from leaderboards.files import EPISODES
from leaderboards.privacy import no_secrets, of_episode
from leaderboards.strict import Refused, shown
from reason_env import ReasonEnv, RewardTerms, lines
from reason_env.tokenizer import EOS
from reason_env.tokens import GIVE_UP

TRANSCRIPTS = 3
"""Kept of solved and of unsolved episodes each."""
_TRANSCRIPT_CHARS = 2000
_PATIENCE = (4.0, 0.2)
"""Seconds for a bundle, and for each of the suite's episodes, until it is taken for an attack:
some fifty times what honest ones take. One episode always ends, but thousands that each run into
the limit of a worker (5 s, and another one starts) would take hours."""


class Report(Protocol):
    """Takes note of a discrepancy; may raise to end the verification."""

    def __call__(self, code: str, detail: str, where: str) -> None: ...


Note = Callable[[str, str], None]
"""The same for one episode: code and detail."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One episode as it was replayed; printable ASCII and newlines only."""

    index: int
    solved: bool
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """The score on one environment of the suite at one level."""

    name: str
    episodes: int
    solved: int

    @property
    def family(self) -> str:
        """The environment without its level."""
        return self.name.partition(" level ")[0]


@dataclass(frozen=True, slots=True)
class Replayed:
    """All episodes of a suite, played again.

    Attributes:
        solved: for each episode of the suite, in its order.
        unfinished, errors: how many episodes, recomputed.
        ledger: sum of the recorded ledgers.
        oracle: whether something read the verifier.
        parts: the score by environment.
        transcripts: a few episodes.
        actions: sha256 over all lines of all episodes: equal for copied submissions.
    """

    solved: tuple[bool, ...]
    unfinished: int
    errors: int
    ledger: dict[str, int]
    oracle: bool
    parts: tuple[Part, ...]
    transcripts: tuple[Transcript, ...]
    actions: str


def replay_all(recorded: Iterable[bytes], claim: Claim, report: Report) -> Replayed:
    """Play the lines of `episodes.jsonl` again.

    An episode that is missing, or of which anything is wrong, is reported and counts as not
    solved.
    """
    items = claim.problems.items
    envs = _Environments()
    played: dict[int, tuple[EpisodeRecord, Outcome]] = {}
    transcripts: dict[bool, list[Transcript]] = {True: [], False: []}
    seconds = _PATIENCE[0] + _PATIENCE[1] * len(items)
    deadline = time.monotonic() + seconds
    for number, line in enumerate(recorded, 1):
        where = f"{EPISODES}, line {number}"
        if time.monotonic() > deadline:
            raise Refused(
                "too-slow",
                f"{where}: what came before took over {seconds:g} s to replay; if the machine was "
                "busy, try again",
            )
        try:
            record = parse(line)
        except Refused as error:
            report(error.code, error.detail, where)
            continue
        if record.index in played:
            report("duplicate-episode", f"episode {record.index} was there before", where)
            continue
        if not 0 <= record.index < len(items):
            detail = f"episode {record.index} is not in the suite of {len(items)}"
            report("extra-episode", detail, where)
            continue
        item = items[record.index]
        env = envs.of(item)
        outcome = _episode(record, item, env, claim, partial(report, where=where))
        # Token ids are most of a bundle, and needed no more.
        played[item.index] = (replace(record, tokens=()), outcome)
        kept = transcripts[outcome.solved]
        if len(kept) < TRANSCRIPTS and record.actions:
            text = env.episode.text[:_TRANSCRIPT_CHARS]
            kept.append(Transcript(item.index, outcome.solved, text))
    for item in items:
        if item.index not in played:
            report("missing-episode", f"episode {item.index} is missing", EPISODES)
    return _sum_up(items, envs, played, (*transcripts[True], *transcripts[False]))


class _Environments:
    """One environment for each entry of the suite."""

    def __init__(self) -> None:
        self._envs: dict[str, ReasonEnv] = {}

    def of(self, item: Item) -> ReasonEnv:
        key = item.env + json.dumps(item.kwargs, sort_keys=True)
        if key not in self._envs:
            self._envs[key] = make_env(item.env, item.kwargs)
        return self._envs[key]


def parse(line: bytes) -> EpisodeRecord:
    """A line of `episodes.jsonl`, read strictly.

    Raises:
        Refused: names the rule that is broken.
    """
    value = strict.loads(line, "episode")
    try:
        record = EpisodeRecord.from_json(value)
    except (ValueError, TypeError) as error:
        raise Refused("wrong-type", shown(str(error), 200)) from None
    # An accepted bundle is published as it is.
    no_secrets(of_episode(record), "episode")
    return record


def _episode(
    record: EpisodeRecord,
    item: Item,
    env: ReasonEnv,
    claim: Claim,
    report: partial[None],
) -> Outcome:
    """Replay one episode; whatever is wrong with it makes it unsolved."""
    wrong: list[str] = []

    def note(code: str, detail: str) -> None:
        wrong.append(code)
        report(code, f"episode {item.index}: {detail}")

    if record.seed != item.seed:
        note("wrong-seed", f"seed {record.seed}, but the suite has {item.seed}")
    # As text: 1 == True == 1.0 in Python, but not in JSON.
    if record.env != item.env or _text(record.kwargs) != _text(dict(item.kwargs)):
        note("wrong-environment", f"{shown(record.env)} with other settings than the suite's")
    if record.problem != item.problem:
        note("wrong-problem", "its problem is not the suite's")
    item.start(env)
    nothing = Outcome(item.problem, RewardTerms(), 0.0, False, "unfinished", 0)
    try:
        outcome = play(env, record.actions)
    except ReplayError as error:
        code = "steps-after-end" if "after the episode" in str(error) else "not-a-line"
        note(code, str(error))
        return nothing
    except Exception as error:  # a line that breaks the environment must not break the verifier
        note("replay-failed", f"{type(error).__name__} while replaying: {shown(str(error))}")
        return nothing
    _check_status(record, outcome, note)
    _check_score(record, outcome, note)
    _check_budget(record, env, claim, note)
    return nothing if wrong else outcome


def _check_status(record: EpisodeRecord, outcome: Outcome, note: Note) -> None:
    if record.status == "error":
        if record.actions or not record.error:
            note("wrong-status", "an episode with status error has a reason and no lines")
    elif record.error is not None:
        note("wrong-status", f"an error is given, but the status is {record.status!r}")
    elif record.status == "ok" and outcome.ended == "unfinished":
        note("cut-short", "its lines stop before the episode ends, but its status is 'ok'")
    elif record.status == "unfinished" and outcome.ended != "unfinished":
        note("wrong-status", f"its status is 'unfinished', but it {outcome.ended}")


def _check_score(record: EpisodeRecord, outcome: Outcome, note: Note) -> None:
    if record.solved != outcome.solved:
        said, found = ("solved" if s else "not solved" for s in (record.solved, outcome.solved))
        note("forged-score", f"recorded as {said}, but replay gives {found}")
    terms = outcome.terms.to_json()
    if set(record.terms) != set(terms):
        note("wrong-type", f"its reward terms are not {', '.join(terms)}")
        return
    # Equal but for the last bits, which differ between mathematics libraries.
    for name, value in {**terms, "reward": outcome.reward}.items():
        given = record.reward if name == "reward" else record.terms[name]
        if not math.isclose(given, value, rel_tol=0, abs_tol=1e-9):
            note("forged-score", f"{name} recorded as {given:g}, but replay gives {value:g}")


def _check_budget(record: EpisodeRecord, env: ReasonEnv, claim: Claim, note: Note) -> None:
    """Whether the recorded ids are the lines, and the ledger has room for them."""
    if len(record.tokens) != len(record.actions):
        note("wrong-tokens", f"{len(record.tokens)} token lists for {len(record.actions)} lines")
        return
    for place, (action, ids) in enumerate(zip(record.actions, record.tokens), 1):
        if not _same(env, action, ids):
            note("wrong-tokens", f"the token ids of line {place} do not spell that line")
            return
    own = sum(map(len, record.tokens))
    generated = record.ledger["generated_tokens"]
    if generated < own:
        note("under-reported", f"{generated} generated tokens, but its own lines have {own}")
    if claim.budget_tokens is not None and generated > claim.budget_tokens:
        note("over-budget", f"{generated} generated tokens of {claim.budget_tokens} declared")


def _same(env: ReasonEnv, action: str, ids: tuple[int, ...]) -> bool:
    """Whether token ids spell a line, with or without its newline."""
    try:
        text = env.tokenizer.decode(ids)
    except ValueError:
        return False
    written = lines.normalise(action).replace(lines.OUTSIDE, "?")
    # An agent that stops writing has in effect written an empty answer.
    if EOS in ids and action == GIVE_UP and text == "":
        return True
    return bool(ids) and text.removesuffix("\n") == written


def _text(kwargs: object) -> str:
    return json.dumps(kwargs, sort_keys=True)


def _sum_up(
    items: tuple[Item, ...],
    envs: _Environments,
    played: dict[int, tuple[EpisodeRecord, Outcome]],
    transcripts: tuple[Transcript, ...],
) -> Replayed:
    solved = tuple(i.index in played and played[i.index][1].solved for i in items)
    parts: dict[str, list[bool]] = defaultdict(list)
    actions = hashlib.sha256()
    oracle = False
    for item, right in zip(items, solved):
        level = item.kwargs.get("level", 1)
        name = f"{item.env.removeprefix('reason_env/')} level {level}"
        parts[name].append(right)
        if item.index in played:
            record, _ = played[item.index]
            actions.update(json.dumps([item.problem, *record.actions]).encode())
            oracle |= record.division == "oracle"
            # Where the prompt alone does not let anyone check, a verifier call reads the answer.
            public = envs.of(item).task.public_verifier
            oracle |= record.ledger["verifier_calls"] > 0 and not public
    found = [record for record, _ in played.values()]
    return Replayed(
        solved=solved,
        unfinished=sum(record.status == "unfinished" for record in found),
        errors=sum(record.status == "error" for record in found),
        ledger=total(record.ledger for record in found),
        oracle=oracle,
        parts=tuple(Part(name, len(right), sum(right)) for name, right in parts.items()),
        transcripts=transcripts,
        actions=actions.hexdigest(),
    )
