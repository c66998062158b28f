"""Sweeps: equal budgets in units of a greedy answer, and killed ones go on to the same bytes."""

import json
import re
import struct

import pytest
import torch

from agents.models.hf import HFModel
from agents.models.scripted import ScriptedModel
from agents.models.tiny import TinyConfig, tiny_model
from agents.search import strategy_names
from benchmarks import sweep as module
from benchmarks.metrics import summarise
from benchmarks.paired import pair
from benchmarks.players import load_writer
from benchmarks.regret import run_regret
from benchmarks.run_folder import load_run
from benchmarks.suite import Suite, resolve
from benchmarks.sweep import SETTINGS, SINGLE, parse_multiples, settings_of, sweep
from reason_env.tasks.countdown import Countdown

TASK = Countdown()


def suite_of(episodes=6, level=1, **kwargs):
    kwargs = {"level": level, "split": "dev", "feedback": "state", **kwargs}
    entry = {"env": "reason_env/Countdown-v0", "kwargs": kwargs, "episodes": episodes}
    return Suite.from_json({"name": "tiny", "version": 1, "seed": 0, "entries": [entry]})


def any_move(text, seed):
    """Some move that the numbers shown last allow, likelier ones first; first a thought where the
    target is odd, so that answers differ in length."""
    if int(re.findall(r"-> (\d+)", text)[0]) % 2 and "see" not in text:
        return "let me see"
    numbers = re.findall(r"^(?:> )?(.*) -> ", text, re.MULTILINE)[-1].split()
    if len(numbers) < 2:
        return {"<eos>": 0.9, "undo": 0.1}
    moves = {
        f"{a} {sign} {b}": 0.0
        for i, a in enumerate(numbers)
        for j, b in enumerate(numbers)
        for sign in "+-*"
        if i < j
    }
    weights = {move: 1.0 / (1 + place) for place, move in enumerate(moves)}
    return {move: weight / sum(weights.values()) for move, weight in weights.items()}


def model():
    return ScriptedModel(any_move, name="any move")


def run(out, *, suite=None, writer=None, said=None, **kwargs):
    say = (lambda text: None) if said is None else said.append
    suite = suite_of() if suite is None else suite
    kwargs = {"multiples": (1, 2, 4), "progress": False, **kwargs}
    return sweep(suite, out, model=writer or model(), say=say, **kwargs)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep")
    return out, run(out)


def test_every_strategy_has_a_row():
    """A new strategy needs a row that says how it uses a budget."""
    assert set(SETTINGS) == set(strategy_names())


def test_the_unit_is_a_greedy_answer(swept):
    out, found = swept
    greedy = load_run(out / "greedy")
    tokens = [episode.ledger["generated_tokens"] for episode in greedy.episodes]
    assert sum(tokens) % 6, "a whole mean would not tell how it is rounded"
    assert sum(tokens) / 6 <= found.unit < sum(tokens) / 6 + 1
    assert greedy.manifest.config["budget_tokens"] is None, "the suite's own, which has none"
    assert json.loads((out / "sweep.json").read_text())["unit"] == {
        "tokens": found.unit,
        "mean": sum(tokens) / 6,
        "unfinished": greedy.manifest.unfinished,
    }


def test_every_strategy_gets_every_budget_and_stays_in_it(swept):
    out, found = swept
    grown = [name for name in strategy_names() if name not in SINGLE]
    points = [(point.strategy, point.multiple) for point in found.points]
    assert sorted(points, key=str) == sorted(
        [("greedy", None), ("sample", None), *((n, m) for n in grown for m in (1, 2, 4))], key=str
    )
    assert points[0] == ("greedy", None)
    for point in found.points:
        name = point.strategy if point.multiple is None else f"{point.strategy}-{point.multiple}x"
        stored = load_run(out / name)
        assert stored.episodes == point.run.episodes
        assert stored.manifest.errors == 0
        if point.multiple is not None:
            assert point.budget == point.multiple * found.unit
            spent = [episode.ledger["generated_tokens"] for episode in stored.episodes]
            assert max(spent) <= point.budget


