"""The bridge to TRL: the same problems, the same returns, and a trainer that takes both."""

import json
import pickle
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from toys import ENV, babble

from agents.integrations.trl import (
    bos_tokenizer,
    prompt_dataset,
    reward_function,
    rollout_function,
    term_functions,
)
from agents.learning.rollout import rollout
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Recorder
from agents.models.export import fast_tokenizer
from agents.models.hf import HFModel
from reason_env import lines
from reason_env.env import ReasonEnv
from reason_env.rewards import RewardConfig
from reason_env.splits import split_of
from reason_env.tokenizer import BOS, EOS, TOKENIZER
from reason_env.tokens import GIVE_UP

pytest.importorskip("datasets")
trl = pytest.importorskip("trl")

SPECS = [
    "Countdown-v0:level=1",
    "Arithmetic-v0:level=2",
    "Sudoku-v0",
    "Hanoi-v0:prompt=verbose",
    "KnightsKnaves-v0:max_tokens=40",
    "Countdown-v0:feedback=state,on_invalid=feedback,max_steps=4",
]
REWARDS = ["outcome", "process", "shaped", {"validity": 2.0, "shaping": 0.3, "gamma": 0.9}]


def start(problem: str, **overrides: object) -> ReasonEnv:
    """The environment that a row of the data set means."""
    value = json.loads(problem)
    env = EnvSpec(value["env"], tuple(value["kwargs"].items())).make(**overrides)
    env.reset(seed=value["seed"])
    return env


def line_return(env: ReasonEnv, text: str) -> float:
    """What the lines of a text earn at step granularity, and giving up if they end too early."""
    total = 0.0
    written = lines.normalise(text).removesuffix("\n").split("\n") if text else []
    for line in written:
        if not env.episode.stopped:
            total += env.step(line)[1]
    return total if env.episode.stopped else total + give_up(env)


def give_up(env: ReasonEnv) -> float:
    """The reward of writing no more, which takes no tokens (the line that says so takes some)."""
    if fits(env):
        return env.step(GIVE_UP)[1]
    return -env.reward.shaping * env.potential()


def fits(env: ReasonEnv) -> bool:
    """Whether the line that gives up can still be written."""
    return env.episode.tokens + len(TOKENIZER.encode(GIVE_UP + "\n")) <= env.max_tokens


def text_return(problem: str, text: str, reward: object) -> float:
    """What the registered environment of episode granularity pays."""
    value = json.loads(problem)
    name = f"reason_env/{value['env'].replace('-v', '-Episode-v')}"
    env = gymnasium.make(name, **value["kwargs"], reward=reward)
    env.reset(seed=value["seed"])
    return env.step(text)[1]


def random_text(problem: str, rng: np.random.Generator) -> str:
    """Lines of experts, of the law, and of neither, wrong claims among them; perhaps unended."""
    env = start(problem)
    text = ""
    for _ in range(rng.integers(1, 7)):
        if env.episode.stopped:
            break
        line = babble(env.episode.text, int(rng.integers(2**32)))
        if rng.random() < 0.75:
            legal = env.legal_lines()
            expert = env.expert_line(rng)
            if legal and (expert is None or rng.random() < 0.4):
                line = legal[rng.integers(len(legal))]
            elif expert is not None:
                line = expert
        if rng.random() < 0.15:
            digits = [i for i, c in enumerate(line) if c.isdigit()]
            if digits:
                place = digits[-1]
                line = line[:place] + str((int(line[place]) + 1) % 10) + line[place + 1 :]
        text += line + "\n"
        env.step(line)
    return text if rng.random() < 0.7 else text.removesuffix("\n")


@pytest.fixture(scope="module")
def samples() -> tuple[list[str], list[str], list[str]]:
    """Prompts, problems and texts: ten texts for each of eight problems a family."""
    rng = np.random.default_rng(5)
    prompts, problems, texts = [], [], []
    for spec in SPECS:
        rows = prompt_dataset([spec], 8, seed=1, feedback=True)
        for row in rows:
            for _ in range(10):
                prompts.append(row["prompt"])
                problems.append(row["problem"])
                texts.append(random_text(row["problem"], rng))
    return prompts, problems, texts


# -- Prompts ---------------------------------------------------------------------------------


def test_rows_are_distinct_train_problems_that_can_be_rebuilt():
    rows = prompt_dataset(["Countdown-v0:level=1", EnvSpec.parse("Arithmetic-v0")], 30, seed=3)
    assert rows.column_names == ["prompt", "problem"]
    seen = set()
    for number, row in enumerate(rows):
        env = start(row["problem"])
        assert env.task.name == ["Countdown", "Arithmetic"][number % 2]
        assert row["prompt"] == env.episode.text
        assert split_of(env.task, env.episode.problem) == "train"
        seen.add((env.task.name, env.task.canonical(env.episode.problem)))
    assert len(seen) == 30


