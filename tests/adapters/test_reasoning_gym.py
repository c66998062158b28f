"""The reasoning-gym adapter: every data set is safe to score, exact, and the same everywhere."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from reason_env import Kind, Problem, ReasonEnv, Snapshot, State, make_task, task_names
from reason_env.adapters import reasoning_gym as adapter
from reason_env.adapters.reasoning_gym import DATASETS, EXCLUDED, ReasoningGym
from reason_env.adapters.reasoning_gym_expressions import is_elementary
from reason_env.adapters.reasoning_gym_scoring import CHECKS, FORMS, is_right
from reason_env.errors import MissingExtra
from reason_env.sandbox import SandboxRaised, SandboxTimeout
from reason_env.splits import SPLITS, draw, split_of
from reason_env.tokenizer import CHARSET, TOKENIZER

library = pytest.importorskip("reasoning_gym")

TOWER = "9**9**9**9"
NO_EXPERT = {"rush_hour"}
"""Data sets for which no solution is known beforehand."""


def problem_of(name: str, seed: int = 0, level: int = 1) -> tuple[ReasoningGym, Problem]:
    task = ReasoningGym(name)
    return task, task.generate(np.random.default_rng(seed), level)


def answered(task: ReasoningGym, problem: Problem, answer: str) -> State:
    verdict = task.step(problem, task.initial(problem), f"answer: {answer}")
    assert verdict.kind is Kind.ANSWER
    assert verdict.valid == task.is_solved(problem, verdict.state)
    assert verdict.valid or verdict.reason
    return verdict.state


def gold_of(task: ReasoningGym, problem: Problem) -> str | None:
    line = task.expert_step(problem, task.initial(problem), np.random.default_rng(0))
    return None if line is None else line.removeprefix("answer: ")


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return run.stdout


# -- Every data set ------------------------------------------------------------------------------


def test_every_data_set_is_registered_or_excluded() -> None:
    assert set(library.factory.DATASETS) == {*DATASETS, *EXCLUDED}
    assert [f"rg-{name}" for name in DATASETS] == [n for n in task_names(True) if "rg-" in n]
    for name in DATASETS:
        task = make_task(f"rg-{name}")
        assert (task.name, task.levels[0], task.extras) == (f"rg-{name}", 1, ("reasoning-gym",))
        for granularity in ("", "-Token", "-Episode"):
            assert f"reason_env/rg-{name}{granularity}-v0" in gymnasium.registry


@pytest.mark.parametrize("name", DATASETS)
def test_gold_is_right_and_nothing_else(name: str, tmp_path: Path) -> None:
    task, problem = problem_of(name)
    question = str(problem.data)
    gold = gold_of(task, problem)
    assert (gold is None) == (name in NO_EXPERT)
    if gold is not None:
        assert answered(task, problem, gold) == State("correct", gold)
        for more in (f"{gold} banana", f"banana {gold}", f"{gold}, banana", rf"{gold}\nbanana"):
            assert not task.is_solved(problem, answered(task, problem, more)), more[:80]
        if len(gold) > 12 and gold not in question:
            assert gold not in repr(problem), "the problem tells its solution"

    canary = tmp_path / "canary"
    touch = f"__import__('pathlib').Path('{canary}').touch()"
    wrong = ["", "banana", "nan", "[]", "{}", TOWER, touch, f"[{touch}]", "9" * 10_000, "(" * 5_000]
    for answer in [*wrong, question.replace("\n", r"\n"), "answer: banana"]:
        state = answered(task, problem, answer)
        assert not task.is_solved(problem, state), answer[:80]
        assert task.potential(problem, state) == 0.0
    assert not canary.exists(), "an answer was run as code"

    for style in ("compact", "verbose"):
        prompt = task.prompt(problem, style)
        assert set(prompt) <= CHARSET
        assert prompt == prompt.strip("\n")
        assert len(TOKENIZER.encode(prompt)) < getattr(task.room, style)
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


def test_the_canary_is_alive(tmp_path: Path) -> None:
    """The library's own scorer runs it: the test above can fail."""
    canary = tmp_path / "canary"
    data = library.create_dataset("string_insertion", seed=1)
    data.score_answer(f"__import__('pathlib').Path('{canary}').touch()", data[0])
    assert canary.exists()


