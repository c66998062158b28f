"""The agent for OpenRLHF under OpenRLHF's own executor, with an engine that serves our models as
vLLM would: the same tokens, actions and rewards as our own rollouts."""

import asyncio
import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from openrlhf_wheel import openrlhf_module
from toys import babble

from agents.integrations.openrlhf.episode import LineEpisode
from agents.integrations.openrlhf.label import Label
from agents.integrations.openrlhf.prompts import Row, problems
from agents.learning.rollout import rollout
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Recorder
from agents.models.export import fast_tokenizer
from agents.models.scripted import ScriptedModel
from reason_env.errors import MissingExtra
from reason_env.splits import stream_seed
from reason_env.tokenizer import BOS, EOS, PAD, TOKENIZER

openrlhf = openrlhf_module("openrlhf.utils.agent")
from agents.integrations.openrlhf.agent import AgentExecutor, AgentInstance  # noqa: E402

STATE = "Countdown-v0:feedback=state"


@dataclass
class Params:
    """Of vLLM's sampling parameters what OpenRLHF sets, and vLLM's defaults for stopping."""

    temperature: float = 1.0
    max_tokens: int | None = None
    min_tokens: int = 1
    skip_special_tokens: bool = False
    logprobs: int | None = 1
    stop: list[str] = field(default_factory=list)
    include_stop_str_in_output: bool = False


class Engine:
    """One episode's engine. `write` gives the tokens of each generation from the prefix (without
    `<bos>`), its number and the stop tokens; it is asked once per generation."""

    def __init__(self, write, tokenizer):
        self.write = write
        self.tokenizer = tokenizer
        self.asked = []

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        await asyncio.sleep(0)
        params = sampling_params
        stop = {EOS}
        if params.stop == ["\n"] and params.min_tokens == 0:
            stop.add(TOKENIZER.newline)
        prefix = tuple(prompt_token_ids[prompt_token_ids[0] == BOS :])
        tokens, logprobs = self.write(prefix, len(self.asked), stop, params)
        self.asked.append((list(prompt_token_ids), copy.deepcopy(params)))
        assert 0 < len(tokens) <= params.max_tokens
        text = self.tokenizer.decode(tokens, skip_special_tokens=params.skip_special_tokens)
        completion = SimpleNamespace(
            token_ids=list(tokens),
            text=text,
            finish_reason="stop" if tokens[-1] in stop else "length",
            logprobs=[{token: SimpleNamespace(logprob=p)} for token, p in zip(tokens, logprobs)],
        )
        params.max_tokens = -1  # vLLM may do with its copy as it likes
        return SimpleNamespace(outputs=[completion])


def serving(model, seed, row):
    """Draws what `rollout` draws in that row."""

    def write(prefix, depth, stop, params):
        [completion] = model.generate(
            [prefix],
            stop=stop,
            temperature=params.temperature,
            max_tokens=[params.max_tokens],
            seeds=[stream_seed(seed, depth, row)],
        )
        return completion.tokens, completion.logprobs

    return write


def saying(*generations: Sequence[int]):
    """Writes these tokens, whatever it is asked, as far as it may."""

    def write(prefix, depth, stop, params):
        tokens = tuple(generations[depth])[: params.max_tokens]
        return tokens, [-1.0] * len(tokens)

    return write


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """As OpenRLHF loads it from a checkpoint of ours."""
    folder = tmp_path_factory.mktemp("tokenizer")
    fast_tokenizer().save_pretrained(folder)
    return openrlhf_module("openrlhf.utils.utils").get_tokenizer(str(folder), None)


@pytest.fixture
def execute(tokenizer):
    """Plays episodes at the same time, all with one object of sampling parameters."""

    def execute(rows, writes, params=None, max_length=2048, executor=None):
        params = params or Params()
        before = copy.deepcopy(params)
        executor = executor or AgentExecutor()
        engines = [Engine(write, tokenizer) for write in writes]

        async def together():
            return await asyncio.gather(
                *(
                    executor.execute(
                        row.prompt, str(row.label), params, max_length, tokenizer, engine
                    )
                    for row, engine in zip(rows, engines, strict=True)
                )
            )

        responses = asyncio.run(together())
        assert params == before or type(executor) is not AgentExecutor
        return responses, engines

    return execute


