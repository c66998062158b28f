"""The reward model: what is labelled how, where labels sit, and that it learns and resumes."""

import copy
import json
import math
import sys
from dataclasses import dataclass, replace

import pytest
import torch
from toys import ENV, Doors, DoorsSpec, biased, doors

from agents import cli
from agents.learning import reward_model as module
from agents.learning.forward import forward
from agents.learning.optimizers import OptimizerConfig
from agents.learning.reward_model import RewardModelConfig, make_lessons, reward_model
from agents.learning.rollout import Start, play_out, rollout
from agents.learning.run import train
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.learning.step_labels import exact, monte_carlo
from agents.learning.trajectory import Recorder, collate
from agents.models.hf import HFModel
from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.requests import Choice, generate
from reason_env.env import ReasonEnv
from reason_env.splits import split_of
from reason_env.task import DISCOUNT
from reason_env.tasks.arithmetic import Arithmetic
from reason_env.tokenizer import TOKENIZER

NEWLINE = TOKENIZER.newline
FAST = OptimizerConfig(lr=1e-2, warmup=5)
SMALL = {"rounds": 3, "problems": 4, "samples": 2, "ways": 2, "simulations": 4, "minibatch": 8}


@dataclass(frozen=True)
class HiddenDoors:
    """Doors where a wrong turn is a valid claim that loses the goal, unseen."""

    level: int
    kwargs: tuple = ()

    def make(self, **overrides):
        return ReasonEnv(Doors(), level=self.level, max_steps=self.level + 1, **overrides)


def played(env, lines, blind=False):
    recorder = Recorder(env, blind)
    for line in lines:
        recorder.play([*TOKENIZER.encode(line), NEWLINE])
    return recorder.trajectory()


def labels(trajectory):
    """(process, value) of each state, rounded; that they sit nowhere else is checked."""
    places = [visit.place for visit in trajectory.visits]
    for row in (trajectory.process, trajectory.potentials):
        assert len(row) == len(trajectory.tokens)
        assert [i for i, x in enumerate(row) if not math.isnan(x)] == places
    return [(trajectory.process[i], round(trajectory.potentials[i], 9)) for i in places]


def auc(scores, positive):
    """By counting pairs."""
    pairs = [
        (a, b) for a, x in zip(scores, positive) if x for b, y in zip(scores, positive) if not y
    ]
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)


