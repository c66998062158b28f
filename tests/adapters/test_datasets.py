"""Questions and answers from files and from what `datasets` loads."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from reason_env import ReasonEnv, make_task
from reason_env.adapters.datasets import AIME, GSM8K, MATH500, Jsonl
from reason_env.adapters.text import to_charset
from reason_env.errors import MissingExtra
from reason_env.problem import Problem
from reason_env.splits import split_of

EXCERPT = Path(__file__).parent.parent / "data" / "gsm8k_excerpt.jsonl"
ROWS = [{"question": f"What is {n} times 7?", "answer": str(7 * n)} for n in range(200)]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write rows to a file and give its path."""

    def written(rows: Any, name: str = "rows.jsonl") -> str:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return written


def outcome(env: Any, problem: Problem, *lines: str) -> tuple[float, str]:
    env.reset(options={"problem": problem})
    for line in lines:
        *_, info = env.step(line)
    return info["terms"]["outcome"], info["reason"]


# -- Playing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", ["", "-Token", "-Episode"])
def test_check_env(granularity: str) -> None:
    env_id = f"reason_env/GSM8K{granularity}-v0"
    check_env(gymnasium.make(env_id, source=str(EXCERPT), split="test").unwrapped)


def test_every_row_of_gsm8k_is_asked_and_its_gold_scores() -> None:
    env: Any = gymnasium.make("reason_env/GSM8K-v0", source=str(EXCERPT), split="test").unwrapped
    problems = env.task.pool(1, "test")
    assert len(problems) == 16
    golds = [problem.solution for problem in problems]
    assert {"-10", "2125", "114200", "18", "3"} <= set(golds), "no commas are left"
    for problem in problems:
        prompt, _ = env.reset(options={"problem": problem})
        assert f"#### {problem.solution}" not in prompt
        thought = env.step("Let me see: 2 + 2 = 5, and so on.")
        assert thought[1:4] == (0.0, False, False), "lines before the answer are thoughts"
        right, wrong = f"answer: {problem.solution}", f"answer: {problem.solution}7"
        assert outcome(env, problem, right) == (1.0, "")
        assert outcome(env, problem, wrong)[0] == 0.0
        assert outcome(env, problem, f"answer: {problem.solution} + 0")[0] == 0.0, "unevaluated"
        assert outcome(env, problem, "answer:")[0] == 0.0


def test_the_answer_is_not_to_be_seen() -> None:
    env: Any = gymnasium.make("reason_env/GSM8K-Token-v0", source=str(EXCERPT), split="test")
    _, info = env.reset(seed=0)
    assert info == {"level": 1}
    assert env.unwrapped.legal_lines() == []
    assert env.unwrapped.action_masks().all(), "a mask that follows the gold answer would tell it"


def test_rows_survive_the_charset() -> None:
    euros = [row for row in EXCERPT.read_text(encoding="utf-8").splitlines() if "\\u20ac" in row]
    assert euros
    prompts = [str(p.data) for p in GSM8K(EXCERPT).pool(1, "test")]
    assert any("EUR 5" in prompt or "EUR " in prompt for prompt in prompts)
    assert any("Janet's ducks" in prompt for prompt in prompts)
    assert not any("?" in prompt.replace("? ", "").rstrip("?") for prompt in prompts)


def test_potential_and_expert() -> None:
    env = ReasonEnv("GSM8K", source=str(EXCERPT), split="test", reward="shaped")
    env.reset(seed=0)
    assert env.potential() == 0.9
    gold = env.expert_line(np.random.default_rng(0))
    assert gold == f"answer: {env.episode.problem.solution}"
    *_, info = env.step("answer: 123456789")
    assert env.potential() == 0.0
    assert info["terms"]["outcome"] == 0.0
    env.reset(seed=0)
    *_, info = env.step(gold)
    assert (env.potential(), info["terms"]["outcome"]) == (1.0, 1.0)


def test_columns_by_name(write: Any) -> None:
    rows = [
        {
            "facts": "All cats purr.",
            "query": "True or false: cats purr.",
            "label": "True",
            "hard": 2,
        },
        {
            "facts": "No dog purrs.",
            "query": "True or false: dogs purr.",
            "label": "False",
            "hard": 1,
        },
    ]
    task = Jsonl(
        write(rows),
        question=["facts", "query"],
        answer="label",
        form="text",
        level_column="hard",
        most_levels=2,
        holdout="dev",
    )
    [easy] = task.pool(1, "dev")
    [hard] = task.pool(2, "dev")
    assert easy.data == "No dog purrs.\nTrue or false: dogs purr."
    assert hard.solution == "True"
    env = ReasonEnv(task, split="dev")
    assert outcome(env, easy, "answer: False") == (1.0, "")
    assert outcome(env, easy, "answer: True or False")[0] == 0.0


