"""Errors that name what was received, what was expected, and the nearest fix."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


class MissingExtra(ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


def choose(value: T, options: Iterable[T], what: str) -> T:
    """Return the one of `options` that equals `value`.

    Raises:
        ValueError: names the value, the options and the nearest one.
    """
    known = list(options)
    # True == 1, yet a level of True is a mistake.
    if value in known and not isinstance(value, bool):
        # The option itself, not its equal: 1, not 1.0 or a NumPy 1.
        return known[known.index(value)]
    names = [str(option) for option in known]
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise ValueError(f"Unknown {what} {value!r}; expected one of: {shown}.{hint}")


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Raises:
        MissingExtra: names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A broken import inside the module is not a missing extra.
        if error.name != module.split(".")[0]:
            raise
        raise MissingExtra(
            f"{module!r} is not installed; it comes with the extra {extra!r}: "
            f"pip install 'reason-env[{extra}]'"
        ) from error