def metrics(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


# -- Labels --------------------------------------------------------------------------------------


def test_exact_labels_by_hand(make_envs):
    """44 9 5 -> 30 by 44 - 9 = 35 and 35 - 5 = 30."""
    spec = "Countdown-v0:feedback=state"
    cases = {
        ("44 - 9", "35 - 5"): [(1, 0.81), (1, 0.9), (1, 1.0)],
        ("44 + 9", "hm"): [(1, 0.81), (0, 0.0), (0, 0.0)],
        ("hm", "44 - 9"): [(1, 0.81), (1, 0.81), (1, 0.9)],
        ("44 - 9", "35 - 1"): [(1, 0.81), (1, 0.9), (0, 0.0)],
        ("44 - 9", "check: dead"): [(1, 0.81), (1, 0.9), (0, 0.9)],
        ("answer: 30",): [(1, 0.81), (0, 0.0)],
    }
    for lines, expected in cases.items():
        [env] = make_envs(1, spec)
        assert labels(exact(played(env, lines))) == expected, lines


def test_exact_labels_where_wrong_claims_are_answered(make_envs):
    """The wrong claim itself is wrong; the goal stays in reach, also after the next line."""
    [env] = make_envs(1, "Countdown-v0:feedback=state,on_invalid=feedback")
    trajectory = exact(played(env, ["44 - 1", "44 - 9"]))
    assert labels(trajectory) == [(1, 0.81), (0, 0.81), (1, 0.9)]


def test_a_spent_budget_is_worth_nothing(make_envs):
    """Though the goal would be one line away."""
    [env] = make_envs(1, "Countdown-v0:feedback=state", max_steps=1)
    assert labels(exact(played(env, ["44 - 9"]))) == [(1, 0.81), (0, 0.0)]
    [env] = make_envs(1, "Countdown-v0:feedback=state", max_steps=1)
    [labelled] = monte_carlo(biased(0.5), [env], [played(env, ["44 - 9"])], seed=0, rollouts=4)
    assert labels(labelled)[1] == (0, 0.0)


def test_monte_carlo_labels_converge_to_the_chance():
    """A policy that goes left with 0.7: `LLR` is reached from the prompt with 0.7 * 0.7 * 0.3."""
    env = doors("LLR", max_steps=4)
    trajectory = played(doors("LLR", max_steps=4), ["L", "hm", "L"])
    n = 1000
    [labelled] = monte_carlo(biased(0.7), [env], [trajectory], seed=1, rollouts=n)
    # Of the four lines one is a thought, so that after it two are left for two doors.
    chances = [0.7 * 0.7 * 0.3, 0.7 * 0.3, 0.7 * 0.3, 0.3]
    for (process, value), chance, lines in zip(
        labels(labelled), chances, (3, 2, 2, 1), strict=True
    ):
        assert process == pytest.approx(chance, abs=5 * math.sqrt(chance * (1 - chance) / n))
        assert value == pytest.approx(process * DISCOUNT**lines)
    [again] = monte_carlo(biased(0.7), [env], [trajectory], seed=2, rollouts=n)
    assert labels(again) != labels(labelled)


def test_hard_monte_carlo_labels():
    trajectories = [played(doors(way), ["L"]) for way in ("LL", "RL")]
    envs = [doors("LL"), doors("RL")]
    labelled = monte_carlo(biased(0.6), envs, trajectories, seed=0, rollouts=60, hard=True)
    assert [[p for p, _ in labels(t)] for t in labelled] == [[1, 1], [1, 0]]
    assert 0 < labels(labelled[0])[0][1] < 0.81


def test_a_state_is_sampled_from_once_and_an_end_never():
    model = biased(0.5)
    trajectories = [played(doors("LL"), lines) for lines in (["L", "L"], ["L", "R"], ["R"])]
    monte_carlo(model, [doors("LL")] * 3, trajectories, seed=0, rollouts=10)
    # The prompt, after L, and after R; the next lines are of the 10 + 0 + 0 that go on.
    assert model.calls[0] == 30
    read = {TOKENIZER.decode(prefix) for prefix, _ in model.written}
    assert read == {"L L\n", "L L\nL\n", "L L\nR\n"}


def test_equal_prompts_of_different_problems_are_not_mixed_up():
    """As in data sets, where the gold answer is not in the text."""

    class Secret(Doors):
        def prompt(self, problem, style):
            return "which way?"

    envs = []
    for way in ("L", "R"):
        env = ReasonEnv(Secret(), level=1, max_steps=1)
        env.reset(seed=0, options={"problem": doors(way).episode.problem})
        envs.append(env)
    trajectories = [played(copy.deepcopy(env), ["L"]) for env in envs]
    always_left = ScriptedModel(lambda text, seed: "L")
    labelled = monte_carlo(always_left, envs, trajectories, seed=0, rollouts=2)
    assert [labels(t)[0][0] for t in labelled] == [1, 0]


def test_playing_out(make_envs):
    """Lines to the goal, None where it is missed, given up, or never ended; the environment and
    the start stay as they are."""
    env = doors("LL", max_steps=3)
    prefix, episode = tuple(TOKENIZER.encode(env.episode.text)), env.episode
    for said, expected in (
        (lambda text, seed: "L", 2),
        (lambda text, seed: "L" if "hm" in text else "hm", 3),
        (lambda text, seed: "R", None),
        (lambda text, seed: "<eos>", None),
        (lambda text, seed: "L<eos>", None),
        (lambda text, seed: "L" * 50, None),
    ):
        start = Start(env, prefix, episode)
        assert play_out(ScriptedModel(said), [start, start], seed=0) == [expected] * 2
    assert env.episode is episode
    # With feedback, the model is told.
    [env] = make_envs(1, "Countdown-v0:feedback=state")
    model = ScriptedModel(lambda text, seed: "35 - 5" if "> 35 5" in text else "44 - 9")
    start = Start(env, tuple(TOKENIZER.encode(env.episode.text)), env.episode)
    assert play_out(model, [start], seed=0) == [2]


# -- Where labels sit ----------------------------------------------------------------------------


def walk(root):
    """Three lines, one after the other, each read by the guide."""
    node = root
    for _ in range(3):
        [[node]] = yield from generate([node])
    return Choice(node)


def contexts_of_search(model, env):
    """What a guide reads at the nodes of `walk`."""
    seen = []

    def watched(root):
        search = walk(root)
        result = None
        try:
            while True:
                request = search.send(result)
                result = yield request
                if result[0][0].lines and result[0][0].context not in seen:
                    seen.append(result[0][0].context)
        except StopIteration as stop:
            return stop.value

    [found] = run_searches(model, [env], watched, [0], guide="policy")
    assert found.error is None
    return seen


def test_states_are_what_a_guide_reads(make_envs):
    """Up to the end of the line *and* of what the environment wrote after it."""
    spec = "Countdown-v0:feedback=state,on_invalid=feedback"
    lines = iter(["44 - 9", "35 - 1", "35 - 5"] * 2)
    model = ScriptedModel(lambda text, seed: next(lines))
    read = contexts_of_search(model, make_envs(1, spec)[0])
    [trajectory] = rollout(model, make_envs(1, spec), seed=0)
    states = [trajectory.tokens[1 : visit.place + 1] for visit in trajectory.visits]
    assert read == states[1:]
    assert TOKENIZER.decode(states[1]).endswith("44 - 9\n> 35 5 -> 30\n")


def test_private_verifiers_tell_nothing_of_a_wrong_claim():
    """A search writes on after it, and so do rollouts: those states count 0."""

    def env_of():
        env = ReasonEnv(Arithmetic(), level=2)
        env.reset(seed=0)
        return env

    right = env_of().legal_lines()[0]
    head, _, last = right.rpartition(" ")
    wrong = f"{head} {int(last) + 1}"

    def say(text, seed):
        return wrong if wrong not in text else "hm" if "hm" not in text else "answer: 1"

    model = ScriptedModel(say)
    [trajectory] = rollout(model, [env_of()], seed=0, blind=True)
    states = [trajectory.tokens[1 : visit.place + 1] for visit in trajectory.visits]
    assert contexts_of_search(model, env_of()) == states[1:]
    assert [process for process, _ in labels(exact(trajectory))] == [1, 0, 0, 0]
    [sampled] = monte_carlo(model, [env_of()], [trajectory], seed=0, rollouts=2)
    assert labels(sampled)[1:] == [(0, 0)] * 3
    # Nothing else is trained on what no episode has: other trainers stop at the end.
    [seen] = rollout(model, [env_of()], seed=0)
    assert seen.tokens == trajectory.tokens[: trajectory.visits[1].place + 1]


@pytest.mark.parametrize("states", ["rollouts", "search"])
def test_lessons_have_what_is_written_after_a_wrong_claim(states):
    spec = EnvSpec.parse("Arithmetic-v0:level=2")
    config = RewardModelConfig((spec,), states=states, **{**SMALL, "ways": 9})
    said = {"1 + 1 = 3": 0.5, "hm": 0.3, "answer: 1": 0.2}
    lessons = make_lessons(ScriptedModel(lambda text, seed: said), config, seed=0)
    found = 0
    for lesson in lessons:
        lines = TOKENIZER.decode(lesson.tokens).removesuffix("\n").split("\n")[1:]
        wrong = [i for i, line in enumerate(lines, 1) if line == "1 + 1 = 3"]
        for i, (process, value) in enumerate(labels(lesson)):
            if wrong and i >= wrong[0]:
                assert (process, value) == (0, 0)
                found += i > wrong[0]
            elif "answer" not in "".join(lines[:i]):
                assert process == 1
    assert found > 4


@pytest.mark.parametrize("limits", [{"max_steps": 3}, {"max_tokens": 40}])
def test_blind_rollouts_end_with_the_budget(limits):
    env = ReasonEnv(Arithmetic(), level=2, **limits)
    env.reset(seed=0)
    right = env.legal_lines()[0]
    head, _, last = right.rpartition(" ")
    wrong = f"{head} {int(last) + 1}"
    model = ScriptedModel(lambda text, seed: "hm" if wrong in text else wrong)
    [trajectory] = rollout(model, [env], seed=0, blind=True)
    assert len(trajectory.visits) - 1 <= limits.get("max_steps", 99)
    assert 30 < sum(trajectory.actions) <= 40 or "max_steps" in limits


def test_labels_are_learned_where_rewards_are_read(trained, make_envs):
    """The logits and values that are fitted are those of `rewards` and `values` of the states."""
    trained.add_value_head()
    trained.add_reward_head()
    for head in trained.heads.values():
        torch.nn.init.normal_(head.weight, std=0.3, generator=torch.Generator().manual_seed(0))
    trajectories = [exact(t) for t in rollout(trained, make_envs(6), seed=3)]
    out = forward(trained, collate(trajectories))
    states = [t.tokens[1 : visit.place + 1] for t in trajectories for visit in t.visits]
    assert len(out.process) == len(states) > 12
    assert out.process.sigmoid().tolist() == pytest.approx(trained.rewards(states), abs=0.03)
    assert out.states.tolist() == pytest.approx(trained.values(states), abs=0.05)
    # One token earlier they are others: the test can tell.
    earlier = trained.rewards([state[:-1] for state in states])
    assert out.process.sigmoid().tolist() != pytest.approx(earlier, abs=0.1)


def test_the_gradient_comes_from_the_states_only(trained, make_envs, monkeypatch):
    trained.add_value_head()
    trained.add_reward_head()
    config = RewardModelConfig((ENV,), **SMALL)
    batch = collate(make_lessons(trained, config, seed=0))
    hidden, kept = trained.hidden, []

    def keeping(ids, attention):
        states = hidden(ids, attention)
        states.retain_grad()
        kept.append(states)
        return states

    monkeypatch.setattr(trained, "hidden", keeping)
    for head in trained.heads.values():
        torch.nn.init.ones_(head.weight)
    out = forward(trained, batch)
    (out.process.sum() + out.states.sum()).backward()
    assert torch.equal(kept[0].grad.abs().sum(-1) > 0, ~batch.process.isnan())
    assert torch.equal(batch.process.isnan(), batch.potentials.isnan())


# -- Learning ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aimless(make_tiny, tmp_path_factory):
    """A policy that has seen how one goes through a door, and not through which."""
    config = SFTConfig((DoorsSpec(1),), 0.0, steps=100, batch=32, workers=0, optimizer=FAST)
    return sft(make_tiny(), config, tmp_path_factory.mktemp("aimless"))


@pytest.mark.parametrize("kind", ["exact", "monte_carlo"])
def test_it_learns_to_tell_right_turns_from_wrong_ones(aimless, tmp_path, kind):
    """The way is in the prompt; wrong turns are not seen otherwise."""
    config = RewardModelConfig(
        (HiddenDoors(1),),
        labels=kind,
        rounds=8,
        problems=32,
        samples=4,
        rollouts=8,
        simulations=8,
        budget_tokens=32,
        minibatch=32,
        epochs=3,
        optimizer=FAST,
    )
    model = reward_model(copy.deepcopy(aimless), config, tmp_path)
    envs = [HiddenDoors(1).make() for _ in range(60)]
    for seed, env in enumerate(envs):
        env.reset(seed=10_000 + seed)
    played = [exact(t) for t in rollout(aimless, envs, seed=5)]
    states = [(t, visit.place) for t in played for visit in t.visits[1:]]
    true = [t.process[place] for t, place in states]
    contexts = [t.tokens[1 : place + 1] for t, place in states]
    assert 0.2 < sum(true) / len(true) < 0.8
    assert auc(model.rewards(contexts), true) > 0.98
    assert auc(model.values(contexts), true) > 0.98
    if kind == "exact":
        rows = metrics(tmp_path)
        assert rows[-1]["accuracy"] > 0.95
        assert rows[-1]["loss"] < rows[0]["loss"] / 4
        assert rows[-1]["value_error"] < rows[0]["value_error"] / 4
    else:
        # At the prompt, the share that the aimless policy solves, where it is 1 for the exact one.
        prompts = [t.tokens[1 : t.visits[0].place + 1] for t in played]
        assert 0.3 < sum(model.rewards(prompts)) / len(prompts) < 0.7


def test_the_policy_that_makes_the_states_stays_as_it_came(trained, tmp_path, monkeypatch):
    used = []
    make = module.make_lessons

    def watching(policy, config, seed):
        used.append((policy.digest, seed))
        return make(policy, config, seed)

    monkeypatch.setattr(module, "make_lessons", watching)
    before = trained.digest
    model = reward_model(trained, RewardModelConfig((ENV,), **SMALL), tmp_path)
    assert model is trained
    assert [digest for digest, _ in used] == [before] * 3
    assert len({seed for _, seed in used}) == 3
    assert model.digest != before


@pytest.mark.parametrize("states", ["rollouts", "search", "both"])
def test_problems_are_fresh_and_of_the_train_split(trained, states):
    config = RewardModelConfig((ENV,), states=states, **{**SMALL, "problems": 40})
    task = ENV.make().task
    rounds = []
    for seed in range(3):
        lessons = make_lessons(trained, config, seed)
        problems = {lesson.visits[0].episode.problem for lesson in lessons}
        assert {split_of(task, problem) for problem in problems} == {"train"}
        assert not any(any(lesson.actions) for lesson in lessons)
        most = 40 * {"rollouts": 2, "search": 2, "both": 4}[states]
        assert 40 <= len(lessons) <= most
        rounds.append(problems)
    assert not rounds[0] & rounds[1]
    assert not rounds[1] & rounds[2]


def test_environments_share_the_problems_equally(trained):
    specs = (ENV, EnvSpec.parse("Countdown-v0:level=2,feedback=state"))
    config = RewardModelConfig(specs, states="rollouts", **SMALL)
    levels = [t.visits[0].episode.problem.level for t in make_lessons(trained, config, 0)]
    assert levels == [1, 1, 2, 2, 1, 1, 2, 2]


CONFIGS = {
    "exact": RewardModelConfig((ENV,), **{**SMALL, "rounds": 5}),
    "monte_carlo": RewardModelConfig((ENV,), "monte_carlo", rollouts=2, **{**SMALL, "rounds": 5}),
}


class Stopped(RuntimeError):
    pass


def saving_often(*arguments, **options):
    return train(*arguments, **{**options, "save_every": 2})


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("at", [1, 3])
def test_interrupted_and_resumed(trained, tmp_path, monkeypatch, kind, at):
    """Stopped in the middle of a round, with the last resume point a round back."""
    config = CONFIGS[kind]
    whole = reward_model(copy.deepcopy(trained), config, tmp_path / "whole")
    monkeypatch.setattr(module, "train", saving_often)
    plain, stopped = module.forward, []

    def stopping(model, batch):
        path = tmp_path / "cut/metrics.jsonl"
        done = len(path.read_text().splitlines()) if path.is_file() else 0
        if done == at and not stopped:
            stopped.append(at)
            raise Stopped
        return plain(model, batch)

    monkeypatch.setattr(module, "forward", stopping)
    torch.manual_seed(99)
    with pytest.raises(Stopped):
        reward_model(copy.deepcopy(trained), config, tmp_path / "cut")
    resumed = reward_model(copy.deepcopy(trained), config, tmp_path / "cut")
    assert resumed.digest == whole.digest
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    other = replace(config, seed=1)
    assert reward_model(copy.deepcopy(trained), other, tmp_path / "b").digest != whole.digest
    with pytest.raises(FileExistsError, match=r"another run \(it differs in seed\)"):
        reward_model(copy.deepcopy(trained), other, tmp_path / "cut")


def test_the_checkpoint_guides_a_search(trained, make_envs, tmp_path, monkeypatch, capsys):
    """From the command line, in the format of every other checkpoint."""
    trained.save(tmp_path / "policy")
    arguments = ["--model", tmp_path / "policy", "--out", tmp_path / "run", "--env", str(ENV)]
    arguments += ["--rounds", 1, "--problems", 4, "--samples", 1, "--labels", "monte_carlo"]
    arguments += ["--rollouts", 2, "--no-hard", "--states", "both", "--lr", 0.001]
    monkeypatch.setattr(sys, "argv", ["reason-train", "reward-model", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert capsys.readouterr().out.endswith(f"model: {tmp_path / 'run/model'}\n")
    names = {path.name for path in (tmp_path / "run/model").iterdir()}
    assert {"model.safetensors", "value_head.safetensors", "reward_head.safetensors"} <= names
    judge = HFModel.load(str(tmp_path / "run/model"))
    assert judge.has_values
    assert judge.has_rewards
    strategy = load_strategy("mcts", simulations=4)
    for guide in ("prm", "value", "0.5*prm+0.5*value"):
        found = run_searches(
            trained, make_envs(2), strategy, [0, 1], 64, guide=guide, reward_model=judge
        )
        assert [f.error for f in found] == [None, None], guide
        # (At ends, which a public verifier judges, the value head is not asked.)
        assert guide == "value" or all(f.ledger.evaluator_calls for f in found)


# -- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "montecarlo"}, "Unknown labels 'montecarlo'.*Did you mean 'monte_carlo'"),
        ({"states": "searches"}, "Unknown states 'searches'.*Did you mean 'search'"),
        ({"guide": "oracel"}, "Did you mean 'oracle'"),
        ({"guide": "value"}, "needs a model with a value head"),
        ({"guide": "prm"}, "needs a process reward model"),
        ({"rounds": 0}, "rounds must be 1 or more, received 0"),
        ({"ways": 0}, "ways must be 1 or more, received 0"),
        ({"rollouts": 0}, "rollouts must be 1 or more, received 0"),
        ({"temperature": -1.0}, "temperature must be 0 or more, received -1.0"),
        ({"value_weight": math.nan}, "value_weight must be 0 or more, received nan"),
        ({"budget_tokens": 1}, "budget_tokens=1 is below one answer"),
        ({"envs": ()}, "envs must name one environment or more"),
        ({"envs": (EnvSpec.parse("Cuontdown-v0"),)}, "Did you mean"),
    ],
)
def test_settings_that_no_run_could_follow(trained, tmp_path, changes, message):
    """Named before any work, and before the folder is taken."""
    config = RewardModelConfig(**{"envs": (ENV,), **SMALL, **changes})
    with pytest.raises(ValueError, match=message):
        reward_model(trained, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert not trained.heads


def test_a_search_that_finds_no_line_says_so(make_tiny, tmp_path):
    """An untrained model ends no line within so few tokens."""
    config = RewardModelConfig((ENV,), **{**SMALL, "states": "search", "line_tokens": 1})
    with pytest.raises(ValueError, match=r"found no line in .*, so there is nothing to learn from"):
        reward_model(make_tiny(), config, tmp_path / "run")


def test_a_search_that_is_not_made_is_not_checked(trained, tmp_path):
    config = RewardModelConfig((ENV,), states="rollouts", guide="value", **{**SMALL, "rounds": 1})
    reward_model(trained, config, tmp_path)


def test_exact_labels_need_verified_lines(trained, tmp_path):
    class Unverified(Doors):
        has_steps = False

    @dataclass(frozen=True)
    class Spec:
        kwargs = ()

        def make(self, **overrides):
            return ReasonEnv(Unverified(), level=1, **overrides)

    config = RewardModelConfig((Spec(),), **SMALL)
    with pytest.raises(ValueError, match="of Doors only the answers are: use labels=monte_carlo"):
        reward_model(trained, config, tmp_path / "run")
    module._check(trained, replace(config, labels="monte_carlo"))


def test_defaults_can_be_followed(trained):
    module._check(trained, RewardModelConfig((ENV,)))