def test_more_tokens_solve_more(swept):
    _, found = swept
    solved = {(p.strategy, p.multiple): p.run.manifest.solved for p in found.points}
    assert solved["mcts", 4] > solved["mcts", 1]


def test_the_data_are_those_of_the_runs(swept):
    out, found = swept
    data = json.loads((out / "sweep.json").read_text())
    assert (data["suite_hash"], data["episodes"]) == (resolve(suite_of()).hash, 6)
    for point, row in zip(found.points, data["points"], strict=True):
        stored = load_run(out / row["folder"])
        summary = summarise(stored.episodes)
        assert (row["strategy"], row["multiple"]) == (point.strategy, point.multiple)
        assert (row["solved"], row["accuracy"]["value"]) == (summary.solved, summary.solved / 6)
        assert (row["wilson"]["low"], row["wilson"]["high"]) == pytest.approx(
            (summary.wilson.low, summary.wilson.high)
        )
        assert row["per_problem"]["generated_tokens"] == pytest.approx(summary.tokens)
        assert row["per_problem"]["verifier_calls"] == stored.manifest.ledger["verifier_calls"] / 6
        assert row["options"].items() <= stored.manifest.config["options"].items()
        assert row["division"] == stored.division == "open"
        assert row["regret"]["value"] == run_regret(stored).regret.value
    for row in data["comparisons"]:
        first = load_run(out / f"best_of_n-{row['multiple']}x")
        second = load_run(out / f"{row['strategy']}-{row['multiple']}x")
        paired = pair(first.episodes, second.episodes)
        assert (row["gained"], row["lost"], row["p"]) == (paired.gained, paired.lost, paired.p)
        assert row["budget"] == first.manifest.config["budget_tokens"]
        assert row["p"] <= row["p_holm"] <= 1
    assert len(data["comparisons"]) == 3 * (len(strategy_names()) - len(SINGLE) - 1)


