"""ReasonEnv: any task as a Gymnasium environment whose actions are lines of reasoning."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from reason_env import lines
from reason_env.errors import choose
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.registration import make_task, task_options
from reason_env.rewards import RewardConfig, RewardTerms, reward_config
from reason_env.splits import SPLITS, draw
from reason_env.task import Task
from reason_env.tokenizer import CHARSET, TOKENIZER, Tokenizer

FEEDBACK_CHARS = 512
MARK = "> "
"""Starts every line that the environment, not the agent, writes into an observation."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Everything that changes while an episode is played; immutable.

    Attributes:
        history: the states before each valid claim, for `undo`.
        text: prompt, lines and marked feedback so far: the observation.
        steps: lines the agent has written.
        tokens: tokens the agent has written, newlines included.
        line: the unfinished line (token granularity only).
        context: token ids of what the agent sees (token granularity only).
        stopped: whether the episode is over.
    """

    problem: Problem
    state: State
    history: tuple[State, ...] = ()
    text: str = ""
    steps: int = 0
    tokens: int = 0
    line: str = ""
    context: tuple[int, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A point in an environment's life to come back to; immutable, made in O(1)."""

    episode: Episode
    rng: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON, solution included: for harnesses, never for agents."""
        episode = self.episode
        return {
            "problem": episode.problem.to_json(),
            "state": episode.state.to_json(),
            "history": [state.to_json() for state in episode.history],
            "text": episode.text,
            "steps": episode.steps,
            "tokens": episode.tokens,
            "line": episode.line,
            "context": list(episode.context),
            "stopped": episode.stopped,
            "rng": self.rng,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Snapshot:
        return cls(
            Episode(
                Problem.from_json(value["problem"]),
                State.from_json(value["state"]),
                tuple(State.from_json(state) for state in value["history"]),
                value["text"],
                value["steps"],
                value["tokens"],
                value["line"],
                tuple(value["context"]),
                value["stopped"],
            ),
            value["rng"],
        )


class Followed(NamedTuple):
    """What comes of one line, rewards apart. (A named tuple: quick to make, for searches.)

    Attributes:
        episode: after the line.
        feedback: what the environment wrote in reply.
        solved: whether the line reached the goal.
        cut: whether the token budget ended inside the line, which was then not verified.
    """

    episode: Episode
    verdict: Verdict
    feedback: str
    terminated: bool
    truncated: bool
    solved: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one or more lines; `feedback` is what the environment wrote in reply."""

    terms: RewardTerms
    verdict: Verdict
    feedback: str
    terminated: bool
    truncated: bool


