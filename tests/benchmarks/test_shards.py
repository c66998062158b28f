"""Shards and their merge, and episodes that are finished before their turn."""

import json
from dataclasses import replace

import pytest

from agents.models.scripted import ScriptedModel
from benchmarks.executors import Batch, local
from benchmarks.merge import merge
from benchmarks.run_folder import AHEAD, EPISODES, RUN, TREES, Journal, load_run, read_trees
from benchmarks.runner import TREES as KEPT
from benchmarks.runner import run_suite

ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 7}
SUITE = {"name": "fourteen", "version": 1, "seed": 0, "budget_tokens": 100}
SUITE |= {"entries": [ENTRY, {**ENTRY, "kwargs": {"level": 2, "split": "dev"}}]}


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "fourteen.json"
    path.write_text(json.dumps(SUITE))
    return path


MODEL = ScriptedModel(lambda text, seed: {"1 + 1 = 2": 0.5, "undo": 0.3, "let us see": 0.2})


def play(suite, out, **arguments):
    return run_suite(suite, out, progress=False, **{"agent": "random", **arguments})


def searched(suite, out, **arguments):
    mcts = {"model": MODEL, "agent": None, "strategy": "mcts", "options": {"simulations": 4}}
    return play(suite, out, **mcts, **arguments)


@pytest.mark.parametrize("count", [1, 3, 14])
def test_shards_merge_to_the_bytes_of_one_run(suite, tmp_path, count):
    whole = searched(suite, tmp_path / "whole")
    shards = [tmp_path / f"shard-{number}" for number in range(count)]
    for number, folder in enumerate(shards):
        run = searched(suite, folder, shard=(number + 1, count), chunk=2)
        assert load_run(folder).manifest.shard == (number + 1, count)
        assert [e.index for e in run.episodes] == list(range(14))[number::count]
    merged = merge(shards[::-1], tmp_path / "merged")
    names = {path.name for path in merged.folder.iterdir()}
    assert names == {RUN, EPISODES, TREES}
    for name in (EPISODES, TREES):
        assert (merged.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    seconds = sum(load_run(folder).manifest.seconds for folder in shards)
    assert replace(merged.manifest, seconds=0) == replace(whole.manifest, seconds=0)
    assert merged.manifest.seconds == pytest.approx(seconds, abs=0.01)
    # A merged run is a run like any other: the command gives it back.
    assert searched(suite, tmp_path / "merged").episodes == whole.episodes


def test_what_cannot_be_merged(suite, tmp_path):
    first, second, other, whole = (tmp_path / name for name in "abcd")
    play(suite, first, shard=(1, 2))
    play(suite, second, shard=(2, 2))
    play(suite, other, shard=(2, 2), seed=1)
    play(suite, whole)
    out = tmp_path / "out"
    for shards, message in (
        ([], "nothing to merge"),
        ([first], "Expected shards 1/2 to 2/2, each once, received 1/2"),
        ([first, first, second], "each once, received 1/2, 1/2, 2/2"),
        ([first, other], "of another run than .*: seed differ"),
        ([first, whole], "is no shard but a whole run"),
    ):
        with pytest.raises(ValueError, match=message):
            merge(shards, out)
        assert not out.exists()
    with pytest.raises(FileExistsError, match="not overwritten"):
        merge([first, second], whole)
    manifest = json.loads((second / RUN).read_text())
    (second / RUN).write_text(json.dumps({**manifest, "status": "running"}))
    with pytest.raises(ValueError, match="7 of 7 episodes"):
        merge([first, second], out)


@pytest.mark.parametrize(
    ("shard", "message"),
    [((0, 2), "from 1 to N, received 0/2"), ((3, 2), "received 3/2"), ((15, 15), "has none")],
)
def test_no_such_shard(suite, tmp_path, shard, message):
    with pytest.raises(ValueError, match=message):
        play(suite, tmp_path / "run", shard=shard)
    assert not (tmp_path / "run").exists()


def test_a_shard_is_another_run_than_the_whole(suite, tmp_path):
    play(suite, tmp_path / "run", shard=(1, 2))
    with pytest.raises(ValueError, match="differs in shard"):
        play(suite, tmp_path / "run")
    with pytest.raises(ValueError, match="differs in shard"):
        play(suite, tmp_path / "run", shard=(2, 2))


def test_search_trees_of_the_first_episodes_of_each_entry(suite, tmp_path):
    run = searched(suite, tmp_path / "run")
    trees = read_trees(run.folder)
    assert list(trees) == [0, 1, 2, 7, 8, 9]
    assert len(trees) == 2 * KEPT
    for index, tree in trees.items():
        assert tree[0]["parent"] == -1
        assert all(0 <= node["parent"] < place for place, node in enumerate(tree) if place)
        lines = {node["line"] for node in tree}
        assert not run.episodes[index].actions or run.episodes[index].actions[0] in lines
    searched(suite, tmp_path / "none", trees=0)
    assert not (tmp_path / "none" / TREES).exists()
    assert (tmp_path / "none" / EPISODES).read_bytes() == (run.folder / EPISODES).read_bytes()


def test_trees_of_a_killed_run_come_out_the_same(suite, tmp_path):
    run = searched(suite, tmp_path / "run").folder
    trees, episodes = (run / TREES).read_bytes(), (run / EPISODES).read_bytes()
    manifest = json.loads((run / RUN).read_text())
    lines = trees.splitlines(keepends=True)
    cuts = [b"", lines[0], lines[0] + lines[1][:-9], trees, trees + b'{"index": 13, "tr']
    for kept in (0, 1, 8, 13):
        for cut in cuts:
            head = b"".join(episodes.splitlines(keepends=True)[:kept])
            due = [line for line in lines if json.loads(line)["index"] < kept]
            if len(cut) < sum(map(len, due)):
                continue  # a tree is written before its episode
            (run / EPISODES).write_bytes(head)
            (run / TREES).write_bytes(cut)
            (run / RUN).write_text(json.dumps({**manifest, "status": "running"}))
            searched(suite, run)
            assert (run / TREES).read_bytes() == trees
            assert (run / EPISODES).read_bytes() == episodes


class Dies(Exception):
    pass


def backwards(player, deaths):
    """Workers that finish the last chunk first, and a run that dies after so many chunks."""

    def run(chunks, trees):
        for count, chunk in enumerate(reversed(chunks)):
            if count == deaths:
                raise Dies
            yield from local(player)([chunk], trees)

    return run


def test_episodes_ahead_of_their_turn_survive_a_death(suite, tmp_path, monkeypatch):
    whole = searched(suite, tmp_path / "whole").folder
    from benchmarks import runner

    played = []

    def make(spec, player, workers):
        def counting(items, seeds):
            played.extend(item.index for item in items)
            return player(items, seeds)

        return backwards(counting, deaths.pop(0))

    monkeypatch.setitem(runner.EXECUTORS, "local", make)
    run, deaths = tmp_path / "run", [2, 2, 99]
    for expected in (4, 8):
        with pytest.raises(Dies):
            searched(suite, run, chunk=2)
        assert (run / EPISODES).read_bytes() == b""
        lines = (run / AHEAD).read_bytes().splitlines()
        assert len(lines) == expected
        with (run / AHEAD).open("ab") as file:
            file.write(lines[0][:40])  # torn
    searched(suite, run, chunk=2)
    assert sorted(played) == list(range(14))
    for name in (EPISODES, TREES):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert not (run / AHEAD).exists()


def test_an_episode_ahead_that_is_not_the_suites_is_refused(suite, tmp_path):
    run = play(suite, tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with Journal(tmp_path / "empty", range(14)) as journal:
        journal.add(replace(run.episodes[5], seed=1))
    (tmp_path / "empty" / RUN).write_text(
        json.dumps({**json.loads((run.folder / RUN).read_text()), "status": "running"})
    )
    with pytest.raises(ValueError, match="episode 5 is not the suite's"):
        play(suite, tmp_path / "empty")


def test_usage_adds_up_over_chunks_and_sessions(suite, tmp_path, monkeypatch):
    from benchmarks import runner

    def make(spec, player, workers):
        def run(chunks, trees):
            for number, chunk in enumerate(chunks):
                if number == 2 and not deaths.pop():
                    raise Dies
                batch = next(local(player)([chunk], trees))
                yield Batch(batch.pairs, {"requests": 2, "cost": 0.5, "currency": "USD"})

        return run

    monkeypatch.setitem(runner.EXECUTORS, "local", make)
    deaths = [True, False]
    with pytest.raises(Dies):
        play(suite, tmp_path / "run", chunk=2)
    run = play(suite, tmp_path / "run", chunk=2)
    assert run.manifest.usage == {"requests": 14, "cost": 3.5, "currency": "USD"}
    assert load_run(run.folder).manifest.usage == run.manifest.usage
    assert runner.add_usage({"cost": None}, {"cost": 1.0}) == {"cost": None}
