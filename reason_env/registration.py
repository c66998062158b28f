"""Families and their environment ids. A new family is one file and one `register(...)` line."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

import gymnasium

from reason_env.errors import choose

if TYPE_CHECKING:
    from reason_env.task import Task

NAMESPACE = "reason_env"
GRANULARITIES = {
    "": "reason_env.env:ReasonEnv",
    "-Token": "reason_env.tokens:TokenEnv",
    "-Episode": "reason_env.tokens:EpisodeEnv",
}
_TASKS: dict[str, str] = {}


def register(name: str, entry_point: str, version: int = 0) -> None:
    """Register a family's three ids: `reason_env/<name>[-Token|-Episode]-v<version>`.

    Args:
        name: `Task.name`.
        entry_point: `"module:Class"`, imported when first needed.
        version: `Task.version`.
    """
    _TASKS[name] = entry_point
    for suffix, env in GRANULARITIES.items():
        gymnasium.register(
            id=f"{NAMESPACE}/{name}{suffix}-v{version}", entry_point=env, kwargs={"task": name}
        )


def task_names() -> list[str]:
    """Names of all registered families, in the order of registration."""
    return list(_TASKS)


def make_task(name: str) -> Task:
    """The family of that name.

    Raises:
        ValueError: no such family, naming the nearest.
    """
    module, _, attribute = _TASKS[choose(name, _TASKS, "task")].partition(":")
    return cast("Task", getattr(importlib.import_module(module), attribute)())
