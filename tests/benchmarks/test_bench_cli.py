"""reason-bench: help, results, and mistakes in one line."""

import json
import subprocess
import sys

import pytest

from benchmarks.commands import parse_options
from reason_env import make_task, task_names


def test_run_compare_and_report(bench, tmp_path):
    common = ["run", "smoke", "--limit", 4]
    code, out, _ = bench(*common, "--agent", "random", "--out", tmp_path / "a", "--label", "floor")
    assert code == 0
    assert "floor / random (oracle)" in out
    code, out, _ = bench(*common, "--agent", "expert", "--out", tmp_path / "b", "--label", "top")
    assert (code, "4/4" in out) == (0, True)
    code, out, _ = bench("compare", tmp_path / "a", tmp_path / "b")
    assert (code, "top / expert against floor / random" in out) == (0, True)
    code, out, _ = bench("report", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "report")
    assert code == 0
    assert (tmp_path / "report/report.md").is_file()
    assert (tmp_path / "report/report.html").is_file()
    assert str(tmp_path / "report") in out.replace("\n", "")


def test_shards_merge_and_logs(bench, tmp_path):
    for number in (1, 2):
        code, *_ = bench(
            *("run", "smoke", "--agent", "random", "--shard", f"{number}/2", "--trees", 0),
            *("--out", tmp_path / f"shard-{number}"),
        )
        assert code == 0
    shards = [tmp_path / "shard-2", tmp_path / "shard-1"]
    code, out, _ = bench("merge", *shards, "--out", tmp_path / "run")
    assert (code, "0/8" in out) == (0, True)
    code, out, _ = bench("log", "check", tmp_path / "run", "--replay")
    assert (code, "nothing is wrong" in out) == (0, True)
    with (tmp_path / "run/episodes.jsonl").open("a") as file:
        file.write('{"torn')
    code, out, _ = bench("log", "check", tmp_path / "run")
    assert code == 1
    assert out.startswith("torn-line: episodes.jsonl, line 9: 6 bytes without a newline")
    code, out, _ = bench("log", "recover", tmp_path / "run")
    assert (code, "kept 8 of 8 episodes" in out) == (0, True)
    assert bench("log", "check", tmp_path / "run")[0] == 0