def test_expressions_and_whole_numbers(write: Any) -> None:
    rows = [{"problem": "Factor x^2 - 1.", "answer": r"(x-1)(x+1)"}]
    task = MATH500(write(rows))
    [problem] = task.pool(1, "test")
    env = ReasonEnv(task, split="test")
    assert outcome(env, problem, "answer: $(x+1)(x-1)$") == (1.0, "")
    assert outcome(env, problem, "answer: x+1")[0] == 0.0
    [problem] = AIME(write([{"problem": "How many?", "answer": "025"}])).pool(1, "test")
    assert problem.solution == "25"


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        ("What percent of 8 is 2?", "25%", True),
        ("What percentage is that?", r"$25\%$", True),
        ("What percent of 8 is 2?", "25 percent", True),
        ("What percent of 8 is 2?", "25", True),
        ("What percent of 8 is 2?", "0.25", False),
        ("What percent of 8 is 2?", "20% + 5%", False),
        ("How many?", "25%", False),
    ],
)
def test_per_cent_where_it_is_asked_for(
    write: Any, question: str, answer: str, right: bool
) -> None:
    task = Jsonl(write([{"question": question, "answer": "25"}]), holdout="test")
    [problem] = task.pool(1, "test")
    assert outcome(ReasonEnv(task), problem, f"answer: {answer}")[0] == float(right)


def test_gold_answers_that_are_no_mathematics_are_texts(write: Any) -> None:
    rows = [{"question": "When?", "answer": r"6:30 \text{ p.m. (EST)}"}]
    task = Jsonl(write(rows), holdout="test")
    [problem] = task.pool(1, "test")
    env = ReasonEnv(task)
    assert outcome(env, problem, f"answer: {problem.solution}")[0] == 1.0
    assert outcome(env, problem, "answer: 6:30 p.m. (EST)")[0] == 1.0
    assert outcome(env, problem, "answer: 6:30")[0] == 0.0


def test_a_gold_answer_that_cannot_be_used_is_not_told(write: Any) -> None:
    rows = [{"question": "How many?", "answer": "about 12"}]
    task = Jsonl(write(rows), form="value", holdout="test")
    [problem] = task.pool(1, "test")
    reason = outcome(ReasonEnv(task), problem, "answer: 12")[1]
    assert reason == "unscored: the gold answer cannot be used"


# -- Splits --------------------------------------------------------------------------------------


def test_rows_are_split_by_content(write: Any) -> None:
    task = Jsonl(write(ROWS))
    pools = {split: task.pool(1, split) for split in ("train", "dev", "test")}
    assert sum(map(len, pools.values())) == len(ROWS)
    assert len(pools["train"]) > 130
    moved = Jsonl(write(list(reversed(ROWS)), "other.jsonl"))
    for split, problems in pools.items():
        assert set(problems) == set(moved.pool(1, split)), "the order of the rows does not matter"
        assert all(split_of(task, problem) == split for problem in problems)


def test_spaces_and_case_do_not_make_another_problem(write: Any) -> None:
    task = Jsonl(write(ROWS))
    for problem in task.pool(1, "test"):
        other = Problem("Jsonl", 1, str(problem.data).upper().replace(" ", "  "), "1")
        assert split_of(task, other) == "test"


def test_a_published_test_file_is_a_test_set() -> None:
    env: Any = gymnasium.make("reason_env/GSM8K-v0", source=str(EXCERPT)).unwrapped
    with pytest.raises(ValueError, match=r"no train problem.*\(1, 'test'\): 16.*holdout='test'"):
        env.reset(seed=0)
    assert len(GSM8K(EXCERPT, holdout="train").pool(1, "train")) == 16


def test_a_folder_as_datasets_loads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code path of hub ids; the hub's own splits are kept, and a question that is in two of
    them is only a test problem."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mine"
    folder.mkdir()
    parts = {"train": ROWS[:150], "test": [*ROWS[150:], ROWS[0]]}
    for split, rows in parts.items():
        text = "\n".join(json.dumps(row) for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    task = Jsonl(str(folder), form="value")
    pools = {split: task.pool(1, split) for split in ("train", "dev", "test")}
    asked = {split: {problem.data for problem in pool} for split, pool in pools.items()}
    assert asked["test"] == {row["question"] for row in parts["test"]}
    assert asked["train"] | asked["dev"] == {row["question"] for row in ROWS[1:150]}
    assert not asked["train"] & asked["dev"]
    assert len(asked["dev"]) < 40


# -- Mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['{"question": "1 + 1?", "answer": "2"'], r"rows\.jsonl line 1: not JSON"),
        ([ROWS[0], "", "[1]"], r"line 3: expected an object, received list"),
        (["[" * 100_000], r"line 1: not JSON"),
        ([{"question": "1 + 1?", "anwser": "2"}], r"line 1: Unknown column 'answer'.*'anwser'"),
        ([{"question": "", "answer": "2"}], r"line 1: the question is empty"),
        ([ROWS[0], {"question": "1?", "answer": " "}], r"line 2: the answer is empty"),
        ([{"question": "1?", "answer": ["2"]}], r"line 1: answer must be text.*received list"),
        ([{"question": "1?", "answer": None}], r"line 1: answer must be text.*received NoneType"),
        ([{"question": "a" * 9000, "answer": "2"}], r"line 1: the question has 9001 tokens"),
        ([], r"has no rows"),
    ],
)
def test_bad_rows_are_named(write: Any, rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Jsonl(write(rows))


def test_bad_levels_are_named(write: Any) -> None:
    rows = [{"question": "1?", "answer": "2", "level": 9}]
    with pytest.raises(ValueError, match=r"line 1: level must be a whole number in 1\.\.5.*'9'"):
        MATH500(write(rows), question="question", level_column="level")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"form": "expresion"}, "form 'expresion'.*Did you mean 'expression'"),
        ({"holdout": "tset"}, "holdout 'tset'.*Did you mean 'test'"),
        ({"holdout": "source"}, "holdout 'source'"),
        ({"anwser": "x"}, "keyword argument 'anwser'.*Did you mean 'answer'"),
        ({"levl": 1}, "keyword argument 'levl'.*Did you mean 'level'"),
    ],
)
def test_bad_settings_are_named(write: Any, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gymnasium.make("reason_env/Jsonl-v0", source=write(ROWS), **kwargs)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"No file at .*nowhere\.jsonl"):
        gymnasium.make("reason_env/Jsonl-v0", source="nowhere.jsonl")


