"""The 1,362 puzzles of the game of 24."""

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from reason_env.adapters.game24 import PAPER_RANKS, Game24, _puzzles
from reason_env.checks import check_task, expert_lines
from reason_env.splits import SPLITS, split_of


def test_it_is_a_family_as_any_other() -> None:
    check_task(Game24(), seeds=range(2))
    for granularity in ("", "-Token", "-Episode"):
        check_env(gymnasium.make(f"reason_env/Game24{granularity}-v0").unwrapped)


def test_all_puzzles_are_there_and_can_be_solved() -> None:
    task = Game24()
    puzzles = _puzzles()
    assert list(puzzles) == list(range(1, 1363))
    assert len({task.canonical(problem) for problem in puzzles.values()}) == 1362
    assert puzzles[1].data == ((6, 4, 1, 1), 24)
    rng = np.random.default_rng(0)
    for problem in puzzles.values():
        assert task.potential(problem, task.initial(problem)) == 0.9**3
        assert len(expert_lines(task, problem, rng)) == 3


def test_levels_are_quarters_and_splits_disjoint() -> None:
    task = Game24()
    pools = {
        (level, split): set(task.pool(level, split)) for level in task.levels for split in SPLITS
    }
    assert sum(map(len, pools.values())) == 1362
    by_level = [sum(len(pools[level, split]) for split in SPLITS) for level in task.levels]
    assert max(by_level) - min(by_level) <= 1
    assert all(pools.values())


def test_the_puzzles_of_the_paper_are_for_testing() -> None:
    task = Game24()
    assert {split_of(task, _puzzles()[rank]) for rank in PAPER_RANKS} == {"test"}
    others = {split_of(task, problem) for rank, problem in _puzzles().items() if rank < 901}
    assert others == {"train", "dev", "test"}