def test_rows_follow_from_the_seed():
    rows = prompt_dataset(["Countdown-v0"], 12, seed=3)
    assert prompt_dataset(["Countdown-v0"], 12, seed=3).to_list() == rows.to_list()
    assert prompt_dataset(["Countdown-v0"], 5, seed=3).to_list() == rows.to_list()[:5]
    other = prompt_dataset(["Countdown-v0"], 12, seed=4)
    assert not set(other["problem"]) & set(rows["problem"])


def test_dev_rows_are_dev_problems():
    for row in prompt_dataset(["Countdown-v0"], 5, seed=0, split="dev"):
        env = start(row["problem"])
        assert split_of(env.task, env.episode.problem) == "dev"


def test_solutions_stay_at_home(tmp_path):
    source = tmp_path / "questions.jsonl"
    golds = [5000 + 7 * i for i in range(20)]
    source.write_text(
        "".join(json.dumps({"question": f"Item {i}?", "answer": str(g)}) + "\n"
                for i, g in enumerate(golds))
    )  # fmt: skip
    spec = EnvSpec("Jsonl-v0", (("source", str(source)),))
    with pytest.raises(ValueError, match=r"too few train problems: after 1\d of 20"):
        prompt_dataset([spec], 20, seed=0)
    rows = prompt_dataset([spec], 6, seed=0)
    numbers = {row["prompt"].split()[1].rstrip("?") for row in rows}
    assert len(numbers) == 6
    for row in rows:
        gold = str(golds[int(row["prompt"].split()[1].rstrip("?"))])
        value = json.loads(row["problem"])
        assert gold not in row["prompt"]
        assert set(value) == {"env", "kwargs", "seed"}
        assert gold not in json.dumps(value["kwargs"])
        assert reward_function("outcome")(
            [row["prompt"]] * 2, [f"answer: {gold}", "answer: 1"], problem=[row["problem"]] * 2
        ) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("specs", "kwargs", "message"),
    [
        (["Countdown-v0"], {"count": 0}, "count must be .* received 0"),
        (["Countdown-v0"], {"count": True}, "received True"),
        ([], {}, "received none"),
        (["Countdwn-v0"], {}, "Countdown"),
        (["Countdown-Episode-v0"], {}, "step granularity"),
        (["Countdown-v0:level=99"], {}, "level"),
        (["Countdown-v0:split=test"], {}, "leave out its split"),
        (["Countdown-v0"], {"split": "test"}, "train, dev"),
        (["Countdown-v0:reward=shaped"], {}, "reward_function"),
        (["Countdown-v0:feedback=state"], {}, "feedback=True"),
        (["Countdown-v0:on_invalid=feedback"], {}, "feedback=True"),
        ([EnvSpec("Countdown-v0", (("tokenizer", TOKENIZER),))], {}, "JSON"),
    ],
)
def test_errors_of_prompts(specs, kwargs, message):
    with pytest.raises(ValueError, match=message):
        prompt_dataset(specs, **{"count": 2, "seed": 0, **kwargs})


# -- Rewards ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", REWARDS, ids=str)
def test_rewards_are_the_environments_returns(samples, reward):
    prompts, problems, texts = samples
    got = reward_function(reward)(prompts, texts, problem=problems)
    assert len(got) == len(texts)
    assert all(type(value) is float for value in got)
    by_line = [line_return(start(p, reward=reward), text) for p, text in zip(problems, texts)]
    assert got == pytest.approx(by_line, abs=1e-9)
    assert got == [text_return(p, text, reward) for p, text in zip(problems, texts)]
    # The texts are worth comparing: solved, wrong and neither.
    terms = [reward_function({"outcome": 1.0, "validity": 10.0})(prompts, texts, problem=problems)]
    assert {1.0, -10.0, 0.0} <= set(terms[0])


@pytest.mark.parametrize("reward", REWARDS, ids=str)
def test_terms_add_up(samples, reward):
    prompts, problems, texts = samples
    functions, weights = term_functions(reward)
    parts = [function(prompts, texts, problem=problems) for function in functions]
    whole = reward_function(reward)(prompts, texts, problem=problems)
    assert whole == pytest.approx(np.array(weights) @ np.array(parts))
    assert [function.__name__ for function in functions] == ["outcome", "validity", "shaping"]