def rows_of(spec, count, reward="process", line_tokens=32):
    return problems([EnvSpec.parse(spec)], count, 5, "train", reward, line_tokens)


def same(response, trajectory):
    """Whether OpenRLHF's response is our trajectory."""
    assert response["observation_tokens"] == list(trajectory.tokens)
    actions = [False] * len(trajectory.tokens)
    for start, end in response["action_ranges"]:
        actions[start:end] = [True] * (end - start)
    assert actions == list(trajectory.actions)
    rewards = [0.0] * len(trajectory.tokens)
    for place, reward in response["step_rewards"]:
        rewards[place] += reward
    assert rewards == pytest.approx(trajectory.rewards)
    assert response["reward"] == pytest.approx(sum(trajectory.rewards))
    assert response["scores"] == trajectory.solved
    assert response["truncated"] == (not trajectory.terminated)
    assert len(response["rollout_log_probs"]) == len(trajectory.tokens)
    assert all(type(value) is float for value in response["extra_logs"].values())


@pytest.mark.parametrize("reward", ["outcome", "process", "shaped"])
def test_a_model_plays_as_in_our_rollouts(trained, execute, reward):
    rows = rows_of(STATE, 12, reward)
    responses, _ = execute(rows, [serving(trained, 3, row) for row in range(len(rows))])
    trajectories = rollout(trained, [row.label.start() for row in rows], 3)
    for response, trajectory in zip(responses, trajectories, strict=True):
        same(response, trajectory)
    assert len({len(t.tokens) for t in trajectories}) > 1


@pytest.mark.parametrize(
    ("spec", "line_tokens"),
    [
        (STATE, 32),
        ("Countdown-v0:level=2,feedback=state,on_invalid=feedback", 32),
        ("Countdown-v0:on_invalid=feedback", 32),
        ("Countdown-v0:feedback=state,on_invalid=feedback,max_tokens=20", 32),
        ("Countdown-v0:feedback=state,on_invalid=feedback,max_steps=2", 32),
        ("Countdown-v0:feedback=state,on_invalid=feedback", 6),
        ("Countdown-v0:on_invalid=feedback,max_tokens=40", None),
        ("LinearEquation-v0:on_invalid=feedback", 32),
    ],
)
def test_all_kinds_of_lines(execute, spec, line_tokens):
    """Sums, wrong ones, thoughts, answers, undo, empty and endless lines, and giving up."""
    model = ScriptedModel(babble)
    rows = rows_of(spec, 60, "shaped", line_tokens)
    responses, _ = execute(rows, [serving(model, 11, row) for row in range(len(rows))])
    envs = [row.label.start() for row in rows]
    trajectories = rollout(model, envs, 11, line_tokens=line_tokens or 10**6)
    for response, trajectory in zip(responses, trajectories, strict=True):
        same(response, trajectory)
    assert any(TOKENIZER.newline in t.tokens[:-1] for t in trajectories)
    assert any(t.terminated and t.tokens[-1] == EOS for t in trajectories)  # gave up
    if "max_" in spec:
        assert not all(t.terminated for t in trajectories)
    if line_tokens == 6:
        unended = [t for t in trajectories if t.tokens[-1] not in (EOS, TOKENIZER.newline)]
        assert any(t.terminated for t in unended)


def lines(*texts):
    """Tokens of lines; `<eos>` at the end instead of the newline."""
    return [
        [*TOKENIZER.encode(text.removesuffix("<eos>")), EOS]
        if text.endswith("<eos>")
        else TOKENIZER.encode(text + "\n")
        for text in texts
    ]


def recorded(label, generations):
    recorder = Recorder(label.start())
    for tokens in generations:
        if not recorder.over:
            recorder.play(tokens)
    return recorder.trajectory()