def test_the_report_has_every_point(swept):
    out, found = swept
    text = (out / "sweep.md").read_text()
    assert text.startswith("# Accuracy against generated tokens: tiny v1: 6 problems\n")
    assert f"a greedy answer: {found.unit} generated tokens" in text
    for point in found.points:
        multiple = "suite's" if point.multiple is None else f"{point.multiple}x"
        assert f"| {point.strategy} | {multiple} |" in text
    assert "All points are open." in text
    data = (out / "sweep.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert 1000 < width < 2000
    assert 600 < height < 1200


class Killed(Exception):
    pass


class Mortal(ScriptedModel):
    """The same model, which dies at a call."""

    def __init__(self, dies):
        super().__init__(any_move, name="any move")
        self.left = dies

    def generate(self, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().generate(*args, **kwargs)


def files(out):
    """Everything that a sweep has written, times and machine aside."""
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.jsonl")}
    data = json.loads((out / "sweep.json").read_text())
    for point in data["points"]:
        del point["seconds"]
    found |= {name: (out / name).read_bytes() for name in ("sweep.md", "sweep.png")}
    return found | {"sweep.json": data}


def test_killed_anywhere_it_goes_on_to_the_same_bytes(tmp_path):
    settings = {"strategies": ["best_of_n", "beam"], "multiples": (1, 3), "chunk": 2}
    whole = Mortal(10**9)
    run(tmp_path / "whole", writer=whole, **settings)
    calls = 10**9 - whole.left
    out, said = tmp_path / "killed", []
    for dies in (1, 2, *range(calls // 8, calls, calls // 8)):
        try:
            run(out, writer=Mortal(dies), said=said, **settings)
        except Killed:
            assert not (out / "sweep.json").exists()
        else:
            break
    assert dies > calls // 8, "it was killed thrice at least"
    assert "tiny greedy: done before" in said
    assert "tiny 1x best_of_n: done before" in said
    assert files(out) == files(tmp_path / "whole")
    # Once all is there, nothing is asked of the model again.
    again = Mortal(0)
    run(out, writer=again, **settings)
    assert files(out) == files(tmp_path / "whole")


def test_budgets_below_one_answer_are_skipped(tmp_path):
    quitter = ScriptedModel(lambda text, seed: {"<eos>": 0.9, "1 + 1": 0.1}, name="quitter")
    said = []
    found = run(tmp_path, writer=quitter, strategies=["best_of_n"], multiples=(64, 1, 2), said=said)
    assert found.unit == 1
    assert list(found.skipped) == [1, 2]
    assert [point.multiple for point in found.points] == [None, 64]
    assert said[0].startswith("1x is skipped: budget_tokens=1 is below one answer")
    data = json.loads((tmp_path / "sweep.json").read_text())
    assert [(row["multiple"], row["budget"]) for row in data["skipped"]] == [(1, 1), (2, 2)]
    assert (
        "2x was skipped: budget_tokens=2 is below one answer" in (tmp_path / "sweep.md").read_text()
    )
    only = run(tmp_path / "b", writer=quitter, strategies=["sample"], multiples=(1,))
    assert [point.strategy for point in only.points] == ["greedy", "sample"]
    assert "Not compared" in (tmp_path / "b/sweep.md").read_text()


def test_strategies_can_use_their_budgets(tmp_path):
    """Under a guide that never knows a solution to be right, so that none stops early."""
    found = run(tmp_path, suite=suite_of(2, level=3), guide="policy", multiples=(16,))
    for point in found.points:
        if point.multiple:
            used = summarise(point.run.episodes).tokens / point.budget
            # Beams of the same lines are one beam: their rounds may be less than full.
            assert used > (0.5 if point.strategy in ("beam", "dvts") else 0.9), point.name


@pytest.mark.parametrize("multiple", [1, 2, 3, 7, 32, 64, 100])
def test_grids_are_no_larger_than_the_multiple(multiple):
    for name, options in (("beam", ("width", "branch")), ("dvts", ("trees", "branch"))):
        settings = settings_of(name, multiple, 9 * multiple)
        first, second = (settings[option] for option in options)
        assert multiple / 2 < first * second <= multiple
    assert settings_of("hybrid", multiple, 9)["chains"] ** 2 <= multiple
    assert settings_of("best_of_n", multiple, 9)["parallel"] <= max(1, multiple / 8)


def test_settings_are_refused_before_any_work(tmp_path, monkeypatch):
    for arguments, message in (
        ({"strategies": ["mcst"]}, "Did you mean 'mcts'"),
        ({"strategies": ["mcts", "beam", "mcts"]}, "'mcts' is named twice in mcts,beam,mcts"),
        ({"multiples": ()}, "multiples must be different whole numbers"),
        ({"multiples": (0, 1)}, r"received \[0, 1\]"),
        ({"multiples": (2, 2)}, r"received \[2, 2\]"),
        ({"guide": "prm"}, "process reward model"),
        ({"limit": 0}, "limit must be 1 or more"),
        ({"reward_model": ScriptedModel(any_move)}, "serves the guides value and prm"),
    ):
        with pytest.raises(ValueError, match=message):
            run(tmp_path / "out", **arguments)
    monkeypatch.delitem(SETTINGS, "mcts")
    with pytest.raises(ValueError, match=r"'mcts' has no row in benchmarks\.sweep\.SETTINGS"):
        run(tmp_path / "out")
    monkeypatch.setitem(SETTINGS, "mcts", lambda multiple, budget: {"simulation": 1})
    with pytest.raises(ValueError, match="Did you mean 'simulations'"):
        run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_holds_one_sweep(tmp_path):
    run(tmp_path, strategies=["best_of_n"], multiples=(2,))
    with pytest.raises(ValueError, match="holds another run, which differs in seed"):
        run(tmp_path, strategies=["best_of_n"], multiples=(2,), seed=1)
    # More of the same sweep is welcome.
    more = run(tmp_path, strategies=["best_of_n", "mcts"], multiples=(2, 4))
    assert len(more.points) == 5


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds something else than a sweep \(notes.txt\)"):
        run(tmp_path, strategies=["best_of_n"], multiples=(2,))
    with pytest.raises(ValueError, match=r"notes.txt is no folder"):
        run(tmp_path / "notes.txt", strategies=["best_of_n"], multiples=(2,))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_reward_model_guides_all(tmp_path):
    critic = ScriptedModel(any_move, name="critic", reward=lambda text: 0.5)
    settings = {"strategies": ["beam"], "multiples": (4,), "guide": "prm"}
    found = run(tmp_path, reward_model=critic, **settings)
    options = found.points[-1].run.manifest.config["options"]
    assert (options["guide"], options["reward_model"]) == ("prm", critic.digest[:12])
    assert len(critic.valued) > 0
    assert "guide `prm`" in (tmp_path / "sweep.md").read_text()


def test_the_oracle_division_is_named(tmp_path):
    found = run(tmp_path, strategies=["mcts"], multiples=(4,), guide="oracle")
    assert found.points[-1].run.division == "oracle"
    assert "Oracle division: " in (tmp_path / "sweep.md").read_text()


def test_a_suite_without_potentials_has_no_regret(tmp_path):
    rows = [{"question": f"What is {n} plus one?", "answer": str(n + 1)} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kwargs = {"source": str(tmp_path / "rows.jsonl"), "holdout": "test", "split": "test"}
    entry = {"env": "reason_env/Jsonl-v0", "kwargs": kwargs, "episodes": 3}
    suite = Suite.from_json({"name": "rows", "version": 1, "seed": 0, "entries": [entry]})
    guesser = ScriptedModel(
        lambda text, seed: {f"answer: {n}": 0.25 for n in range(1, 5)}, name="guesser"
    )
    found = run(tmp_path / "out", suite=suite, writer=guesser, strategies=["best_of_n"])
    assert {point.regret for point in found.points} == {None}
    text = (tmp_path / "out/sweep.md").read_text()
    assert "No regret: only the answers of these families are verified." in text
    assert json.loads((tmp_path / "out/sweep.json").read_text())["points"][0]["regret"] is None


def test_multiples_are_read():
    assert parse_multiples("1, 2,64") == [1, 2, 64]
    with pytest.raises(ValueError, match="Expected multiples such as 1,2,4,8, received '1;2'"):
        parse_multiples("1;2")


def test_command_line(tmp_path, monkeypatch, capsys):
    torch.set_num_threads(1)
    HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2))).save(tmp_path / "model")
    loads = []
    monkeypatch.setattr(
        module, "load_writer", lambda path, real=load_writer: loads.append(path) or real(path)
    )
    from benchmarks import cli

    def bench(*arguments):
        monkeypatch.setattr("sys.argv", ["reason-bench", *map(str, arguments)])
        monkeypatch.setattr("sys.path", [*__import__("sys").path])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    common = ["sweep", "smoke", "--model", tmp_path / "model", "--limit", 1]
    common += ["--out", tmp_path / "out", "--strategies", "best_of_n, mcts", "--multiples", "1,2"]
    code, out, err = bench(*common)
    assert (code, err) == (0, "")
    assert "5 points; a greedy answer takes" in out
    assert loads == [str(tmp_path / "model")], "loaded once for all runs"
    data = json.loads((tmp_path / "out/sweep.json").read_text())
    assert data["model"] == str(tmp_path / "model")
    code, out, err = bench(*common)
    assert out.count("done before") == 5
    code, out, err = bench("regret", tmp_path / "out/greedy", tmp_path / "out/mcts-2x")
    assert (code, err) == (0, "")
    assert out.count("| 0.0 % [") == 2
    code, out, err = bench(*common, "--multiples", "two")
    assert code != 0
    assert "Expected multiples such as 1,2,4,8, received 'two'" in err
