"""`reason-bench log check` finds every kind of damage, and `recover` keeps all that is whole."""

import json
import random

import pytest

from benchmarks.log import check, recover
from benchmarks.run_folder import AHEAD, EPISODES, RUN, Journal, load_run
from benchmarks.runner import run_suite

ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 9}
SUITE = {"name": "nine", "version": 1, "seed": 0, "entries": [ENTRY]}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "nine.json"
    path.write_text(json.dumps(SUITE))
    return path


@pytest.fixture
def run(suite, tmp_path):
    return run_suite(suite, tmp_path / "run", agent="random", progress=False).folder


def edit(run, change):
    lines = (run / EPISODES).read_bytes().splitlines(keepends=True)
    (run / EPISODES).write_bytes(b"".join(change(lines)))


def changed(line, **fields):
    return json.dumps({**json.loads(line), **fields}).encode() + b"\n"


def test_nothing_is_wrong_with_a_run(run):
    assert check(run, replay=True) == []
    manifest = json.loads((run / RUN).read_text())
    (run / RUN).write_text(json.dumps({**manifest, "status": "running"}))
    edit(run, lambda lines: lines[:4])  # killed: not wrong
    assert check(run, replay=True) == []
    assert "nothing to recover, all 4" in recover(run)


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda s: [*s[:8], s[8][:-7]], {"torn-line", "missing-episodes", "wrong-total"}),
        (lambda s: [*s[:3], b"\0\0\0\n", *s[4:]], {"not-an-episode", "missing-episodes"}),
        (lambda s: [*s[:3], *s[4:]], {"wrong-place", "missing-episodes"}),
        (lambda s: [*s[:3], s[2], *s[4:]], {"wrong-place"}),
        (lambda s: [*s, s[8]], {"wrong-place", "missing-episodes", "wrong-total"}),
        (lambda s: [s[0], changed(s[1], seed=5), *s[2:]], {"wrong-problem"}),
        (lambda s: [s[0], changed(s[1], reward=9.5), *s[2:]], {"wrong-score"}),
        (lambda s: [s[0], changed(s[1], solved=True), *s[2:]], {"wrong-score", "wrong-total"}),
        (lambda s: [s[0], changed(s[1], indx=1), *s[2:]], {"not-an-episode"}),
        (lambda s: [s[0], b"[" * 90000 + b"\n", *s[2:]], {"not-an-episode"}),
    ],
)
def test_damage_is_found(run, change, codes):
    edit(run, change)
    found = {finding.code for finding in check(run, replay=True)}
    assert codes <= found
    assert found - codes <= {"wrong-total", "missing-episodes"}


def test_a_manifest_that_lies_or_cannot_be_read(run):
    manifest = json.loads((run / RUN).read_text())
    (run / RUN).write_text(json.dumps({**manifest, "solved": 9}))
    [finding] = check(run)
    assert str(finding) == "wrong-total: run.json: solved is 9, but the episodes give 0"
    config = {**manifest["config"], "suite_hash": "0" * 64}
    (run / RUN).write_text(json.dumps({**manifest, "config": config}))
    assert [finding.code for finding in check(run)] == ["wrong-suite"]
    (run / RUN).write_text("{")
    assert [finding.code for finding in check(run)] == ["damaged-manifest"]
    with pytest.raises(ValueError, match="not known any more"):
        recover(run)
    (run / RUN).unlink()
    for action in (check, recover):
        with pytest.raises(FileNotFoundError, match="not a run folder"):
            action(run)


def test_recovery_loses_no_whole_episode_and_the_run_goes_on(suite, run, monkeypatch):
    whole = (run / EPISODES).read_bytes()
    damage = [
        lambda s: [*s[:3], b"\xff\xfe\n", *s[4:]],
        lambda s: [*s[:3], *s[5:]],
        lambda s: [s[1], s[0], *s[2:]],
        lambda s: [*s[:5], s[2], *s[5:7], b'{"index": 7, "torn'],
        lambda s: [b"\n", *s[1:]],
        lambda s: s[:-1],
    ]
    lost = [{3}, {3, 4}, set(), {7, 8}, {0}, {8}]
    from benchmarks import players

    played = []
    real = players._play_agent
    monkeypatch.setattr(
        players,
        "_play_agent",
        lambda agent, env, seed: (played.append(1), real(agent, env, seed))[1],
    )
    for number, (change, missing) in enumerate(zip(damage, lost)):
        edit(run, change)
        before = (run / EPISODES).read_bytes()
        told = recover(run)
        if missing != {8}:
            assert f"kept {9 - len(missing)} of 9" in told
            backups = sorted(run.glob(f"{EPISODES}.damaged*"), key=lambda p: p.stat().st_mtime_ns)
            assert backups[-1].read_bytes() == before
            assert len(backups) == number + 1
        played.clear()
        run_suite(suite, run, agent="random", progress=False)
        assert len(played) == len(missing)
        assert (run / EPISODES).read_bytes() == whole
        assert not (run / AHEAD).exists()
        assert check(run, replay=True) == []


def test_random_bytes_never_break_it(suite, run):
    whole = (run / EPISODES).read_bytes()
    rng = random.Random(0)
    for _ in range(15):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(data))
            data[place : place + rng.randrange(30)] = rng.randbytes(rng.randrange(30))
        (run / EPISODES).write_bytes(bytes(data))
        check(run, replay=True)
        recover(run)
        finished = run_suite(suite, run, agent="random", progress=False)
        records = [e.to_line() for e in finished.episodes]
        assert len(records) == 9
        assert load_run(run).manifest.episodes == 9
        assert sum(a != b.decode() for a, b in zip(records, whole.splitlines(True))) <= 5
        (run / EPISODES).write_bytes(whole)


def test_a_run_that_is_going_on_is_left_alone(run):
    with Journal(run, range(9)), pytest.raises(ValueError, match="Another process is running"):
        recover(run)