def test_a_source_is_needed() -> None:
    env = gymnasium.make("reason_env/Jsonl-v0")
    with pytest.raises(ValueError, match="Jsonl needs a source"):
        env.reset(seed=0)


def test_datasets_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"pip install 'reason-env\[datasets\]'"):
        make_task("GSM8K").pool(1, "test")


def test_what_datasets_cannot_load(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neither a \.jsonl or \.json file nor a data set"):
        Jsonl(str(tmp_path / "nothing-here")).pool(1, "test")


def test_problems_of_ones_own_are_checked() -> None:
    env = ReasonEnv("GSM8K", source=str(EXCERPT), split="test")
    with pytest.raises(ValueError, match="Expected a question and a solution"):
        env.reset(options={"problem": Problem("GSM8K", 1, "1 + 1?")})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\u00e9 \u2014 \u201cna\u00efve\u201d", 'cafe - "naive"'),
        ("3\u00bd \u00d7 \u2212 2", "3 1/2 * - 2"),
        ("a\r\nb\tc", "a\nb    c"),
        ("x \u2264 5\u00b0", "x <= 5 degrees"),
        ("\u6f22", "?"),
        ("plain", "plain"),
    ],
)
def test_text_in_the_charset(text: str, shown: str) -> None:
    assert to_charset(text) == shown


# -- Shared between tasks ------------------------------------------------------------------------


def asked(task: Jsonl) -> list[tuple[str, Any]]:
    return [(str(problem.data), problem.solution) for problem in task._problems]


def test_a_file_is_parsed_once_for_all_tasks_alike(write: Any) -> None:
    source = write(ROWS)
    first, second = Jsonl(source), Jsonl(source)
    assert first._problems is second._problems
    for number in range(20):  # others in between, more than are kept
        Jsonl(write(ROWS[:3], f"{number}.jsonl"))
    assert Jsonl(source)._problems is not first._problems
    assert asked(Jsonl(source)) == asked(first)


def test_a_file_that_changed_is_parsed_again(write: Any) -> None:
    source = write([{"question": "What is 1 + 1?", "answer": "2"}])
    assert asked(Jsonl(source)) == [("What is 1 + 1?", "2")]
    write([{"question": "What is 10 + 10?", "answer": "20"}])
    assert asked(Jsonl(source)) == [("What is 10 + 10?", "20")]


def test_other_settings_are_parsed_apart(write: Any) -> None:
    source = write([{"question": "Q", "problem": "P", "answer": "#### 1", "final": "2", "n": "2"}])
    assert asked(Jsonl(source)) == [("Q", "#### 1")]
    assert asked(GSM8K(source)) == [("Q", "1")]
    assert asked(Jsonl(source, question="problem")) == [("P", "#### 1")]
    assert asked(Jsonl(source, question=["question", "problem"])) == [("Q\nP", "#### 1")]
    assert asked(Jsonl(source, answer="final")) == [("Q", "2")]
    (problem,) = Jsonl(source, level_column="n", most_levels=2)._problems
    assert problem.level == 2
    with pytest.raises(ValueError, match=r"whole number in 1\.\.1"):
        Jsonl(source, level_column="n")


def test_a_class_from_elsewhere_shares_nothing(write: Any) -> None:
    class Mine(Jsonl):
        ending = ""

        def _gold(self, text: str) -> str:
            return text + self.ending

    source = write([{"question": "Q", "answer": "1"}])
    assert asked(Mine(source)) == [("Q", "1")]
    Mine.ending = "0"
    assert asked(Mine(source)) == [("Q", "10")]
