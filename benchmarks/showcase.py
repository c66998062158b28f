"""What there is to play: a table of all environments, and one episode of an expert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reason_env import ReasonEnv, make_task, task_names
from reason_env.checks import corrupt_last_number
from reason_env.env import make_env
from reason_env.problem import Kind
from reason_env.registration import NAMESPACE


@dataclass(frozen=True, slots=True)
class Listed:
    """An environment as the table shows it.

    Attributes:
        id: at step granularity.
        levels: how many.
        verifier: `public` if the prompt alone lets anyone check a solution, else `private`.
        steps: whether every line is verified, or only the answer.
        extras: of pip, that it cannot do without.
    """

    id: str
    levels: int
    verifier: str
    steps: bool
    extras: tuple[str, ...]


def environments(pattern: str = "") -> list[Listed]:
    """All registered environments whose id holds the pattern, whatever its case."""
    listed = []
    for name in [*task_names(), *task_names(adapters=True)]:
        task = make_task(name)
        env_id = f"{NAMESPACE}/{name}-v{task.version}"
        if pattern.lower() in env_id.lower():
            verifier = "public" if task.public_verifier else "private"
            listed.append(Listed(env_id, len(task.levels), verifier, task.has_steps, task.extras))
    return listed


def full_id(name: str) -> str:
    """`Countdown` -> `reason_env/Countdown-v0`; ids come back as they are."""
    env_id = name if "/" in name else f"{NAMESPACE}/{name}"
    _, _, version = env_id.rpartition("-v")
    if version.isdecimal():
        return env_id
    task = make_task(env_id.partition("/")[2])
    return f"{env_id}-v{task.version}"


def showcase(name: str, seed: int, kwargs: Mapping[str, Any]) -> RenderableType:
    """One problem, an expert's episode with verdicts, potentials and rewards, and a changed line.

    Args:
        name: id or name of an environment.
        seed: of the problem and of the expert.
        kwargs: of the environment.

    Raises:
        ValueError: unknown id or setting, naming the nearest.
    """
    env = make_env(full_id(name), kwargs)
    env.reset(seed=seed)
    start = env.snapshot()
    task, level = env.task, env.level
    heading = Text.assemble(
        (full_id(name), "bold"),
        f"  level {level} of {len(task.levels)}, {env.split}, seed {seed}\n"
        f"{'public' if task.public_verifier else 'private'} verifier, "
        f"chance {100 * task.chance(level):.1f} %, "
        f"at most {env.max_steps} lines and {env.max_tokens} tokens",
    )
    prompt = Panel(Text(env.episode.text.rstrip("\n")), title="prompt", expand=False)
    table, lines = _expert_episode(env, np.random.default_rng(seed))
    if not lines:
        return Group(heading, prompt, Text("No expert is known for this problem.", style="yellow"))
    env.restore(start)
    return Group(heading, prompt, table, *_changed_line(env, lines))


def _expert_episode(env: ReasonEnv, rng: np.random.Generator) -> tuple[Table, list[str]]:
    """The episode as a table, and its lines."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("line", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for column in ("potential", "outcome", "validity", "shaping", "reward"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_row("", "", f"{env.potential():.3g}")
    lines: list[str] = []
    total = 0.0
    while not env.episode.stopped:
        line = env.expert_line(rng)
        if line is None:
            break
        lines.append(line)
        _, reward, _, _, info = env.step(line)
        total += reward
        numbers = [env.potential(), *info["terms"].values(), reward]
        shown = (f"{number:.3g}" for number in numbers)
        table.add_row(Text(line, style="bold"), _verdict(info), *shown)
        if info["feedback"]:
            table.add_row(Text(info["feedback"].rstrip("\n"), style="dim"))
    table.add_section()
    table.add_row("return", "", "", "", "", "", f"{total:.3g}")
    return table, lines


def _changed_line(env: ReasonEnv, lines: list[str]) -> list[Text]:
    """What comes of the first line with a number in it if that number is another."""
    for number, line in enumerate(lines, 1):
        changed = corrupt_last_number(line)
        if changed:
            *_, info = env.step(changed)
            said = (
                f" ({info['reason']})" if info["reason"] else f", potential {env.potential():.3g}"
            )
            start = f"Line {number} changed: "
            return [Text.assemble(start, (changed, "bold"), "  ", _verdict(info), said)]
        env.step(line)
    return []


def _verdict(info: Mapping[str, Any]) -> Text:
    if info["kind"] == Kind.THOUGHT:
        return Text("thought", style="dim")
    return Text("valid", style="green") if info["valid"] else Text("invalid", style="red")
