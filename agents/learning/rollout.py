"""Rollouts: whole episodes sampled from the policy, as trajectories to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.learning.trajectory import Recorder, Trajectory
from agents.learning.trajectory import line_tokens as line_ids
from agents.models.base import LanguageModel
from agents.search.tree import Tree
from reason_env.env import Episode, ReasonEnv
from reason_env.splits import numbered_seed, stream_seed
from reason_env.tokenizer import EOS
from reason_env.tokens import lines_of


def rollout(
    model: LanguageModel,
    envs: Sequence[ReasonEnv],
    seed: int,
    temperature: float = 1.0,
    line_tokens: int = 32,
    blind: bool = False,
) -> list[Trajectory]:
    """Play one episode in each environment, all in lock-step.

    Args:
        envs: reset, one per episode. A line that is not ended within `line_tokens` counts as
            given up there (see `Recorder.cut`).
        seed: of the sampled tokens.
        blind: whether to write on where a private verifier has ended the episode (see `Recorder`).
    """
    recorders = [Recorder(env, blind) for env in envs]
    live = list(range(len(envs)))
    depth = 0
    with model.remembering():
        while live:
            rooms = [recorders[i].room for i in live]
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


class Start(NamedTuple):
    """A point of an episode to go on from.

    Attributes:
        env: of the episode's settings; it stays as it is.
        prefix: token ids that a model reads there, without `<bos>`.
    """

    env: ReasonEnv
    prefix: tuple[int, ...]
    episode: Episode


def play_out(
    model: LanguageModel,
    starts: Sequence[Start],
    seed: int,
    temperature: float = 1.0,
    line_tokens: int = 32,
) -> list[int | None]:
    """Sample one way to the end from each start, all in lock-step, for the outcomes alone.

    Args:
        starts: at episodes that are not over; repeat one for more samples.
        seed: of the sampled tokens.
        line_tokens: a line that is not ended within so many is given up there.

    Returns:
        Lines from each start to the goal, 1 or more; None where the goal was not reached.
    """
    prefixes = [start.prefix for start in starts]
    episodes = [start.episode for start in starts]
    reached: list[int | None] = [None] * len(starts)
    live, depth = list(range(len(starts))), 0
    while live:
        rows = stream_seed(seed, depth)
        completions = model.generate(
            [prefixes[i] for i in live],
            stop=(model.tokenizer.newline, EOS),
            temperature=temperature,
            max_tokens=[
                min(line_tokens, starts[i].env.max_tokens - episodes[i].tokens) for i in live
            ],
            seeds=[numbered_seed(rows, i) for i in live],
        )
        depth += 1
        still = []
        for i, completion in zip(live, completions, strict=True):
            if not completion.stopped:
                continue
            env, reply = starts[i].env, []
            for line, _ in lines_of(completion.tokens, env.tokenizer):
                if not episodes[i].stopped:
                    followed = env.follow(episodes[i], line)
                    episodes[i] = followed.episode
                    reply += env.tokenizer.encode(followed.feedback)
                    if followed.solved:
                        reached[i] = depth
            if not episodes[i].stopped:
                prefixes[i] = (*prefixes[i], *completion.tokens, *reply)
                still.append(i)
        live = still
    return reached


def some_ways(
    tree: Tree | None, count: int, rng: np.random.Generator
) -> list[list[tuple[int, ...]]]:
    """Up to `count` ways from the root to leaves of a tree, as the lines' token ids."""
    if tree is None:
        return []
    parents = {node.parent for node in tree.nodes}
    leaves = [i for i in range(1, len(tree.nodes)) if i not in parents]
    chosen = rng.permutation(len(leaves))[:count]
    return [[line_ids(line) for line in tree.way(leaves[i])] for i in chosen]


def replay(env: ReasonEnv, written: Sequence[Sequence[int]]) -> Trajectory:
    """The trajectory of lines (token ids, as in `Found.tokens`) played in an environment that
    was just reset, as far as its episode goes."""
    recorder = Recorder(env)
    for tokens in written:
        recorder.play(tokens)
    return recorder.trajectory()
