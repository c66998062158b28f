"""Speed, with pytest-benchmark: `make perf`. No part of the tests: nothing here is asserted."""

from typing import Any

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """What is measured is one core's work, whatever the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ratios() -> dict[str, float]:
    """Best seconds by what was run, for benchmarks that compare themselves with others."""
    return {}


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """What the tables leave out: the slow tail of the potentials, and what benchmarks note."""
    for bench in config._benchmarksession.benchmarks:
        info = bench.extra_info
        if "p99_ms" in info:
            terminalreporter.write_line(
                f"{bench.name:36} median {info['median_ms']:9.4f} ms   p99 {info['p99_ms']:9.4f} ms"
            )
        if "note" in info:
            terminalreporter.write_line(f"{bench.name:36} {info['note']}")
