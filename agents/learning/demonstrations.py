"""Demonstrations: episodes of a settable mix of expert and merely legal lines."""

from __future__ import annotations

import numpy as np

from agents.learning.trajectory import Recorder, Trajectory
from reason_env.env import ReasonEnv
from reason_env.tokenizer import EOS


def demonstrate(env: ReasonEnv, rng: np.random.Generator, expert_share: float) -> Trajectory:
    """Play one episode from a fresh problem.

    Each line is the expert's with probability `expert_share`, else any legal one, drawn uniformly
    and without an aim. Where no legal line is left, or only the expert knows none, the episode is
    given up with `<eos>`.

    Args:
        env: step granularity; it is reset here.
        rng: decides the lines (the problem comes from the environment's own stream).
        expert_share: in [0, 1].
    """
    env.reset()
    recorder = Recorder(env)
    while not env.episode.stopped:
        recorder.play(_line(env, rng, expert_share))
    return recorder.trajectory()


def _line(env: ReasonEnv, rng: np.random.Generator, expert_share: float) -> list[int]:
    line = env.expert_line(rng) if rng.random() < expert_share else None
    if line is None:
        legal = env.legal_lines()
        if not legal:
            return [EOS]
        line = legal[int(rng.integers(len(legal)))]
    return env.tokenizer.encode(line + "\n")