def digests(names: Sequence[str]) -> dict[str, str]:
    """Of one item and its gold answer, at the lowest and the top level."""
    found = {}
    for name in names:
        for level in {1, DATASETS[name].levels}:
            task, problem = problem_of(name, seed=3, level=level)
            told = repr((problem, gold_of(task, problem)))
            found[f"{name} {level}"] = hashlib.sha256(told.encode()).hexdigest()
    return found


def test_items_are_the_same_in_every_process() -> None:
    """Whatever was made before, and whatever the hash seed."""
    code = (
        f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_reasoning_gym import DATASETS, digests\n"
        "print(json.dumps(digests(list(DATASETS))))"
    )
    here = digests(list(reversed(DATASETS)))
    there = json.loads(python(code, PYTHONHASHSEED="12345"))
    assert len(here) > len(DATASETS)
    assert {item for item in here if here[item] != there[item]} == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_facts(name: str) -> None:
    """Every level: items fit, the expert is right, and the items differ."""
    task = ReasoningGym(name)
    for level in task.levels:
        rng = np.random.default_rng([level, 5])
        problems = [task.generate(rng, level) for _ in range(40)]
        for problem in problems:
            gold = gold_of(task, problem)
            assert gold is not None or name in NO_EXPERT
            if gold is not None:
                assert task.is_solved(problem, answered(task, problem, gold))
                for more in (f"{gold} banana", f"{gold}, banana", rf"banana\n{gold}"):
                    assert not task.is_solved(problem, answered(task, problem, more)), more[:80]
                assert len(TOKENIZER.encode(gold)) + 8 < task.budget(level).tokens
        assert len({problem.data for problem in problems}) > 25


# -- Holes in the library's scorers, closed ------------------------------------------------------

RATIONAL = {"rational": {"numerator": 1, "denominator": 32768}}


@pytest.mark.parametrize(
    ("name", "answer", "metadata", "right", "wrong"),
    [
        (
            "countdown",
            "",
            {"target": 100, "numbers": [2, 3, 5, 90]},
            ["90 + 3 + 2 + 5", "(90+2) + (3+5)", "-(-90 - 2 - 3) + 5"],
            ["90 + 10", "90 + 2*5", "100", "90 + 3 + 2 + 5.0", "2**3*5 + 90", "+".join(["1"] * 99)],
        ),
        ("countdown", "", {"target": 1, "numbers": [3, 3]}, ["3/3"], ["3//3", "3 / 3 = 1", "3 3"]),
        ("puzzle24", "", {"numbers": [8, 3, 1, 1]}, ["8*3*1*1", "8*3/(1/1)"], ["6*4*1*1", "8/0"]),
        (
            "coin_flip",
            "3.051757812e-05",
            RATIONAL,
            ["1/32768", "0.00003051757812", "3.051757812e-05"],
            ["0", "0.0", "0.0001", "1/0", "1/32700", "1e-9", "1.5e-05"],
        ),
        ("coin_flip", "0.5", {"rational": {"numerator": 1, "denominator": 2}}, ["1/2"], ["0", "5"]),
        (
            "polynomial_multiplication",
            "-63*x**2*y + 17*x - 4",
            {},
            ["-63*x**2*y + 17*x - 4", "17*x - 4 - 63*y*x**2", "-4+17*x-63*x**2*y"],
            ["x*(17 - 63*x*y) - 4", "-63*x*x*y + 17*x - 4", "7*9*x", "10*x + 7*x - 4 - 63*x**2*y"],
        ),
        ("gsm_symbolic", "5", {}, ["5", "5.0", "05"], ["-5", "5 or 6", "5%", "1,005", "five"]),
        (
            "number_sorting",
            "['-1.5', '2.0']",
            {},
            ["['-1.5', '2.0']", "[-1.5, 2]"],
            ["['-1.4', '2.0']", "['2.0', '-1.5']", "[]", '{"a": 1}', "[[1], 2]"],
        ),
        ("figlet_font", "TREMENDOUSLY", {}, ["tremendously"], ["tremendousXX", "TREMENDOUSLYS"]),
        ("letter_jumble", "to be", {}, ["to be", "To Be"], ["to be or not", "be to"]),
        (
            "game_of_life",
            "[[0,1],[0,0]]",
            {},
            ["[[0, 1], [0, 0]]"],
            ["[[0,1,1],[0,0],[0]]", "[[0,true],[0,0]]", "[[0,1]]", "0"],
        ),
        ("game_of_life_halting", "False", {}, ["False"], ["banana", "True", "false?"]),
        ("codeio", '{"a": 1}', {}, ['{"a":1}'], ['{"a": "1"}', '{"a": true}', 'it is {"a": 1}']),
        ("prime_factorization", "2\u00d73", {}, ["3 \u00d7 2"], ["6", "1\u00d76", "-2\u00d7-3"]),
    ],
)
def test_own_checks(
    name: str, answer: str, metadata: dict[str, Any], right: list[str], wrong: list[str]
) -> None:
    entry = {"question": "", "answer": answer, "metadata": metadata}
    assert name in CHECKS
    for given in right:
        assert is_right(name, None, entry, given), given
    for given in [*wrong, "", TOWER, "print(1)"]:
        assert not is_right(name, None, entry, given), given