def test_names_differ_and_functions_can_be_sent():
    functions = [*term_functions()[0], reward_function("outcome"), reward_function({"outcome": 2})]
    names = [function.__name__ for function in functions]
    assert names[3:] == ["outcome_reward", "env_reward"]
    assert len(set(names)) == 5
    assert reward_function(name="mine").__name__ == "mine"
    for function in functions:
        assert pickle.loads(pickle.dumps(function)) == function


@pytest.mark.parametrize("reward", REWARDS, ids=str)
def test_cut_completions_earn_what_our_own_rollouts_pay(samples, reward):
    rng = np.random.default_rng(0)
    texts, expected, ids = [], [], []
    for problem, text in zip(samples[1], samples[2]):
        env = start(problem, reward=reward)
        tokens = TOKENIZER.encode(text)[: int(rng.integers(0, 45))]
        recorder = Recorder(env)
        rest = list(tokens)
        while TOKENIZER.newline in rest and not recorder.over:
            end = rest.index(TOKENIZER.newline) + 1
            recorder.play(rest[:end])
            rest = rest[end:]
        earned = 0.0
        if not recorder.over:
            spent = env.episode.tokens + len(rest) >= env.max_tokens
            if spent or fits(env):
                # Nothing of the next line is as good as any part of it.
                recorder.cut(rest or TOKENIZER.encode("x"))
            else:
                earned = give_up(env)
        expected.append(sum(recorder.trajectory().rewards) + earned)
        texts.append(TOKENIZER.decode(tokens))
        ids.append(tokens)
    function = reward_function(reward, eos=EOS)
    got = function(samples[0], texts, completion_ids=ids, problem=samples[1])
    assert got == pytest.approx(expected, abs=1e-9)


def test_only_an_unended_line_is_not_verified():
    (row,) = prompt_dataset(["Arithmetic-v0"], 1, seed=0)
    env = start(row["problem"])
    rng = np.random.default_rng(0)
    written = []
    while not env.episode.stopped:
        written.append(env.expert_line(rng))
        env.step(written[-1])
    text = "\n".join(written)
    ids = TOKENIZER.encode(text)

    def earned(completion_ids, eos, text=text):
        function = reward_function("outcome", eos=eos)
        return function(
            [row["prompt"]], [text], completion_ids=completion_ids, problem=[row["problem"]]
        )

    assert earned([ids], None) == [1.0]
    assert earned([ids], EOS) == [0.0]
    assert earned([[*ids, EOS]], EOS) == [1.0]
    assert earned([[*ids, 77]], [EOS, 77]) == [1.0]
    assert earned([[*ids, TOKENIZER.newline]], EOS, text + "\n") == [1.0]
    assert earned([TOKENIZER.encode(text + "\nand")], EOS, text + "\nand") == [1.0]


def test_an_unended_line_that_spends_the_budget_truncates_the_episode():
    (row,) = prompt_dataset(["Countdown-v0:max_tokens=30"], 1, seed=0)
    potential = start(row["problem"]).potential()
    earned = []
    for tokens in (29, 30):
        env = start(row["problem"], reward="shaped")
        recorder, line = Recorder(env), TOKENIZER.encode("9 " * 15)[:tokens]
        recorder.cut(line)
        (value,) = reward_function("shaped", eos=EOS)(
            [row["prompt"]],
            [TOKENIZER.decode(line)],
            completion_ids=[line],
            problem=[row["problem"]],
        )
        assert value == sum(recorder.trajectory().rewards)
        earned.append(value)
    # One token earlier the model has given up; here it may still have been on its way.
    assert earned == [-potential, 0.0]


