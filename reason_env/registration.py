"""Families and their environment ids. A new family is one file and one `register(...)` line."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, slots=True)
class _Entry:
    """A registered family: its class, what of the constructor is fixed, and whose problems."""

    entry_point: str
    adapter: bool
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> type[Task]:
        module, _, attribute = self.entry_point.partition(":")
        return getattr(importlib.import_module(module), attribute)


_TASKS: dict[str, _Entry] = {}


def register(
    name: str, entry_point: str, version: int = 0, *, adapter: bool = False, **fixed: Any
) -> None:
    """Register a family's three ids: `reason_env/<name>[-Token|-Episode]-v<version>`.

    Args:
        name: `Task.name`.
        entry_point: `"module:Class"`, imported when first needed.
        version: `Task.version`.
        adapter: whether the problems are other people's (`reason_env.adapters`).
        fixed: arguments of the class.
    """
    _TASKS[name] = _Entry(entry_point, adapter, fixed)
    for suffix, env in GRANULARITIES.items():
        gymnasium.register(
            id=f"{NAMESPACE}/{name}{suffix}-v{version}", entry_point=env, kwargs={"task": name}
        )


def task_names(adapters: bool = False) -> list[str]:
    """Names of the families of our own, or of the adapters, in the order of registration."""
    return [name for name, entry in _TASKS.items() if entry.adapter == adapters]


def make_task(name: str, **options: Any) -> Task:
    """The family of that name.

    Args:
        options: what the family takes (see `task_options`).

    Raises:
        ValueError: no such family, naming the nearest.
    """
    entry = _TASKS[choose(name, _TASKS, "task")]
    return entry.load()(**entry.fixed, **options)


def task_options(name: str) -> list[str]:
    """Names of the keyword arguments that a family takes, such as `path`."""
    entry = _TASKS[choose(name, _TASKS, "task")]
    taken = inspect.signature(entry.load()).parameters
    return [option for option in taken if option not in entry.fixed]
