"""reason-train: from nothing to a trained model, and mistakes in one line."""

import json
import sys

import pytest

from agents import cli
from agents.models.hf import HFModel

ENV = "Countdown-v0:feedback=state"
SMALL = ["--layers", 1, "--width", 32, "--heads", 2]


@pytest.fixture
def train(monkeypatch, capsys):
    """Runs the command line; gives exit code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["reason-train", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def start(tmp_path_factory, make_tiny):
    """Folder of an untrained model."""
    folder = tmp_path_factory.mktemp("start") / "model"
    make_tiny().save(folder)
    return folder


def test_tiny_then_sft_then_search_then_ppo(train, tmp_path):
    model = tmp_path / "tiny"
    code, out, _ = train("tiny", "--out", model, *SMALL, "--seed", 1)
    assert (code, out) == (0, f"model: {model}\n")
    for command, *options in (
        ["sft", "--steps", 4, "--batch", 8, "--workers", 0],
        ["expert-iteration", "--rounds", 1, "--problems", 4, "--simulations", 2],
        ["ppo", "--updates", 2, "--problems", 4, "--minibatch", 4, "--reward", "shaped"],
        ["dpo", "--updates", 2, "--problems", 4, "--guide", "policy", "--margin", 0],
    ):
        run = tmp_path / command
        code, out, err = train(command, "--model", model, "--out", run, "--env", ENV, *options)
        assert (code, err) == (0, "")
        assert out.endswith(f"model: {run / 'model'}\n")
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
        config = json.loads((run / "config.json").read_text())
        assert config["trainer"].replace("_", "-") == command
        assert config["envs"] == [{"id": "Countdown-v0", "kwargs": [["feedback", "state"]]}]
        trained = HFModel.load(str(run / "model"))
        assert trained.digest != HFModel.load(str(model)).digest
        model = run / "model"
        assert trained.has_values == (command in ("expert-iteration", "ppo"))


def test_the_same_command_again_resumes(train, start, tmp_path):
    command = ["sft", "--model", start, "--out", tmp_path / "run", "--env", ENV]
    command += ["--steps", 3, "--batch", 4, "--workers", 0]
    assert train(*command)[0] == 0
    before = (tmp_path / "run/metrics.jsonl").read_bytes()
    digest = HFModel.load(str(tmp_path / "run/model")).digest
    assert train(*command)[0] == 0
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == before
    assert HFModel.load(str(tmp_path / "run/model")).digest == digest


@pytest.mark.parametrize("command", ["sft", "ppo", "dpo", "expert-iteration", "reward-model"])
@pytest.mark.parametrize(("row", "message"), [(None, "has no rows"), (4, "no train problem")])
def test_an_empty_prompt_set(train, start, tmp_path, command, row, message):
    """A file without rows, or with one of another split: said before anything is begun."""
    file = tmp_path / "problems.jsonl"
    file.write_text(
        "" if row is None else json.dumps({"question": f"1+{row}?", "answer": str(1 + row)}) + "\n"
    )
    env = f"Jsonl-v0:source={file}"
    code, out, err = train(command, "--model", start, "--out", tmp_path / "run", "--env", env)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "run").exists()


def test_openrlhf_export(train, start, tmp_path):
    out = tmp_path / "out"
    command = ["openrlhf-export", "--model", start, "--env", ENV, "--out", out]
    command += ["--prompts", 16, "--evals", 4, "--estimator", "rloo", "--gpus", 1]
    code, said, err = train(*command)
    assert (code, err) == (0, "")
    assert said == f"OpenRLHF folder: {out} (its README.md says how to run it)\n"
    assert len((out / "prompts.jsonl").read_text().splitlines()) == 16
    assert "--algo.advantage.estimator rloo" in (out / "launch.sh").read_text()
    assert str(start) in (out / "launch.sh").read_text()
    code, _, err = train(*command)
    assert (code, err) == (2, f"error: {out} is not empty; choose another folder\n")


def test_options_are_those_of_the_configurations(train):
    code, out, _ = train("ppo", "--help")
    assert code == 0
    for option in ("--env", "--updates", "--kl-weight", "--lr", "--warmup"):
        assert option in out


RUN = ["--env", ENV, "--steps", 2, "--batch", 2, "--workers", 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "Countdwn-v0"], "Countdown"),
        (["--env", "Countdown-v9"], "Countdown"),
        (["--env", "Countdown-Token-v0"], "Expected an id of step granularity"),
        (["--env", "CartPole-v1"], "CartPole"),
        (["--env", "Countdown-v0:level=9"], "Unknown level of Countdown 9"),
        (["--env", "Countdown-v0:levle=1"], "levle"),
        (["--env", "Countdown-v0:level"], "Expected name=value"),
        ([*RUN, "--expert-share", 2], "expert_share must be in 0..1, received 2.0"),
        ([*RUN, "--steps", 0], "steps"),
        ([*RUN, "--batch", 0], "batch"),
        ([*RUN, "--lr", -1], "lr"),
        ([*RUN, "--model", "/no/such/model"], "No model folder '/no/such/model'"),
        ([], "--env"),
    ],
)
def test_mistakes_of_sft(train, start, tmp_path, arguments, message):
    out_folder = tmp_path / "run"
    code, out, err = train("sft", "--model", start, "--out", out_folder, *arguments)
    assert code == 2, (out, err)
    assert "Traceback" not in out + err
    assert message in err
    # The folder is free for the next try.
    assert not out_folder.exists()


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("ppo", ["--reward", "proces"], "Did you mean 'process'"),
        ("ppo", ["--env", "Countdwn-v0"], "Countdown"),
        ("ppo", ["--env", "Countdown-v0:reward=shaped"], "The reward is a setting of the trainer"),
        ("ppo", ["--updates", 0], "updates"),
        ("ppo", ["--minibatch", 0], "minibatch"),
        ("ppo", ["--estimator", "grp"], "Did you mean 'grpo'"),
        ("ppo", ["--loss", "gsop"], "Did you mean 'gspo'"),
        ("ppo", ["--estimator", "rloo", "--samples", 1], "samples must be 2 or more, received 1"),
        ("ppo", ["--filter-rounds", 2, "--samples", 1], "filter_rounds compares the episodes"),
        ("ppo", ["--estimator", "grpo", "--gamma", 0.9], "gamma must be 1, received 0.9"),
        ("ppo", ["--estimator", "rloo", "--critic-warmup", 1], "estimator=rloo has none"),
        ("ppo", ["--updates", 3, "--critic-warmup", 3], "below 3, received 3"),
        ("ppo", ["--dual-clip", 0.5], "dual_clip must be above 1, or 0 for none"),
        ("ppo", ["--temperature", 0], "temperature must be above 0"),
        ("ppo", ["--kl-estimator", "k1"], "kl_estimator=k1 has no gradient on average"),
        ("ppo", ["--kl-in", "los"], "Did you mean 'loss'"),
        ("ppo", ["--kl-target", 0.1, "--kl-weight", 0], "kl_weight, which is 0"),
        ("ppo", ["--overlong-buffer", 9999], "overlong_buffer must be at most max_tokens"),
        ("ppo", ["--env", "Jsonl-v0:source=/no/such/file.jsonl"], "/no/such/file"),
        ("dpo", ["--smoothing", 0.5], "smoothing must be below 0.5, received 0.5"),
        ("dpo", ["--beta", 0], "beta must be above 0"),
        ("dpo", ["--guide", "orcale"], "Did you mean 'oracle'"),
        ("openrlhf-export", ["--estimator", "grp_norm"], "Did you mean 'group_norm'"),
        ("openrlhf-export", ["--single-turn"], "set step_rewards to false"),
        ("openrlhf-export", ["--env", "Countdown-v0:split=test"], "train split only"),
        ("sft", ["--corrections", 0.5], "add on_invalid=feedback"),
        ("sft", ["--checks", 2], "checks must be in 0..1, received 2.0"),
        ("sft", ["--lora", -1], "lora must be 0 or more"),
        ("expert-iteration", ["--simulations", 0], "simulations must be 1 or more"),
        ("expert-iteration", ["--guide", "orcale"], "Did you mean 'oracle'"),
        ("expert-iteration", ["--budget-tokens", 0], "budget_tokens must be 1 or more"),
        ("expert-iteration", ["--problems", 0], "problems"),
    ],
)
def test_mistakes_of_the_other_trainers(train, start, tmp_path, command, arguments, message):
    given = arguments if "--env" in arguments else ["--env", ENV, *arguments]
    code, out, err = train(command, "--model", start, "--out", tmp_path / "run", *given)
    assert code == 2, (out, err)
    assert "Traceback" not in out + err
    assert message in err
    assert not (tmp_path / "run").exists()


def test_mistakes_of_tiny(train, tmp_path):
    code, _, err = train("tiny", "--out", tmp_path, *SMALL)
    assert (code, err) == (2, f"error: {tmp_path} exists already; choose another folder\n")
    code, _, err = train("tiny", "--out", tmp_path / "odd", "--width", 33)
    assert code == 2
    assert "width must be a multiple of 2 * heads" in err
    code, _, err = train("tiny", "--out", tmp_path / "none", "--layers", 0)
    assert code == 2
    assert list(tmp_path.iterdir()) == []


def test_another_run_is_not_overwritten(train, start, tmp_path):
    out = tmp_path / "run"
    assert train("sft", "--model", start, "--out", out, *RUN)[0] == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    code, _, err = train("sft", "--model", start, "--out", out, *RUN, "--seed", 5)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "another run (it differs in seed)" in err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_mistakes_keep_their_traceback_when_asked(train, monkeypatch, tmp_path):
    monkeypatch.setenv("REASON_DEBUG", "1")
    with pytest.raises(FileExistsError, match="exists already"):
        train("tiny", "--out", tmp_path)
