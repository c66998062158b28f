"""Commands of `reason-bench` that study search and reward models, on the app of `commands`."""

from __future__ import annotations

from benchmarks.commands import app

__all__ = ["app"]
