"""What training runs took, so that a control can be given as much."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agents.learning.run import METRICS
from agents.learning.sft import SFTConfig


def rows_of(folder: Path) -> list[Mapping[str, float]]:
    """The metrics of a training run, a row a step."""
    return [json.loads(row) for row in (folder / METRICS).read_text().splitlines()]


def seconds_of(*folders: Path) -> float:
    """Seconds that training runs took."""
    return sum(row["seconds"] for folder in folders for row in rows_of(folder))


def steps_for(config: SFTConfig, like: Path, seconds: float) -> SFTConfig:
    """The configuration with as many steps as the seconds would have paid for in the run `like`."""
    # The median: a machine that was busy for a while must not cost the control any steps.
    step = statistics.median(row["seconds"] for row in rows_of(like))
    return replace(config, steps=max(1, round(seconds / step)))
