"""Any text at all, thrown at every family: a verdict each time, and at once."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reason_env import ReasonEnv, Verdict, make_task, task_names
from reason_env.checks import corrupt_last_number
from reason_env.lines import normalise

AT_ONCE = 0.05
"""Seconds a verdict may take."""

_CHARACTERS = st.characters(codec="utf-8")
_WORDS = st.sampled_from(
    ["answer:", "undo", "check: open", "=", "->", "(", ")", "9" * 40, "1/0", "-", "x", "A", "not"]
)


def mangled(line: str, rng: random.Random) -> str:
    """A line with some of its characters dropped, doubled, swapped or replaced."""
    characters = list(line)
    for _ in range(rng.randint(0, 3)):
        if not characters:
            break
        i, j = rng.randrange(len(characters)), rng.randrange(len(characters))
        change = rng.randrange(5)
        if change == 0:
            del characters[i]
        elif change == 1:
            characters.insert(j, characters[i])
        elif change == 2:
            characters[i], characters[j] = characters[j], characters[i]
        elif change == 3:
            characters[i] = chr(rng.choice([*range(32, 127), 0xB2, 0x663, 0x202E, 0x1D7D8]))
        else:
            characters[i:i] = characters * rng.choice([1, 2, 500])
    return "".join(characters)[:10_000]


def judged(env: ReasonEnv, line: str) -> Verdict:
    """The verdict on a normalised line, which can be completed as well."""
    episode = env.episode
    assert isinstance(env.task.complete(episode.problem, episode.state, line.strip()), str)
    return env.task.step(episode.problem, episode.state, line)


@pytest.mark.parametrize("name", task_names())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.one_of(
        st.text(_CHARACTERS, max_size=200),
        st.lists(st.one_of(_WORDS, st.text(_CHARACTERS, max_size=5)), max_size=12).map(" ".join),
    ),
    seed=st.integers(0, 50),
)
def test_any_text_gets_a_verdict(soon: Callable[..., Any], name: str, text: str, seed: int) -> None:
    task = make_task(name)
    env = ReasonEnv(task, level=1 + seed % len(task.levels))
    env.reset(seed=seed)
    for line in text.splitlines() or [""]:
        verdict = soon(AT_ONCE, judged, env, normalise(line))
        assert verdict.valid or verdict.reason
        if not env.episode.stopped:
            env.step(line.replace("\n", " "))


@pytest.mark.parametrize("name", task_names())
def test_mangled_claims_get_a_verdict(soon: Callable[..., Any], name: str) -> None:
    """Lines that nearly are claims, in states along the expert's way."""
    task = make_task(name)
    rng = random.Random(name)
    generator: Any = np.random.default_rng(0)
    for level in task.levels:
        env = ReasonEnv(task, level=level, split="train", on_invalid="feedback")
        env.reset(seed=level)
        for _ in range(12):
            if env.episode.stopped:
                env.reset()
            line = env.expert_line(generator)
            legal = env.legal_lines()
            sources = [line or "", corrupt_last_number(line or ""), *legal[:3]]
            for source in sources:
                for _ in range(4):
                    line_ = normalise(mangled(source, rng))
                    verdict = soon(AT_ONCE, judged, env, line_)
                    assert verdict.valid or verdict.reason
            env.step(line or "answer:")
