"""The six behaviours of a reasoner, as lines of text that a program can tell apart ("Scaling of
search and learning", arXiv 2412.14135, section 3).

| behaviour | what is written | counted where |
|---|---|---|
| `analysis` | `problem: 20 7 3 -> 39` | the line restates the problem, word for word |
| `subgoals` | `aim: 13 3 -> 39` | the next valid claim leads to the very state that it names |
| `completion` | `20 - 7 = 13` | the claim is valid |
| `alternatives` | `undo`, then a valid claim | the claim leads elsewhere than the one before |
| `checks` | `check: open`, `check: dead` | the claim is true, which the exact potential decides |
| `corrections` | a claim after a wrong one | it is valid (needs `on_invalid="feedback"`) |

Restatements and aims are thoughts: the environment lets them pass, and they cost budget alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reason_env.env import ReasonEnv
from reason_env.lines import normalise
from reason_env.problem import Kind, Problem, State

BEHAVIOURS = ("analysis", "subgoals", "completion", "alternatives", "checks", "corrections")
PROBLEM, AIM = "problem: ", "aim: "


@dataclass(slots=True)
class Behaviour:
    """How often one behaviour was shown in an episode.

    Attributes:
        tried: lines that look like it.
        right: those of them that are counted (see the table above).
    """

    tried: int = 0
    right: int = 0


def restatement(env: ReasonEnv, problem: Problem) -> str:
    """The line that restates a problem."""
    return _flat(PROBLEM + env.task.prompt(problem, "compact"))


def aim(env: ReasonEnv, problem: Problem, state: State) -> str:
    """The line that names a state as the next one to reach; empty where states are not shown."""
    shown = env.task.show(problem, state)
    return _flat(AIM + shown) if shown.strip() else ""


def _flat(text: str) -> str:
    """Text of several lines in one, as the environment would read it."""
    return normalise(" / ".join(text.strip().splitlines()))


def observe(env: ReasonEnv, actions: Sequence[str]) -> dict[str, Behaviour]:
    """Count the behaviours in an episode's lines.

    Args:
        env: just reset to the problem; it stays as it is.
        actions: lines, as far as they were played.

    Returns:
        By name, all of `BEHAVIOURS`.
    """
    found = {name: Behaviour() for name in BEHAVIOURS}
    episode = env.episode
    restated = restatement(env, episode.problem)
    aimed: str | None = None
    undone: State | None = None
    mistaken = False
    for action in actions:
        if episode.stopped:
            break
        followed = env.follow(episode, action)
        before, verdict = episode, followed.verdict
        episode = followed.episode
        line = normalise(action).strip()
        if followed.cut:
            continue
        if verdict.kind is Kind.CHECK:
            _count(found["checks"], verdict.valid)
        elif verdict.kind is Kind.UNDO and verdict.valid:
            # Of several claims taken back it is the first, nearest the root, that counts.
            undone, aimed = before.state, None
        elif verdict.kind is Kind.THOUGHT and line.startswith(PROBLEM.strip()):
            _count(found["analysis"], line == restated)
        elif verdict.kind is Kind.THOUGHT and line.startswith(AIM.strip()):
            found["subgoals"].tried += 1
            aimed = line
        elif verdict.kind is Kind.CLAIM:
            _count(found["completion"], verdict.valid)
            if undone is not None and verdict.valid:
                _count(found["alternatives"], verdict.state != undone)
            if mistaken:
                _count(found["corrections"], verdict.valid)
            reached = aim(env, before.problem, verdict.state)
            found["subgoals"].right += bool(verdict.valid and aimed and aimed == reached)
            mistaken = not verdict.valid
            if verdict.valid:
                aimed = undone = None
    return found


def _count(behaviour: Behaviour, right: bool) -> None:
    behaviour.tried += 1
    behaviour.right += right