def test_forms_come_before_the_librarys_scorer(soon: Callable[..., Any]) -> None:
    """A scorer that takes anything still takes only what has the form."""
    lenient = SimpleNamespace(score_answer=lambda answer, entry: 1.0)
    entry = {"metadata": {}}
    for name in sorted(FORMS.keys() - CHECKS.keys()):
        for given in ("", "banana?", TOWER, "print(1)", "nan", "inf", "1e999999999"):
            assert not is_right(name, lenient, entry, given), (name, given)
    for given in ("A " * 60 + "!", "A, " * 60 + "!", "1 " * 900 + "!", "1, " * 900 + "!"):
        # No backtracking.
        assert not any(soon(0.5, form.fullmatch, given) for form in FORMS.values())
    assert is_right("complex_arithmetic", lenient, entry, "(-6.0 + 14.0i)")
    assert is_right("advanced_geometry", lenient, entry, "(1.5, -0.25)")
    assert is_right("fraction_simplification", lenient, entry, r"$\frac{2}{3}$")
    assert is_right("chain_sum", lenient, entry, "-1,234.0")
    assert is_right("rubiks_cube", lenient, entry, "U' R F2")


@pytest.mark.parametrize(
    "text",
    [
        "-3*X**3*sin(X) - 9*X**2*cos(X) + C",
        "2*(9*X - 1)**(3/2)/3",
        "E**(-X - 8)",
        "log(X)*sqrt(X) + pi",
        "(X**2 + 1)**2 / 4",
    ],
)
def test_elementary(text: str) -> None:
    assert is_elementary(text, "X")


@pytest.mark.parametrize(
    "text",
    [
        "Integral(X, X)",
        "Integral(X)",
        "X.__class__",
        "__import__('os')",
        "lambda: X",
        "(X := 1)",
        "[X for X in C]",
        "X**X**X",
        "X**(2**9)",
        "(9**9)**9",
        "X**99999",
        "sin(X)(X)",
        "sin(X, X)",
        "sin(x=X)",
        "nan",
        "zoo",
        "S('print(1)')",
        "Symbol",
        "Y",
        "X if C else X",
        "1e999",
        "",
        "X" * 3000,
        "(" * 1000 + "X" + ")" * 1000,
        "-" * 1990 + "X",
    ],
)
def test_not_elementary(text: str) -> None:
    assert not is_elementary(text, "X")


