"""Behaviours of recorded runs: the shares by hand, in reports and on the command line."""

import pytest

from benchmarks.behaviours import behaviour_table, describe, episode_behaviours
from benchmarks.report import write_report
from benchmarks.runner import run_suite
from benchmarks.suite import make_env


class Reasoner:
    """Claims to see a way, takes one back, and never solves anything."""

    def reset(self, seed):
        self.lines = 0

    def act(self, observation):
        self.lines += 1
        first, second = observation.split("\n")[0].split(" -> ")[0].split()[:2]
        claim = f"{first} + {second} = {int(first) + int(second)}"
        return ["check: open", claim, "undo", "answer: 1"][self.lines - 1]


@pytest.fixture
def run(tmp_path):
    return run_suite(
        "smoke", tmp_path / "run", agent="test_behaviour_report:Reasoner", progress=False
    )


def test_by_hand(run):
    episode = next(e for e in run.episodes if "Countdown" in e.env)
    found = episode_behaviours(episode)
    env = make_env(episode.env, episode.kwargs)
    env.reset(seed=episode.seed)
    assert found["checks"].right == (env.potential() > 0)
    assert {name: one.tried for name, one in found.items() if one.tried} == {
        "checks": 1,
        "completion": 1,
    }


def test_table_and_report(run, tmp_path):
    table = behaviour_table([run])
    header, _, row = table.strip().split("\n")
    cells = dict(
        zip(*([c.strip() for c in line.split("|")[1:-1]] for line in (header, row)), strict=True)
    )
    assert cells["analysis"].startswith("0.0 %")
    assert cells["checks true"].endswith(f"of {len(run.episodes)}")
    assert describe([run.folder]).startswith(table)
    report = write_report([run.folder], tmp_path / "report").read_text()
    assert "### Behaviours" in report
    assert table.strip() in report