class ReasonEnv(gymnasium.Env[Any, Any]):
    """Step granularity: an action is one line, an observation the whole transcript.

    Args:
        task: a family's name, or a `Task` of your own.
        level: difficulty, one of `task.levels`.
        split: `train`, `dev` or `test`; decided by the problems' content.
        reward: preset (`outcome`, `process`, `shaped`), `RewardConfig`, or its fields as a dict.
        on_invalid: what a wrong claim does: `end` the episode, or leave the state as it was and
            say so in the observation (`feedback`).
        feedback: `none`, or `state`: every valid claim is answered by the state, and may be
            shortened (see `Task.complete`).
        max_steps: lines per episode; by default `task.budget(level).steps`.
        max_tokens: tokens per episode that the agent writes; `task.budget(level).tokens`.
        prompt: `compact` or `verbose`.
        tokenizer: counts tokens, and at token granularity gives the actions.
        render_mode: `ansi` or None.
        task_options: what the family itself takes, such as the `path` of a data file.

    `terminated`: solved, answered, or ended by a wrong claim. `truncated`: budget spent.
    `info["terms"]` has the unweighted reward terms, `kind`, `valid` and `reason` the verdict,
    and `feedback` the text that the environment (not the agent) added to the observation.
    """

    # Gymnasium declares it on the instance, so mypy wants no ClassVar.
    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(
        self,
        task: str | Task,
        level: int = 1,
        split: str = "train",
        reward: str | RewardConfig | dict[str, float] = "outcome",
        on_invalid: str = "end",
        feedback: str = "none",
        max_steps: int | None = None,
        max_tokens: int | None = None,
        prompt: str = "compact",
        tokenizer: Tokenizer | None = None,
        render_mode: str | None = None,
        **task_options: Any,
    ) -> None:
        self.task = _task_of(task, task_options)
        self.level = choose(level, self.task.levels, f"level of {self.task.name}")
        self.split = choose(split, SPLITS, "split")
        self.reward = reward_config(reward)
        self.on_invalid = choose(on_invalid, ["end", "feedback"], "on_invalid")
        self.feedback = choose(feedback, ["none", "state"], "feedback")
        self.prompt_style = choose(prompt, ["compact", "verbose"], "prompt")
        self.render_mode = choose(render_mode, [None, "ansi"], "render_mode")
        budget = self.task.budget(self.level)
        self.max_steps = _limit("max_steps", max_steps, budget.steps)
        self.max_tokens = _limit("max_tokens", max_tokens, budget.tokens)
        self.tokenizer = tokenizer or TOKENIZER
        self._episode: Episode | None = None
        self._make_spaces()

    def _make_spaces(self) -> None:
        self.action_space = self._text_action_space(CHARSET - {"\n"})
        longest_token = 16
        most = 4 * self.task.room.verbose
        most += longest_token * self.max_tokens + FEEDBACK_CHARS * self.max_steps
        self.observation_space = spaces.Text(most, min_length=0, charset="".join(sorted(CHARSET)))

    def _text_action_space(self, charset: Collection[str]) -> spaces.Text:
        # Longer actions are accepted too; samples stay short enough to fit the token budget.
        longest = max(1, self.max_tokens - 2)
        return spaces.Text(longest, min_length=0, charset="".join(sorted(charset)))

    # -- Gymnasium ---------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Draw a problem, or take `options={"problem": Problem}`."""
        super().reset(seed=seed)
        given = dict(options or {})
        problem = given.pop("problem", None)
        for key in given:
            choose(key, ["problem"], "reset option")
        if problem is None:
            problem = draw(self.task, self.np_random, self.level, self.split)
        elif not isinstance(problem, Problem) or problem.task != self.task.name:
            raise ValueError(
                f"options['problem'] must be a Problem of {self.task.name}, received {problem!r}"
            )
        self._episode = Episode(
            problem,
            self.task.initial(problem),
            text=self.task.prompt(problem, self.prompt_style) + "\n",
        )
        return self._observation(), {"level": problem.level}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Write one line.

        Raises:
            TypeError: the action is not a string.
            ValueError: the action has a newline.
        """
        if not isinstance(action, str):
            raise TypeError(f"A step action is a string, received {type(action).__name__}")
        if "\n" in action:
            raise ValueError(
                f"A step action is one line, received {action.count(chr(10)) + 1}: "
                f"{action[:80]!r}. Step through them one by one, or use the -Episode- id, which "
                "takes whole texts."
            )
        line = lines.normalise(action)
        return self._result(self._write(line, self._tokens(line)))

    def render(self) -> Any:
        return self.episode.text if self.render_mode == "ansi" else None

    # -- Beyond Gymnasium --------------------------------------------------------------------

    @property
    def episode(self) -> Episode:
        """The episode as it stands (for harnesses: it holds the problem).

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if self._episode is None:
            raise gymnasium.error.ResetNeeded("Call reset() first")
        return self._episode

    def snapshot(self) -> Snapshot:
        """This point, to come back to with `restore`."""
        return Snapshot(self.episode, dict(self.np_random.bit_generator.state))

    def restore(self, snapshot: Snapshot) -> Any:
        """Go back to a snapshot of this environment or of one with the same settings.

        Returns:
            The observation at that point.
        """
        self._episode = snapshot.episode
        self.np_random.bit_generator.state = snapshot.rng
        return self._observation()

    def legal_lines(self) -> Sequence[str]:
        """The task's legal steps from here, shortened as far as the feedback setting allows."""
        episode = self.episode
        return [self.short(step) for step in self.task.legal_steps(episode.problem, episode.state)]

    def expert_line(self, rng: np.random.Generator) -> str | None:
        """An expert's next line, shortened likewise; None where the goal is out of reach."""
        episode = self.episode
        line = self.task.expert_step(episode.problem, episode.state, rng)
        return None if line is None else self.short(line)

    def short(self, line: str) -> str:
        """A legal step as an agent need write it under this feedback setting."""
        return self.task.abbreviate(line) if self.feedback == "state" else line

    def potential(self) -> float:
        """Exact potential of the current state, in [0, 1]."""
        return self.task.potential(self.episode.problem, self.episode.state)

    # -- One line ----------------------------------------------------------------------------

    def _tokens(self, line: str) -> int:
        """Tokens of a line and its newline."""
        return len(self.tokenizer.encode(line.replace(lines.OUTSIDE, "?"))) + 1

    def follow(self, episode: Episode, line: str) -> Followed:
        """What comes of a line at any point of any episode: this environment stays as it is.

        `step` without its rewards, whose potentials may be slow: for searches, which go on from
        many points. `Snapshot(followed.episode, rng)` restores one, since no line draws anything.

        Args:
            episode: of an environment with the same settings, not over.
            line: without a newline.
        """
        line = lines.normalise(line)
        return self._follow(episode, line, self._tokens(line))

    def _follow(self, before: Episode, line: str, tokens: int) -> Followed:
        """What comes of a normalised line of `tokens` tokens."""
        if before.stopped:
            raise gymnasium.error.ResetNeeded("The episode is over: call reset()")
        room = self.max_tokens - before.tokens
        if tokens > room:
            return self._cut(before, line, room)
        verdict = self._judge(before, line)
        kind, valid = verdict.kind, verdict.valid
        solved = kind in (Kind.ANSWER, Kind.CLAIM) and self.task.is_solved(
            before.problem, verdict.state
        )
        terminated = kind is Kind.ANSWER or (
            kind is Kind.CLAIM and (solved or (not valid and self.on_invalid == "end"))
        )
        if kind is Kind.UNDO and valid:
            history = before.history[:-1]
        elif kind is Kind.CLAIM and valid:
            history = (*before.history, before.state)
        else:
            history = before.history
        feedback = "" if terminated else self._feedback(before, verdict)
        steps, spent = before.steps + 1, before.tokens + tokens
        truncated = not terminated and (steps >= self.max_steps or spent >= self.max_tokens)
        episode = Episode(
            before.problem,
            verdict.state,
            history,
            f"{before.text}{line.replace(lines.OUTSIDE, '?')}\n{feedback}",
            steps,
            spent,
            "",
            before.context,
            terminated or truncated,
        )
        return Followed(episode, verdict, feedback, terminated, truncated, terminated and solved)

    def _write(self, line: str, tokens: int) -> Judged:
        """Judge a normalised line of `tokens` tokens, and move on."""
        before = self.episode
        followed = self._follow(before, line, tokens)
        self._episode = followed.episode
        verdict, terminated = followed.verdict, followed.terminated
        terms = RewardTerms()
        if not followed.cut:
            wrong = not verdict.valid and verdict.kind in (Kind.CLAIM, Kind.CHECK)
            terms = RewardTerms(
                outcome=float(followed.solved),
                validity=-1.0 if wrong else 0.0,
                shaping=self._shaping(before, verdict.state, terminated),
            )
        return Judged(terms, verdict, followed.feedback, terminated, followed.truncated)

    def _write_lines(self, counted: list[tuple[str, int]]) -> Judged:
        """Judge lines in turn until the episode is over; terms and feedback are added up."""
        judged = [self._write(*counted[0])]
        for line, tokens in counted[1:]:
            if self.episode.stopped:
                break
            judged.append(self._write(line, tokens))
        return replace(
            judged[-1],
            terms=sum((j.terms for j in judged), RewardTerms()),
            feedback="".join(j.feedback for j in judged),
        )

    def _cut(self, before: Episode, line: str, room: int) -> Followed:
        """The budget ends inside this line: it is not verified."""
        shown = line.replace(lines.OUTSIDE, "?")
        kept = self.tokenizer.decode(self.tokenizer.encode(shown)[:room])
        verdict = Verdict(Kind.THOUGHT, True, before.state, "cut by the token budget")
        episode = replace(
            before,
            text=before.text + kept,
            steps=before.steps + 1,
            tokens=self.max_tokens,
            stopped=True,
        )
        return Followed(episode, verdict, "", False, True, cut=True)

    def _judge(self, episode: Episode, line: str) -> Verdict:
        kind = lines.kind_of(line)
        if kind is Kind.THOUGHT:
            return Verdict(Kind.THOUGHT, True, episode.state)
        if kind is Kind.UNDO:
            if episode.history:
                return Verdict(Kind.UNDO, True, episode.history[-1])
            return Verdict(Kind.UNDO, False, episode.state, "there is no step to take back")
        if kind is Kind.CHECK:
            claimed = line.strip().endswith("open")
            true = (self.task.potential(episode.problem, episode.state) > 0) == claimed
            reason = "" if true else "the goal's reach is not as claimed"
            return Verdict(Kind.CHECK, true, episode.state, reason)
        if kind is None and self.feedback == "state":
            line = self.task.complete(episode.problem, episode.state, line.strip())
        return self.task.step(episode.problem, episode.state, line)

    def _feedback(self, before: Episode, verdict: Verdict) -> str:
        # The truth of a `check:` is never shown: it would make every agent an oracle's.
        if verdict.kind is Kind.CLAIM and not verdict.valid:
            text = "wrong: " + verdict.reason
        elif self.feedback == "state" and verdict.kind in (Kind.CLAIM, Kind.UNDO):
            text = self.task.show(before.problem, verdict.state)
        else:
            return ""
        return f"{MARK}{lines.normalise(text).replace(lines.OUTSIDE, '?')[: FEEDBACK_CHARS - 4]}\n"

    def _shaping(self, before: Episode, following: State, terminated: bool) -> float:
        problem = before.problem
        after = 0.0 if terminated else self.task.potential(problem, following)
        return self.reward.gamma * after - self.task.potential(problem, before.state)

    def _observation(self) -> Any:
        return self.episode.text

    def _result(self, judged: Judged) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        verdict = judged.verdict
        info = {
            "terms": judged.terms.to_json(),
            "kind": verdict.kind.value,
            "valid": verdict.valid,
            "reason": verdict.reason,
            "feedback": judged.feedback,
            "tokens": self.episode.tokens,
        }
        reward = self.reward.weigh(judged.terms)
        return self._observation(), reward, judged.terminated, judged.truncated, info