def test_the_expert_is_paid_line_by_line(execute):
    [row] = rows_of("Countdown-v0:level=3,feedback=state", 1, "shaped")
    env, rng = row.label.start(), np.random.default_rng(0)
    written = []
    while not env.episode.stopped:
        written.append(env.expert_line(rng))
        env.step(written[-1])
    [response], _ = execute([row], [saying(*lines(*written))])
    same(response, recorded(row.label, lines(*written)))
    assert response["scores"] == 1.0
    assert len(response["step_rewards"]) == len(written) > 1
    assert response["extra_logs"]["env_lines"] == len(written)
    assert response["extra_logs"]["env_outcome"] == 1.0


def test_more_than_a_line_is_cut_to_it(execute):
    """An engine that runs past the newline, and special tokens within lines."""
    [row] = rows_of("Countdown-v0:on_invalid=feedback", 1)
    first, second = lines("let me see", "answer: 1")
    special = [first[0], PAD, BOS, *first[1:]]
    [response], [engine] = execute([row], [saying([*special, *second, EOS], second)])
    same(response, recorded(row.label, [special, second]))
    assert len(engine.asked) == 2
    [plain], _ = execute([row], [saying(first, second)])
    assert plain["step_rewards"][-1][0] == response["step_rewards"][-1][0] - 2


def test_an_empty_line_and_a_spelled_out_eos_are_lines(execute):
    [row] = rows_of("Countdown-v0:on_invalid=feedback", 1)
    generations = [[TOKENIZER.newline], *lines("<eos> ", "<bos>"), [EOS]]
    [response], [engine] = execute([row], [saying(*generations)])
    same(response, recorded(row.label, generations))
    assert len(engine.asked) == 4
    assert response["extra_logs"]["env_lines"] == 4  # the last is giving up


def test_what_the_environment_says_is_text(tokenizer, execute, monkeypatch):
    """With a tokenizer that reads special tokens in texts, too: a model may have said them."""
    monkeypatch.setattr(tokenizer, "split_special_tokens", False)
    assert tokenizer(text="<eos>", add_special_tokens=False)["input_ids"] == [EOS]
    monkeypatch.setattr(LineEpisode, "write", lambda episode, line: (0.0, "> <eos>\n"))
    [row] = rows_of("Countdown-v0", 1)
    line = TOKENIZER.encode("hm\n")
    prompt = [BOS, *TOKENIZER.encode(row.prompt)]
    said = TOKENIZER.encode("> <eos>\n")
    length = len(prompt + line + said)
    [response], _ = execute([row], [saying(line)], max_length=length)
    assert response["observation_tokens"] == prompt + line + said


def test_what_the_engine_is_asked(execute):
    """Stops and limits are on each generation's own copy of the parameters."""
    [row] = rows_of(STATE, 1, line_tokens=9)
    _, [engine] = execute([row], [saying([EOS])], Params(temperature=0.7, max_tokens=64))
    [(tokens, params)] = engine.asked
    assert tokens == [BOS, *TOKENIZER.encode(row.prompt)]
    assert (params.temperature, params.max_tokens) == (0.7, 9)
    assert (params.stop, params.include_stop_str_in_output) == (["\n"], True)
    assert (params.min_tokens, params.skip_special_tokens) == (0, True)


def test_the_context_ends_an_episode(execute):
    [row] = rows_of("Countdown-v0:on_invalid=feedback", 1)
    size = len(TOKENIZER.encode(row.prompt)) + 1
    line = TOKENIZER.encode("hello\n")
    for room in range(1, 20):
        [response], _ = execute([row], [saying(*[line] * 9)], max_length=size + room)
        assert response["truncated"]
        assert response["reward"] == 0
        assert len(response["observation_tokens"]) == size + room
        assert response["action_ranges"][-1][1] == size + room
        assert sum(end - start for start, end in response["action_ranges"]) == room
    with pytest.raises(ValueError, match=f"takes {size} tokens .* max_len={size}"):
        execute([row], [saying(line)], max_length=size)


