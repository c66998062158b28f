"""Tests that any family can be put to: `check_task` holds it to the `Task` contract.

from reason_env.checks import check_task
check_task(MyTask())
"""

from reason_env.checks.conformance import (
    HOSTILE_LINES,
    MAX_LINES,
    SLOW,
    ConformanceError,
    check_task,
    corrupt_last_number,
)

__all__ = [
    "HOSTILE_LINES",
    "MAX_LINES",
    "SLOW",
    "ConformanceError",
    "check_task",
    "corrupt_last_number",
]
