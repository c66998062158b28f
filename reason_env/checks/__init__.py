"""Tests that any family can be put to, its own author's included.

`check_task` holds a family to the `Task` contract; the audits measure what it claims:

    from reason_env.checks import audit_exploits, check_task
    check_task(MyTask())
    audit_exploits(MyTask(), level=1)
"""

from reason_env.checks.audits import (
    LevelFacts,
    audit_expert,
    audit_potential,
    audit_problems,
    audit_shaping,
    random_state,
)
from reason_env.checks.conformance import (
    HOSTILE_LINES,
    MAX_LINES,
    SLOW,
    ConformanceError,
    check_task,
    corrupt_last_number,
)
from reason_env.checks.exploits import EXPLOITS, audit_exploits, expert_lines, solves, tolerated

__all__ = [
    "EXPLOITS",
    "HOSTILE_LINES",
    "MAX_LINES",
    "SLOW",
    "ConformanceError",
    "LevelFacts",
    "audit_expert",
    "audit_exploits",
    "audit_potential",
    "audit_problems",
    "audit_shaping",
    "check_task",
    "corrupt_last_number",
    "expert_lines",
    "random_state",
    "solves",
    "tolerated",
]