def test_episodes_at_the_same_time_do_not_mix(execute):
    model = ScriptedModel(babble)
    rows = [row for row in rows_of(STATE + ",on_invalid=feedback", 6, "shaped") for _ in range(3)]
    writes = [serving(model, 2, row) for row in range(len(rows))]
    together, _ = execute(rows, writes)
    alone = [execute([row], [write])[0][0] for row, write in zip(rows, writes)]
    assert together == alone
    assert len({tuple(r["observation_tokens"]) for r in together}) > len(rows) / 2


def test_under_another_executor_texts_are_played(execute):
    """Only the text is known there: it earns what it earns at episode granularity."""
    rows = rows_of("Countdown-v0:level=2", 30, "shaped")
    rng = np.random.default_rng(1)
    texts = []
    for row in rows:
        written = [row.label.start().expert_line(rng), "let me think", "1 + 1 = 3", "undo"]
        texts.append("\n".join(written[: rng.integers(1, 5)]) + "\n" * int(rng.integers(2)))
    writes = [saying(TOKENIZER.encode(text), [EOS]) for text in texts]
    plain = openrlhf.MultiTurnAgentExecutor(AgentInstance)
    for row, text, write in zip(rows, texts, writes, strict=True):
        # It changes the parameters that it is given, so each episode needs its own.
        [response], _ = execute([row], [write], executor=plain)
        _, reward, _, _, info = row.label.start_text().step(text)
        assert response["reward"] == pytest.approx(reward)
        assert response["scores"] == info["terms"]["outcome"]
    assert {text.count("\n") for text in texts} >= {0, 1, 2, 3}


def test_a_chat_template_may_stand_around_the_prompt(execute):
    [row] = rows_of(STATE, 1)
    wrapped = Row(f"user: {row.prompt.strip()}\nagent:\n", row.label, row.datasource)
    [response], _ = execute([wrapped], [saying([EOS])])
    assert TOKENIZER.decode(response["observation_tokens"]) == wrapped.prompt
    with pytest.raises(ValueError, match="export the prompts anew"):
        execute([Row("1 2 3\n", row.label, row.datasource)], [saying([EOS])])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("", "Expected a label .* --data.label_key"),
        ("[1]", "Expected a label with env and seed"),
        ('{"env": "Countdown-v0"}', "Expected a label with env and seed"),
        ('{"env": "Countdown-v0", "seed": 1, "sead": 2}', "Did you mean 'seed'"),
        ('{"env": "Cuntdown-v0", "seed": 1}', "Countdown"),
        ('{"env": "Countdown-Token-v0", "seed": 1}', "step granularity"),
        ('{"env": "Countdown-v0", "seed": 1, "kwargs": {"lewel": 1}}', "level"),
    ],
)
def test_labels_that_are_not_ours(label, message):
    with pytest.raises(ValueError, match=message):
        Label.parse(label).start()


def test_labels_start_the_problem_of_their_prompt_and_hold_no_solution():
    for row in rows_of("LinearEquation-v0:level=2", 20):
        label = Label.parse(str(row.label))
        assert label == row.label
        env = label.start()
        assert env.episode.text == row.prompt
        assert json.loads(str(label)) == {
            "env": "LinearEquation-v0",
            "seed": label.seed,
            "kwargs": {"level": 2, "split": "train", "reward": "process"},
            "line_tokens": 32,
        }


def test_images_are_refused(tokenizer):
    [row] = rows_of(STATE, 1)
    with pytest.raises(ValueError, match="received images"):
        asyncio.run(
            AgentExecutor().execute(
                row.prompt, str(row.label), Params(), 99, tokenizer, None, images=["a.png"]
            )
        )


class Missing:
    """Finds that OpenRLHF is not installed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "openrlhf":
            raise ModuleNotFoundError(f"No module named {name!r}", name="openrlhf")


def test_without_openrlhf_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "openrlhf"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "agents.integrations.openrlhf.agent")
    monkeypatch.setattr(sys, "meta_path", [Missing, *sys.meta_path])
    with pytest.raises(MissingExtra, match=r"reason-env\[openrlhf\]"):
        import agents.integrations.openrlhf.agent  # noqa: F401
    from agents.integrations.openrlhf.train import main

    with pytest.raises(MissingExtra, match=r"reason-env\[openrlhf\]"):
        main()
