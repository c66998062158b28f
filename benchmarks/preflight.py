"""What a run will take, from a few of its episodes: `reason-bench run ... --preflight`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.executors import play_chunk
from benchmarks.players import PlayerSpec
from benchmarks.preparation import check_arguments, drawn, prepare, search_seed, shard_of
from benchmarks.records import total
from benchmarks.runner import score
from benchmarks.suite import Suite

SAMPLE = 32
"""Episodes that are played for it, spread over the suite."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take.

    Attributes:
        episodes: of the run; `sample`: of them that were played.
        seconds: for the sample.
        tokens: generated, prompt: read, both for the sample.
        budget_tokens: most tokens generated for a problem; None: no limit.
        failed: episodes of the sample that ended in an error.
        usage: what a server said of the sample, `cost` included.
    """

    episodes: int
    sample: int
    seconds: float
    tokens: int
    prompt: int
    budget_tokens: int | None
    failed: int
    usage: Mapping[str, Any]

    def rows(self) -> list[list[str]]:
        """For a table: name and value."""
        scale = self.episodes / self.sample
        bound = None if self.budget_tokens is None else self.budget_tokens * self.episodes
        rows = [
            ["episodes", f"{self.episodes:,}"],
            ["played for this", f"{self.sample} ({self.failed} failed)"],
            ["time", _duration(self.seconds * scale)],
            ["generated tokens", f"{self.tokens * scale:,.0f}"],
            ["... at most, by the budget", "no limit" if bound is None else f"{bound:,}"],
            ["prompt tokens", f"{self.prompt * scale:,.0f}"],
        ]
        for name, value in self.usage.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                shown = (
                    f"{value * scale:,.4f}" if isinstance(value, float) else f"{value * scale:,.0f}"
                )
                rows.append([f"server: {name}", shown])
            elif value is None:
                rows.append([f"server: {name}", "not known"])
        return rows


def estimate(
    suite: str | Path | Suite,
    *,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    seed: int = 0,
    **arguments: Any,
) -> Estimate:
    """Play a few episodes, spread evenly over the suite, and record nothing.

    Args:
        limit, shard, seed, arguments: as for `benchmarks.runner.run_suite`.

    Raises:
        ValueError: as there.
    """
    spec = PlayerSpec(**arguments)
    check_arguments(spec, seed=seed)
    problems = drawn(suite, limit)
    spec = spec.within(problems.suite)
    player, _, _ = prepare(spec, problems, seed)
    indices = shard_of(problems, shard)
    sample = min(SAMPLE, len(indices))
    chosen = [problems.items[indices[i * len(indices) // sample]] for i in range(sample)]
    started = time.monotonic()
    batch = play_chunk(player, [(item, search_seed(seed, item)) for item in chosen])
    records = [score(item, played) for item, played in batch.pairs]
    seconds = time.monotonic() - started
    ledger = total(record.ledger for record in records)
    return Estimate(
        episodes=len(indices),
        sample=sample,
        seconds=seconds,
        tokens=ledger["generated_tokens"],
        prompt=ledger["prompt_tokens"],
        budget_tokens=spec.budget_tokens,
        failed=sum(record.status == "error" for record in records),
        usage=batch.usage,
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"about {seconds:.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 120 else f"about {minutes / 60:.1f} h"
