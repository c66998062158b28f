"""Rollouts: whole episodes sampled from the policy, as trajectories to learn from."""

from __future__ import annotations

from collections.abc import Sequence

from agents.learning.trajectory import Recorder, Trajectory
from agents.models.base import LanguageModel
from reason_env.env import ReasonEnv
from reason_env.splits import stream_seed
from reason_env.tokenizer import EOS


def rollout(
    model: LanguageModel,
    envs: Sequence[ReasonEnv],
    seed: int,
    temperature: float = 1.0,
    line_tokens: int = 32,
) -> list[Trajectory]:
    """Play one episode in each environment, all in lock-step.

    Args:
        envs: reset, one per episode. A line that is not ended within `line_tokens` counts as
            given up there (see `Recorder.cut`).
        seed: of the sampled tokens.
    """
    recorders = [Recorder(env) for env in envs]
    live = list(range(len(envs)))
    depth = 0
    while live:
        rooms = [envs[i].max_tokens - envs[i].episode.tokens for i in live]
        completions = model.generate(
            [recorders[i].prefix for i in live],
            stop=(model.tokenizer.newline, EOS),
            temperature=temperature,
            max_tokens=[min(line_tokens, room) for room in rooms],
            seeds=[stream_seed(seed, depth, i) for i in live],
        )
        for i, completion in zip(live, completions):
            if completion.stopped:
                recorders[i].play(completion.tokens)
            else:
                recorders[i].cut(completion.tokens)
        live = [i for i in live if not recorders[i].over]
        depth += 1
    return [recorder.trajectory() for recorder in recorders]


def replay(env: ReasonEnv, written: Sequence[Sequence[int]]) -> Trajectory:
    """The trajectory of lines (token ids, as in `Found.tokens`) played in an environment that
    was just reset, as far as its episode goes."""
    recorder = Recorder(env)
    for tokens in written:
        recorder.play(tokens)
    return recorder.trajectory()