def test_conversations_are_judged_by_what_the_assistant_says(samples):
    prompts, problems, texts = samples
    plain = reward_function("shaped")(prompts, texts, problem=problems)
    shown = [[{"role": "system", "content": "S"}, {"role": "user", "content": p}] for p in prompts]
    said = [[{"role": "assistant", "content": text}] for text in texts]
    parts = [
        [
            {"role": "assistant", "content": [{"type": "text", "text": text}]},
            {"role": "tool", "content": "answer: 1"},
        ]
        for text in texts
    ]
    assert reward_function("shaped")(shown, said, problem=problems) == plain
    assert reward_function("shaped")(shown, parts, problem=problems) == plain
    messages = prompt_dataset(["Countdown-v0"], 2, seed=0, chat=True)["prompt"]
    texts = prompt_dataset(["Countdown-v0"], 2, seed=0)["prompt"]
    assert list(messages) == [[{"role": "user", "content": text}] for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n" * 100_000,
        "9" * 1_000_000,
        "answer: " + "(" * 100_000,
        "answer: 9**9**9**9**9",
        "\ud800\x00\u2028\U0001f600\r\n\u202e answer: \u00bd",
        "\u0660 + \u00b2 = \ufb01\t\n" * 1000,
        "undo\nundo\ncheck: dead\nundo",
        "<eos><bos><pad>",
    ],
)
@pytest.mark.parametrize("spec", SPECS)
def test_hostile_texts_are_only_worthless(spec, text):
    (row,) = prompt_dataset([spec], 1, seed=0, feedback=True)
    given = ([row["prompt"]], [text])
    for ids in ([], [5], [EOS]):
        (value,) = reward_function("outcome", eos=EOS)(
            *given, completion_ids=[ids], problem=[row["problem"]]
        )
        assert value == 0.0
    (value,) = reward_function("shaped")(*given, problem=[row["problem"]])
    assert value == pytest.approx(text_return(row["problem"], text, "shaped"))
    messages = [[{"role": "assistant", "content": None}, {"role": "assistant"}], []]
    silent = reward_function("outcome")([row["prompt"]] * 2, messages, problem=[row["problem"]] * 2)
    assert silent == [0.0, 0.0]


def test_errors_of_rewards():
    first, second = prompt_dataset(["Countdown-v0"], 2, seed=0)
    function = reward_function()
    with pytest.raises(ValueError, match="no column 'problem'"):
        function([first["prompt"]], [""], answer=["4"])
    with pytest.raises(ValueError, match="received the prompt"):
        function([first["prompt"]], [""], problem=[second["problem"]])
    for bad in ("", "3", "[]", '{"env": "Countdown-v0"}', None):
        with pytest.raises(ValueError, match="made by prompt_dataset"):
            function([first["prompt"]], [""], problem=[bad])
    with pytest.raises(TypeError, match="text or a list of messages"):
        function([first["prompt"]], [5], problem=[first["problem"]])
    with pytest.raises(ValueError, match="process"):
        reward_function("proces")
    with pytest.raises(ValueError, match="validity"):
        reward_function({"validty": 1.0})


# -- Training --------------------------------------------------------------------------------


def test_prompts_begin_as_in_our_own_rollouts():
    tokenizer = bos_tokenizer()
    rows = prompt_dataset(["Countdown-v0:level=1"], 3, seed=0)
    for row in rows:
        env = start(row["problem"])
        ours = Recorder(env).trajectory().tokens
        assert tuple(tokenizer(text=row["prompt"])["input_ids"]) == ours
        assert ours[0] == BOS
    assert tokenizer.get_vocab() == fast_tokenizer().get_vocab()
    assert (tokenizer.padding_side, tokenizer.eos_token_id) == ("left", EOS)
    # A text that spells out a special token stays a text.
    assert tokenizer(text="<bos>")["input_ids"] == [BOS, *TOKENIZER.encode("<bos>")]


def grpo(folder, model, rows, functions, weights=None, **kwargs):
    """A GRPO trainer of two steps, on a CPU."""
    args = trl.GRPOConfig(
        str(folder),
        max_steps=2,
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=24,
        learning_rate=1e-2,
        reward_weights=weights,
        bf16=False,
        use_cpu=True,
        report_to="none",
        logging_steps=1,
        log_completions=True,
        save_strategy="no",
        disable_tqdm=True,
    )
    return trl.GRPOTrainer(
        model=str(model),
        args=args,
        train_dataset=rows,
        reward_funcs=functions,
        processing_class=bos_tokenizer(),
        **kwargs,
    )


def completions_of(folder):
    """The rows of the trainer's own log, step by step."""
    datasets = pytest.importorskip("datasets")
    files = sorted((folder / "completions").glob("*.parquet"))
    return [datasets.Dataset.from_parquet(str(file), cache_dir=str(folder)) for file in files]


def moved(before: HFModel, after: HFModel) -> bool:
    pairs = zip(before.network.parameters(), after.network.parameters(), strict=True)
    return any(not torch.equal(a, b) for a, b in pairs)