def test_moves_that_do_nothing_are_wrong() -> None:
    """One long list of moves would solve most boards if the impossible ones were skipped."""
    sweep = " ".join(f"{car}{way}5" for _ in range(9) for way in "+-" for car in "BCDEFGHIJKLM")
    for seed in range(20):
        task, problem = problem_of("rush_hour", seed)
        assert not task.is_solved(problem, answered(task, problem, sweep + " A+4"))

    task, problem = problem_of("sokoban")
    gold = gold_of(task, problem)
    assert gold is not None
    bumps = [gold[:i] + 4 * move + gold[i:] for i in range(3) for move in "LRUD"]
    assert not any(task.is_solved(problem, answered(task, problem, moves)) for moves in bumps)
    assert not task.is_solved(problem, answered(task, problem, gold + " banana"))

    task, problem = problem_of("boxnet")
    gold = gold_of(task, problem)
    assert gold is not None
    idle = {"Agent[0.5, 0.5]": "move(box_pink, target_pink)"}
    for actions in ([idle, *json.loads(gold)], [*json.loads(gold), idle], json.loads(gold)[:-1]):
        assert not task.is_solved(problem, answered(task, problem, json.dumps(actions)))


def test_answers_that_are_right_in_another_form() -> None:
    task, problem = problem_of("quantum_lock")
    gold = gold_of(task, problem)
    assert gold is not None
    assert "->" in gold
    assert task.is_solved(problem, answered(task, problem, gold.replace(" -> ", " ")))
    task, problem = problem_of("rotate_matrix")
    gold = gold_of(task, problem)
    assert gold is not None
    assert r"\n" in gold, "a line break is spelt out"
    assert not task.is_solved(problem, answered(task, problem, gold.replace(r"\n", " ")))


# -- As a task -----------------------------------------------------------------------------------


def test_docstring_episode() -> None:
    prompt, thought, answer = (
        line.strip()
        for line in str(adapter.__doc__).split("are thoughts:")[1].split("\n\n")[1].split("\n")
    )
    env: Any = gymnasium.make("reason_env/rg-chain_sum-v0").unwrapped
    observation, _ = env.reset(seed=6)
    assert observation == f"{prompt}\n"
    assert env.potential() == pytest.approx(0.9)
    assert list(env.legal_lines()) == []
    _, reward, terminated, truncated, info = env.step(thought)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert (info["kind"], info["valid"]) == ("thought", True)
    assert env.expert_line(np.random.default_rng(0)) == answer
    observation, reward, terminated, truncated, info = env.step(answer)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert observation == f"{prompt}\n{thought}\n{answer}\n"
    assert env.potential() == 1.0
    assert env.expert_line(np.random.default_rng(0)) is None


@pytest.mark.parametrize("granularity", ["", "-Token", "-Episode"])
@pytest.mark.parametrize("name", ["chain_sum", "n_queens", "advanced_geometry", "rush_hour"])
def test_check_env(name: str, granularity: str) -> None:
    for kwargs in ({}, {"prompt": "verbose", "reward": "shaped", "feedback": "state"}):
        check_env(gymnasium.make(f"reason_env/rg-{name}{granularity}-v0", **kwargs).unwrapped)


@pytest.mark.parametrize("granularity", ["", "-Token", "-Episode"])
def test_same_return_at_every_granularity(granularity: str) -> None:
    env: Any = gymnasium.make(f"reason_env/rg-spiral_matrix{granularity}-v0").unwrapped
    env.reset(seed=2)
    gold = env.expert_line(np.random.default_rng(0))
    for text, outcome in ((f"hm\n{gold}\n", 1.0), (f"hm\n{gold} 7\n", 0.0)):
        env.reset(seed=2)
        actions: Any = {
            "": text.splitlines(),
            "-Token": TOKENIZER.encode(text),
            "-Episode": [text],
        }[granularity]
        results = [env.step(action) for action in actions]
        assert sum(reward for _, reward, *_ in results) == outcome
        assert results[-1][2:4] == (True, False)


