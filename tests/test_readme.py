"""The README's Python runs as it stands."""

import contextlib
import io
import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_examples():
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS)
def test_example_runs(block):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block, {})
    assert ("print(" in block) == bool(printed.getvalue())


def test_the_agent_plays():
    space: dict = {}
    exec(next(block for block in BLOCKS if "class Adder" in block), space)
    import gymnasium as gym

    env = gym.make("reason_env/Countdown-v0")
    observation, _ = env.reset(seed=3)
    agent = space["Adder"]()
    agent.reset(0)
    _, _, _, _, info = env.step(agent.act(observation))
    assert info["valid"]
    assert info["kind"] == "claim"


def test_commands_exist():
    """Every console script and sub-command the README names is there."""
    from agents.commands import app as train
    from benchmarks.study_commands import app as bench
    from leaderboards.commands import app as board

    known = {}
    for name, app in (("train", train), ("bench", bench), ("board", board)):
        known[name] = _names(app)
        for group in app.registered_groups:
            known[name] |= {f"{group.name} {below}" for below in _names(group.typer_instance)}
    pattern = r"^reason-(train|bench|board) ((?:log |round )?[a-z-]+)"
    found = re.findall(pattern, README, re.MULTILINE)
    assert {("bench", "log check"), ("board", "round reveal")} <= {*found}
    for name, command in found:
        assert command in known[name], (name, command)


def _names(app):
    return {c.name or c.callback.__name__ for c in app.registered_commands}
