"""Speed, with pytest-benchmark: `make perf`. No part of the tests: nothing here is asserted."""

from typing import Any

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """What is measured is one core's work, whatever the machine."""
    torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """The slow tail of the potentials, which the tables leave out."""
    for bench in config._benchmarksession.benchmarks:
        info = bench.extra_info
        if "p99_ms" in info:
            terminalreporter.write_line(
                f"{bench.name:36} median {info['median_ms']:9.4f} ms   p99 {info['p99_ms']:9.4f} ms"
            )