def test_preflight_leaves_nothing(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = bench("run", "smoke", "--agent", "random", "--preflight")
    assert (code, "played for this" in out) == (0, True)
    assert list(tmp_path.iterdir()) == []
    code, _, err = bench("run", "smoke", "--agent", "random")
    assert (code, "name one with --out" in err) == (2, True)


def test_problems_put_in_more_words(bench, tmp_path):
    """Prompts are the player's affair: the problems and their scores stay the suite's."""
    common = ["run", "smoke", "--agent", "random", "--limit", 3]
    bench(*common, "--out", tmp_path / "compact")
    code, out, _ = bench(*common, "--prompt", "verbose", "--out", tmp_path / "verbose")
    assert (code, "random (prompt=verbose)" in out) == (0, True)
    lines = [(tmp_path / name / "episodes.jsonl").read_text() for name in ("compact", "verbose")]
    assert lines[0] == lines[1]
    code, _, err = bench(*common, "--out", tmp_path / "verbose")
    assert (code, "differs in prompt" in err) == (2, True)


def test_schema(bench):
    code, out, _ = bench("schema", "episode")
    assert code == 0
    assert json.loads(out)["properties"]["solved"]["type"] == "boolean"


def test_envs_lists_every_environment(bench):
    code, out, err = bench("envs")
    assert (code, err) == (0, "")
    rows = {cells[0]: cells[1:] for cells in map(str.split, out.splitlines()) if len(cells) >= 5}
    for name in [*task_names(), *task_names(adapters=True)]:
        assert f"reason_env/{name}-v0" in rows
    assert rows["reason_env/Countdown-v0"] == ["5", "public", "lines", "-"]
    assert rows["reason_env/GSM8K-v0"] == ["1", "private", "answer", "datasets"]
    assert "reasoning-gym" in rows["reason_env/rg-chain_sum-v0"]
    code, out, _ = bench("envs", "countdown")
    assert "Arithmetic" not in out
    assert "reason_env/Countdown-v0" in out


@pytest.mark.parametrize("name", task_names())
def test_show_plays_an_expert_of_every_family(bench, name):
    for level in make_task(name).levels:
        code, out, err = bench("show", name, "--level", level, "--seed", 7)
        assert (code, err) == (0, "")
        assert f"reason_env/{name}-v0  level {level} of" in out
        assert "invalid" not in out.partition("changed: ")[0]
        total = next(line for line in out.splitlines() if line.strip().startswith("return"))
        assert 0 < float(total.split()[-1]) <= 1, "the outcome of 1, less the first potential"


def test_show_tells_of_settings_and_changed_lines(bench):
    code, out, _ = bench(
        "show", "reason_env/Countdown-v0", "--prompt", "compact", "--option", "feedback=state"
    )
    assert code == 0
    assert " -> " in out
    assert "Line 1 changed: " in out
    again = bench("show", "Countdown", "--prompt", "compact", "--option", "feedback=state")
    assert again[1] == out, "the same seed shows the same"


def test_audit_prints_a_row_for_every_level(bench):
    code, out, err = bench("audit", "WaterJugs", "Arithmetic", "--problems", 20)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines() if "20/20" in line]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"] * 2
    code, _, err = bench("audit", "MATH500")
    assert (code, "steps of MATH500 are not verified" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Coutdown"], "Did you mean 'Countdown'?"),
        (["reason_env/Coutdown-v0"], "Countdown"),
        (["Countdown", "--level", 9], "expected one of: 1, 2, 3, 4, 5"),
        (["Countdown", "--split", "tset"], "Did you mean 'test'?"),
        (["Countdown", "--option", "sauce=1"], "keyword argument 'sauce'"),
        (["Jsonl"], "Jsonl needs a source"),
    ],
)
def test_show_mistakes_are_one_line(bench, arguments, message):
    code, out, err = bench("show", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "smok", "--agent", "random"], "Did you mean 'smoke'?"),
        (["run", "none.json", "--agent", "random"], "No suite file at none.json"),
        (["run", "smoke"], "needs a model or an agent"),
        (["run", "smoke", "--agent", "rndom"], "Did you mean 'random'?"),
        (["run", "smoke", "--agent", "random", "--option", "n"], "Expected --option NAME=VALUE"),
        (["report", "none", "--transcripts", -1], "transcripts must be 0 or more"),
    ],
)
def test_mistakes_are_one_line(bench, tmp_path, arguments, message):
    code, out, err = bench(*arguments, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_debug_keeps_the_traceback(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("REASON_DEBUG", "1")
    with pytest.raises(ValueError, match="Unknown suite"):
        bench("run", "smok", "--agent", "random", "--out", tmp_path / "run")


def test_a_file_in_place_of_a_folder(bench, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = bench("run", "smoke", "--agent", "random", "--out", tmp_path / "file")
    assert (code, "error: " in err, "file" in err) == (2, True, True)


def test_help_names_every_command(bench):
    code, out, _ = bench("--help")
    assert code == 0
    for command in ("run", "report", "compare", "list"):
        assert command in out


def test_a_missing_extra_is_named(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    code, _, err = bench("list")
    assert code == 2
    assert err.startswith("error: 'typer' is not installed; it comes with the extra 'bench'")


def test_options():
    assert parse_options(["n=8", "c=1.5", "root=gumbel", "flag=true"]) == {
        "n": 8,
        "c": 1.5,
        "root": "gumbel",
        "flag": True,
    }
    for bad in (["n"], ["=1"], ["n="]):
        with pytest.raises(ValueError, match="NAME=VALUE"):
            parse_options(bad)
    with pytest.raises(ValueError, match="given twice"):
        parse_options(["n=1", "n=2"])


def test_help_needs_no_torch():
    code = "import sys, benchmarks.commands; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