def test_the_solution_is_not_shown() -> None:
    env: Any = gymnasium.make("reason_env/rg-caesar_cipher-v0").unwrapped
    observation, info = env.reset(seed=1)
    problem = env.episode.problem
    gold = gold_of(env.task, problem)
    assert gold is not None
    assert info == {"level": 1}
    assert observation == f"{problem.data}\n"
    _, _, terminated, _, info = env.step("answer: banana")
    assert terminated
    assert info["reason"] == "the answer is wrong"
    for told in (observation, info, problem, env.episode, vars(env), vars(env.task)):
        assert gold not in repr(told)


def test_snapshots() -> None:
    env: Any = gymnasium.make("reason_env/rg-zebra_puzzles-v0", split="dev").unwrapped
    env.reset(seed=4)
    env.step("a thought")
    snapshot = env.snapshot()
    wanted = env.step("answer: Anna")
    stored = Snapshot.from_json(json.loads(json.dumps(snapshot.to_json())))
    fresh: Any = gymnasium.make("reason_env/rg-zebra_puzzles-v0", split="dev").unwrapped
    for other in (env, fresh):
        other.restore(stored)
        assert other.step("answer: Anna") == wanted


def test_splits_are_decided_by_the_question() -> None:
    task = ReasoningGym("basic_arithmetic")
    rng = np.random.default_rng(0)
    found = {split: {draw(task, rng, 1, split).data for _ in range(60)} for split in SPLITS}
    assert not found["train"] & (found["dev"] | found["test"])
    assert not found["dev"] & found["test"]
    problem = draw(task, rng, 1, "test")
    again = Problem(problem.task, 1, problem.data, (1, "{}"))
    assert split_of(task, again) == "test", "whatever the seed"