def test_two_steps_of_grpo(trained, tmp_path):
    trained.save(tmp_path / "start")
    rows = prompt_dataset([ENV], 8, seed=0, feedback=True)
    functions, weights = term_functions("process", eos=EOS)

    def finished(completion_ids, **columns):
        return [float(ids[-1] == EOS) for ids in completion_ids]

    trainer = grpo(
        tmp_path / "run", tmp_path / "start", rows, [*functions, finished], [*weights, 0.0]
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "end"))

    problems = dict(zip(rows["prompt"], rows["problem"]))
    tables = completions_of(tmp_path / "run")
    logged = [row for row in trainer.state.log_history if "reward" in row]
    assert len(tables) == len(logged) == 2
    earned = []
    for table, log in zip(tables, logged, strict=True):
        assert len(table) == 16
        returns = []
        for row in table:
            problem = problems[row["prompt"]]
            text = row["completion"]
            judged = text if row["finished"] else text[: text.rfind("\n") + 1]
            returns.append(line_return(start(problem, reward="process"), judged))
            assert row["outcome"] + 0.5 * row["validity"] == pytest.approx(returns[-1])
        assert log["reward"] == pytest.approx(np.mean(returns))
        assert log["rewards/outcome/mean"] == pytest.approx(np.mean(table["outcome"]))
        assert log["rewards/shaping/mean"] == pytest.approx(np.mean(table["shaping"]))
        earned += returns
    assert len(set(earned)) > 1

    again = HFModel.load(str(tmp_path / "end"))
    assert moved(trained, again)
    envs = [start(row["problem"]) for row in rows]
    assert len(rollout(again, envs, seed=0)) == len(rows)


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func':UserWarning")  # TRL's, always
def test_two_steps_with_feedback_between_the_lines(trained, tmp_path):
    trained.save(tmp_path / "start")
    spec = "Countdown-v0:feedback=state,on_invalid=feedback,max_steps=4"
    rows = prompt_dataset([spec], 8, seed=0, feedback=True)
    functions = [reward_function("shaped")]
    played = rollout_function(rows, line_tokens=12)
    seen = []

    def spy(prompts, trainer):
        result = played(prompts, trainer)
        seen.append((list(prompts), result))
        return result

    trainer = grpo(tmp_path / "run", tmp_path / "start", rows, functions, rollout_func=spy)
    trainer.train()
    trainer.save_model(str(tmp_path / "end"))
    assert moved(trained, HFModel.load(str(tmp_path / "end")))

    problems = dict(zip(rows["prompt"], rows["problem"]))
    rewards = []
    for (prompts, result), table in zip(seen, completions_of(tmp_path / "run"), strict=True):
        assert list(table["prompt"]) == prompts
        for i, prompt in enumerate(prompts):
            env = start(problems[prompt], reward=RewardConfig(validity=0.5, shaping=1.0))
            assert result["prompt_ids"][i] == [BOS, *TOKENIZER.encode(env.episode.text)]
            pairs = list(zip(result["completion_ids"][i], result["env_mask"][i], strict=True))
            # Its lines, played anew, give the same transcript, feedback and rewards.
            recorder, line = Recorder(env), []
            for token, own in pairs:
                line += [token] * own
                if own and token in (TOKENIZER.newline, EOS):
                    recorder.play(line)
                    line = []
            if line:
                recorder.cut(line)
            trajectory = recorder.trajectory()
            assert trajectory.tokens == (*result["prompt_ids"][i], *(token for token, _ in pairs))
            assert [int(a) for a in trajectory.actions[-len(pairs) :]] == [own for _, own in pairs]
            assert table["shaped_reward"][i] == pytest.approx(sum(trajectory.rewards), abs=1e-5)
            rewards.append(table["shaped_reward"][i])
        assert any(0 in mask for mask in result["env_mask"])
    assert len(set(rewards)) > 2


def test_errors_of_rollouts():
    rows = prompt_dataset(["Countdown-v0"], 2, seed=0)
    with pytest.raises(ValueError, match="plain text"):
        rollout_function(prompt_dataset(["Countdown-v0"], 2, seed=0, chat=True))
    other = [{**row, "problem": row["problem"].replace("Countdown-v0", "X-v0")} for row in rows]
    with pytest.raises(ValueError, match="stands for two problems"):
        rollout_function([*rows, *other])
    played = rollout_function(rows)
    trainer = SimpleNamespace(
        processing_class=bos_tokenizer(), use_vllm=False, mask_truncated_completions=False
    )
    with pytest.raises(ValueError, match=r"'1 2 -> 3\\n' is not in"):
        played(["1 2 -> 3\n"], trainer)
    trainer.mask_truncated_completions = True
    with pytest.raises(ValueError, match="mask_truncated_completions"):
        played(rows["prompt"], trainer)
    trainer.use_vllm = True
    with pytest.raises(ValueError, match="use_vllm"):
        played(rows["prompt"], trainer)
    trainer.processing_class = SimpleNamespace(get_vocab=dict)
    with pytest.raises(ValueError, match="bos_tokenizer"):
        played(rows["prompt"], trainer)