def make_env(env_id: str, kwargs: Mapping[str, Any]) -> ReasonEnv:
    """The environment of an id of step granularity, without Gymnasium's wrappers.

    Raises:
        ValueError: unknown id, keyword argument or value, naming the nearest, or another
            granularity.
    """
    if "task" in kwargs:
        raise ValueError(f"Unknown keyword argument 'task': the id {env_id!r} names the task")
    try:
        env = gymnasium.make(env_id, disable_env_checker=True, **kwargs).unwrapped
    except gymnasium.error.Error as error:
        raise ValueError(f"Unknown environment {env_id!r}: {error}") from error
    if type(env) is not ReasonEnv:
        raise ValueError(
            f"Expected an id of step granularity (reason_env/NAME-v0), received {env_id!r}"
        )
    return env


def _task_of(task: str | Task, options: dict[str, Any]) -> Task:
    """The family itself, or made by name with its own options.

    Raises:
        ValueError: an option that neither the environment nor the family has.
    """
    own = [] if isinstance(task, Task) else task_options(task)
    known = [name for name in inspect.signature(ReasonEnv).parameters if name != "task_options"]
    for name in options:
        choose(name, [*known[1:], *own], "keyword argument")
    return task if isinstance(task, Task) else make_task(task, **options)


def _limit(name: str, number: int | None, default: int) -> int:
    if number is None:
        return default
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more, received {number!r}")
    return number