def test_threads() -> None:
    task = ReasoningGym("chain_sum")
    problems = [task.generate(np.random.default_rng(i), 1) for i in range(8)]
    golds = [gold_of(task, problem) for problem in problems]

    def solved(place: int) -> bool:
        problem, gold = problems[place % 8], golds[(place + place // 8 % 2) % 8]
        return task.is_solved(problem, answered(task, problem, str(gold)))

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(solved, range(64)))
    assert results == [golds[(i + i // 8 % 2) % 8] == golds[i % 8] for i in range(64)]
    assert True in results
    assert False in results


# -- Mistakes ------------------------------------------------------------------------------------


def test_config() -> None:
    env: Any = gymnasium.make(
        "reason_env/rg-chain_sum-v0", config={"min_terms": 6, "max_terms": 6}
    ).unwrapped
    observation, _ = env.reset(seed=0)
    assert sum(observation.count(sign) for sign in "+-") >= 5
    problem = Problem.from_json(json.loads(json.dumps(env.episode.problem.to_json())))
    plain = ReasonEnv("rg-chain_sum")
    plain.reset(options={"problem": problem})
    assert plain.episode.problem == problem, "a problem carries its config"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"min_digit": 3}, "Unknown config name 'min_digit'.*Did you mean 'min_digits'"),
        ({"seed": 3}, "Unknown config name 'seed'"),
        ({"size": 3}, "Unknown config name 'size'"),
        ({"min_digits": -3}, "does not take the config.*min_digits must be positive"),
        ({"min_digits": "three"}, "does not take the config"),
        ({"min_digits": {1, 2}}, "must map names of fields to JSON values"),
        ({"min_digits": float("nan")}, "must map names of fields to JSON values"),
        (["min_digits"], "must map names of fields to JSON values"),
    ],
)
def test_bad_config(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReasonEnv("rg-chain_sum", config=config).reset(seed=0)


def test_config_without_usable_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_DRAWS", 3)
    config = {"min_n": 100, "max_n": 100}
    with pytest.raises(ValueError, match=r"no usable item at level 1.*does not fit in"):
        ReasonEnv("rg-spiral_matrix", config=config).reset(seed=0)


def test_generators_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        raise SandboxTimeout("The call took more than 20 s")

    calls: list[Any] = []
    monkeypatch.setattr(adapter, "_call", call)
    with pytest.raises(ValueError, match=r"no usable item.*took more than 20 s"):
        problem_of("chain_sum")
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SandboxTimeout("The call took more than 5 s"), "unscored: The call took more than 5 s"),
        (SandboxRaised("ValueError", "the answer is 42"), "unscored: the scorer raised ValueError"),
    ],
)
def test_unscored(error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task, problem = problem_of("chain_sum")
    state = task.initial(problem)

    def call(action: str, *args: Any, **kwargs: Any) -> Any:
        if action == "score":
            raise error
        return [problem.data, "17"]

    monkeypatch.setattr(adapter, "_call", call)
    verdict = task.step(problem, state, "answer: 42")
    assert (verdict.valid, verdict.reason) == (False, reason)
    assert verdict.state == State("unscored", "42")
    assert not task.is_solved(problem, verdict.state)
    assert task.potential(problem, verdict.state) == 0.0


def test_a_scorer_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    task, problem = problem_of("simple_integration")
    gold = gold_of(task, problem)
    assert gold is not None
    variable = "x" if " dx" in str(problem.data) else "X"
    monkeypatch.setattr(adapter, "SCORE_SECONDS", 0.5)
    state = answered(task, problem, f"({variable} + 1)**1000*({variable} + 2)**999")
    assert state.data == "unscored"
    monkeypatch.undo()
    assert task.is_solved(problem, answered(task, problem, gold)), "by a new worker"


def test_unknown_data_set() -> None:
    with pytest.raises(ValueError, match="Did you mean 'chain_sum'"):
        ReasoningGym("chainsum")
    with pytest.raises(ValueError, match=r"reasoning-gym's acre is left out: .*GPL"):
        ReasoningGym("acre")
    with pytest.raises(ValueError, match=r"Unknown keyword argument 'confg'.*'config'"):
        ReasonEnv("rg-chain_sum", confg={})
    with pytest.raises(ValueError, match="Unknown keyword argument 'dataset'"):
        ReasonEnv("rg-chain_sum", dataset="gcd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": ("chain",)}, "is not that of the chain_sum item"),
        ({"data": "State the final answer: 1 + 1 ="}, "is not that of the chain_sum item"),
        ({"solution": None}, "Expected a seed and a config"),
        ({"solution": (-1, "{}")}, "Expected a seed and a config"),
        ({"solution": (True, "{}")}, "Expected a seed and a config"),
        ({"solution": (1, {})}, "Expected JSON without objects"),
        ({"solution": (1, "[]")}, "Expected a seed and a config"),
        ({"solution": (1, "{")}, "Expected a seed and a config"),
        ({"level": 99}, "Unknown level of rg-chain_sum"),
    ],
)
def test_bad_problems(change: dict[str, Any], message: str) -> None:
    task, problem = problem_of("chain_sum")
    with pytest.raises(ValueError, match=message):
        task.initial(replace(problem, **change))


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids are there without the library; a problem is not."""
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    env: Any = gymnasium.make("reason_env/rg-gcd-v0").unwrapped
    assert env.task.extras == ("reasoning-gym",)
    with pytest.raises(MissingExtra, match=r"pip install 'reason-env\[reasoning-gym\]'"):
        env.reset(seed=0)


def test_ids_cost_no_import_of_the_library() -> None:
    code = (
        "import sys, reason_env; reason_env.make_task('rg-chain_sum')\n"
        "print('reasoning_gym' in sys.modules, 'sympy' in sys.modules)"
    )
    assert python(code).split() == ["False", "False"]
