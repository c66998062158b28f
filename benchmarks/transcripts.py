"""Episodes to read, line by line: what the replay says of each, never what the record says.

Where the record says something else, the transcript says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from benchmarks.metrics import families
from benchmarks.players import describe
from benchmarks.records import EpisodeRecord
from benchmarks.replay import ReplayError, steps
from benchmarks.run_folder import Run
from benchmarks.suite import make_env, problem_hash
from reason_env import ReasonEnv, RewardTerms

MOST_LINES = 400
"""More lines of an episode are counted and not shown."""
_NOTHING = RewardTerms()


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was replayed.

    Attributes:
        text: as the agent wrote it.
        kind, valid, reason: the verdict; kind `not played` where the replay did not get there.
        terms: unweighted reward terms.
        reward: weighted.
        tokens: as the environment counts them, newline included.
        before, after: exact potential; None where steps are not verified, and after the end.
        feedback: what the environment wrote in reply, marked as such.
    """

    text: str
    kind: str = "not played"
    valid: bool = False
    reason: str = ""
    terms: RewardTerms = _NOTHING
    reward: float = 0.0
    tokens: int = 0
    before: float | None = None
    after: float | None = None
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """An episode as it was replayed.

    Attributes:
        record: what the run folder says of it.
        family: and level, as in reports.
        prompt: what the agent was told.
        lines: at most `MOST_LINES`.
        more: how many lines are left out.
        solved: by the replay.
        ended: `terminated`, `truncated` or `unfinished`.
        terms, reward: of all lines that were played.
        tokens: that the agent wrote.
        weights: of the reward terms.
        mismatches: where record and replay differ, a sentence each.
    """

    record: EpisodeRecord
    family: str
    prompt: str = ""
    lines: tuple[Line, ...] = ()
    more: int = 0
    solved: bool = False
    ended: str = "unfinished"
    terms: RewardTerms = _NOTHING
    reward: float = 0.0
    tokens: int = 0
    weights: RewardTerms = _NOTHING
    mismatches: tuple[str, ...] = ()


def choose_episodes(
    episodes: Sequence[EpisodeRecord], most: int, preferred: Container[int] = ()
) -> list[EpisodeRecord]:
    """Which episodes of a run to show: always the same ones.

    Errors take every other place as long as there are any, unsolved and solved episodes share the
    rest, each family after the other in turn.

    Args:
        preferred: indices of episodes that come before others of their kind, such as those with a
            search tree.

    Returns:
        Errors first, then the others; each in the suite's order.
    """
    errors = [e for e in episodes if e.status == "error"]
    unsolved = [e for e in episodes if e.status != "error" and not e.solved]
    solved = [e for e in episodes if e.status != "error" and e.solved]
    kinds = [_by_family(kind, preferred) for kind in (errors, unsolved, solved)]
    chosen = _turns([kinds[0], _turns(kinds[1:])])[:most]
    return sorted(chosen, key=lambda e: (e.status != "error", e.index))


def _by_family(episodes: Sequence[EpisodeRecord], preferred: Container[int]) -> list[EpisodeRecord]:
    """One of each family in turn, the preferred before the others."""
    groups = families(episodes).values()
    first = _turns([[e for e in group if e.index in preferred] for group in groups])
    return first + _turns([[e for e in group if e.index not in preferred] for group in groups])


def _turns(groups: Iterable[Sequence[EpisodeRecord]]) -> list[EpisodeRecord]:
    """One of each group in turn, until all are used up."""
    return [one for one in chain.from_iterable(zip_longest(*groups)) if one is not None]


def transcribe(run: Run, episodes: Iterable[EpisodeRecord]) -> list[Transcript]:
    """Replay episodes of a run."""
    asked = {_key(e["env"], e["kwargs"]) for e in run.manifest.config["suite"]["entries"]}
    # How problems were put changes nothing but the prompt.
    put = run.manifest.config.get("prompt")
    envs: dict[str, ReasonEnv] = {}
    return [_transcribe(record, envs, asked, {"prompt": put} if put else {}) for record in episodes]


