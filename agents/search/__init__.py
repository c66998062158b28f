"""Search: strategies are plain generators, the scheduler batches and charges them.

A strategy's file name is its name on the command line.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import partial
from typing import Any

from agents.search.ledger import BudgetSpent, Ledger
from agents.search.limits import check_budget
from agents.search.requests import Strategy
from agents.search.scheduler import LINE_TOKENS, Found, check_searches, run_searches
from reason_env.errors import choose

__all__ = [
    "LINE_TOKENS",
    "BudgetSpent",
    "Found",
    "Ledger",
    "check_budget",
    "check_searches",
    "load_strategy",
    "run_searches",
    "strategy_names",
]

_NOT_STRATEGIES = {
    "beams",
    "final",
    "guides",
    "ledger",
    "limits",
    "mcts_final",
    "node",
    "options",
    "requests",
    "revising",
    "roots",
    "running",
    "scheduler",
    "tree",
    "vertex",
}


def strategy_names() -> list[str]:
    """Names of all strategies: the modules of this package that are not its machinery."""
    names = {module.name for module in pkgutil.iter_modules(__path__)}
    return sorted(names - _NOT_STRATEGIES)


def load_strategy(name: str, **options: Any) -> Strategy:
    """A strategy by name, with its options set.

    Raises:
        ValueError: an unknown name or option, or an option out of its range.
    """
    module = importlib.import_module(f"{__name__}.{choose(name, strategy_names(), 'strategy')}")
    function = getattr(module, name)
    known = list(inspect.signature(function).parameters)[1:]
    for option in options:
        choose(option, known, f"option of {name}")
    return partial(function, **options)