def _transcribe(
    record: EpisodeRecord,
    envs: dict[str, ReasonEnv],
    asked: Container[str],
    settings: Mapping[str, str],
) -> Transcript:
    (family,) = families([record])
    key = _key(record.env, record.kwargs)
    wrong = [] if key in asked else ["its environment, with these settings, is not in the suite"]
    try:
        if key not in envs:
            envs[key] = make_env(record.env, {**record.kwargs, **settings})
        env = envs[key]
        env.reset(seed=record.seed)
        if problem_hash(env.episode.problem) != record.problem:
            wrong.append("its problem is not the one that its seed draws")
    except Exception as error:  # also of other people's tasks: a report does without one episode
        wrong.append(f"it cannot be replayed: {describe(error)}")
        return Transcript(record, family, **_unplayed(record, []), mismatches=tuple(wrong))
    weights = RewardTerms(env.reward.outcome, env.reward.validity, env.reward.shaping)
    prompt = env.episode.text.rstrip("\n")
    lines: list[Line] = []
    ended = "unfinished"
    try:
        before, tokens = _potential(env), 0
        for action, step in zip(record.actions, steps(env, record.actions)):
            ended = step.ended
            after = None if ended == "terminated" else _potential(env)
            lines.append(
                Line(
                    action,
                    step.info["kind"],
                    step.info["valid"],
                    step.info["reason"],
                    step.terms,
                    step.reward,
                    env.episode.tokens - tokens,
                    before,
                    after,
                    step.info["feedback"],
                )
            )
            before, tokens = after, env.episode.tokens
    except ReplayError as error:
        wrong.append(str(error)[0].lower() + str(error)[1:])
    except Exception as error:
        wrong.append(f"the replay failed at line {len(lines) + 1}: {describe(error)}")
    terms = sum((line.terms for line in lines), RewardTerms())
    reward = sum(line.reward for line in lines)
    return Transcript(
        record,
        family,
        prompt,
        **_unplayed(record, lines),
        solved=terms.outcome == 1.0,
        ended=ended,
        terms=terms,
        reward=reward,
        tokens=env.episode.tokens,
        weights=weights,
        mismatches=(*wrong, *_mismatches(record, terms, reward, ended)),
    )


def _potential(env: ReasonEnv) -> float | None:
    # `env.step` has just asked for it, and families keep what they work out. Where steps are not
    # verified it says nothing.
    return env.potential() if env.task.has_steps else None


def _unplayed(record: EpisodeRecord, played: Sequence[Line]) -> dict[str, Any]:
    """The lines to show: those that were played, then those that could not be."""
    lines = [*played, *(Line(str(action)) for action in record.actions[len(played) :])]
    return {"lines": tuple(lines[:MOST_LINES]), "more": max(0, len(lines) - MOST_LINES)}


def _mismatches(record: EpisodeRecord, terms: RewardTerms, reward: float, ended: str) -> list[str]:
    """What the record says otherwise than the replay."""
    wrong = []
    if record.solved != (terms.outcome == 1.0):
        words = ["solved" if one else "not solved" for one in (record.solved, not record.solved)]
        wrong.append(f"recorded as {words[0]}, but the replay gives {words[1]}")
    if record.status == "ok" and ended == "unfinished":
        wrong.append("recorded as played to the end, but its lines stop before that")
    if record.status == "unfinished" and ended != "unfinished":
        wrong.append(f"recorded as unfinished, but in the replay it {ended}")
    if record.status == "error" and record.actions:
        wrong.append("recorded as an error, which has no lines, but there are some")
    for name, value in {**terms.to_json(), "reward": reward}.items():
        said = record.reward if name == "reward" else record.terms.get(name)
        # Equal but for the last bits, which differ between mathematics libraries.
        if said is None or not math.isclose(said, value, rel_tol=0, abs_tol=1e-9):
            wrong.append(f"{name} recorded as {said}, but the replay gives {value:g}")
    return wrong


def _key(env: str, kwargs: Any) -> str:
    return env + json.dumps(dict(kwargs), sort_keys=True)
