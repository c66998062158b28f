"""Bad input: user mistakes get an error that names the fix; hostile lines get a verdict."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

from reason_env import EpisodeEnv, Problem, ReasonEnv, TokenEnv, make_task, task_names
from reason_env.checks import HOSTILE_LINES, SLOW
from reason_env.env import Snapshot
from reason_env.errors import MissingExtra, choose, require

# -- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("reason_env/Countdwn-v0", "Countdown"),
        ("reason_env/countdown-v0", "Countdown"),
        ("reason_env/Countdown-Tokn-v0", "Countdown-Token"),
        ("reason_env/Countdown-v7", "v0"),
        ("reason-env/Countdown-v0", "reason_env"),
    ],
)
def test_unknown_ids_name_the_nearest(env_id: str, message: str) -> None:
    with pytest.raises(gymnasium.error.UnregisteredEnv, match=message):
        gymnasium.make(env_id)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": "Countdwn"}, "task 'Countdwn'.*Did you mean 'Countdown'"),
        ({"level": 9}, "level of Countdown 9; expected one of: 1, 2, 3, 4, 5"),
        ({"level": 0}, "level of Countdown 0"),
        ({"level": "1"}, "level of Countdown '1'.*Did you mean '1'"),
        ({"level": True}, "level of Countdown True"),
        ({"level": None}, "level of Countdown None"),
        ({"split": "tset"}, "split 'tset'.*Did you mean 'test'"),
        ({"split": "validation"}, "split 'validation'.*train, dev, test"),
        ({"reward": "proces"}, "reward preset 'proces'.*Did you mean 'process'"),
        ({"reward": {"shapping": 1}}, "reward term 'shapping'.*Did you mean 'shaping'"),
        ({"on_invalid": "stop"}, "on_invalid 'stop'.*end, feedback"),
        ({"feedback": "States"}, "feedback 'States'.*none, state"),
        ({"prompt": "long"}, "prompt 'long'.*compact, verbose"),
        ({"render_mode": "human"}, "render_mode 'human'.*ansi"),
        ({"max_steps": 0}, "max_steps must be a whole number of 1 or more, received 0"),
        ({"max_tokens": 2.5}, "max_tokens must be .* received 2.5"),
        ({"max_tokens": True}, "max_tokens must be .* received True"),
    ],
)
@pytest.mark.parametrize("env_class", [ReasonEnv, TokenEnv, EpisodeEnv])
def test_unknown_settings_name_the_nearest(
    env_class: type[ReasonEnv], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        env_class(**{"task": "Countdown", **kwargs})


def test_numbers_like_1_are_1() -> None:
    for level in (np.int64(1), 1.0):
        env = ReasonEnv("Countdown", level=level)  # type: ignore[arg-type]
        assert type(env.level) is int


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"problm": 1}, "reset option 'problm'.*Did you mean 'problem'"),
        ({"problem": "20 7 3 -> 39"}, "must be a Problem of Countdown"),
        ({"problem": Problem("Arithmetic", 1, "1 + 1")}, "must be a Problem of Countdown"),
    ],
)
def test_unknown_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReasonEnv("Countdown").reset(options=options)


def test_choose_without_a_near_name() -> None:
    with pytest.raises(ValueError, match=r"^Unknown fruit 'zzz'; expected one of: apple, pear\.$"):
        choose("zzz", ["apple", "pear"], "fruit")


# -- Actions -------------------------------------------------------------------------------------


def test_a_step_is_one_line() -> None:
    env = ReasonEnv("Countdown")
    before, _ = env.reset(seed=0)
    with pytest.raises(ValueError, match=r"one line, received 3: .*-Episode-"):
        env.step("a\nb\nc")
    assert env.episode.text == before, "a refused action changes nothing"


@pytest.mark.parametrize("action", [None, 7, b"20 - 7 = 13", ["20 - 7 = 13"], np.array(3)])
@pytest.mark.parametrize("env_class", [ReasonEnv, EpisodeEnv])
def test_actions_are_strings(env_class: type[ReasonEnv], action: Any) -> None:
    env = env_class("Countdown")
    env.reset(seed=0)
    with pytest.raises(TypeError, match=f"string, received {type(action).__name__}"):
        env.step(action)


@pytest.mark.parametrize("action", [None, -1, 10**6, 1.5, "7", np.array([1, 2])])
def test_token_actions_are_ids(action: Any) -> None:
    env = TokenEnv("Countdown")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="token action is an id in 0"):
        env.step(action)
    assert env.episode.tokens == 0


@pytest.mark.parametrize("env_class", [ReasonEnv, TokenEnv, EpisodeEnv])
def test_reset_comes_first(env_class: type[ReasonEnv]) -> None:
    env = env_class("Countdown")
    action: Any = 5 if env_class is TokenEnv else "answer:"
    for call in (lambda: env.step(action), env.snapshot, env.legal_lines, env.potential):
        with pytest.raises(gymnasium.error.ResetNeeded):
            call()
    env.reset(seed=0)
    while not env.episode.stopped:
        env.step(2 if env_class is TokenEnv else "answer:")
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(action)


# -- Lines ---------------------------------------------------------------------------------------


def step_from_the_start(env: ReasonEnv, line: str) -> tuple[Any, ...]:
    """The first step of an episode."""
    env.reset(seed=0)
    return env.step(line)


@pytest.mark.parametrize("feedback", ["none", "state"])
@pytest.mark.parametrize("name", task_names())
def test_hostile_lines_get_a_verdict_at_once(
    soon: Callable[..., Any], name: str, feedback: str
) -> None:
    for level in (1, make_task(name).levels[-1]):
        env = ReasonEnv(
            name, level=level, feedback=feedback, on_invalid="feedback", max_tokens=10**6
        )
        for line in HOSTILE_LINES:
            observation, reward, _, _, info = soon(SLOW, step_from_the_start, env, line)
            assert reward == 0.0, line[:40]
            assert info["kind"] in ("answer", "claim", "thought")
            assert env.observation_space.contains(observation)


@pytest.mark.parametrize("env_class", [EpisodeEnv, ReasonEnv])
@pytest.mark.parametrize("name", task_names())
def test_any_unicode_is_accepted(name: str, env_class: type[ReasonEnv]) -> None:
    rng = np.random.default_rng(0)
    env = env_class(name, feedback="state", on_invalid="feedback")
    for _ in range(100):
        env.reset(seed=0)
        codes = rng.integers(0, [128, 2**12, 2**16, 0x110000][int(rng.integers(4))], size=40)
        text = "".join(map(chr, codes)).replace("\n", " ")
        observation, *_ = env.step(text)
        assert env.observation_space.contains(observation)


@pytest.mark.parametrize(
    "line", ["20 \u2212 7 = 13", "\uff12\uff10 - 7 = 13", "20\u00a0-\u20097 = 13"]
)
def test_unicode_is_normalised_before_it_is_verified(line: str) -> None:
    env = ReasonEnv("Countdown")
    env.reset(options={"problem": Problem("Countdown", 1, ((20, 7, 3), 39))})
    *_, info = env.step(line)
    assert (info["kind"], info["valid"]) == ("claim", True)
    assert env.episode.text.endswith("\n20 - 7 = 13\n")


# -- Missing extras, damaged data ----------------------------------------------------------------


def test_missing_extra_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'reason-env\[train\]'"):
        require("no_such_module_at_all", "train")
    with pytest.raises(MissingExtra, match=r"'bench'"):
        require("no_such_module_at_all.inner", "bench")
    assert require("json", "train").dumps([1]) == "[1]"


def test_a_broken_import_is_not_a_missing_extra(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_on_purpose.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all") as caught:
        require("broken_on_purpose", "train")
    assert not isinstance(caught.value, MissingExtra)


def test_problems_are_lists_and_scalars_only() -> None:
    with pytest.raises(ValueError, match="JSON without objects, received dict"):
        Problem.from_json({"task": "Countdown", "level": 1, "data": [{}], "solution": None})


def test_damaged_snapshots_raise() -> None:
    env = ReasonEnv("Countdown")
    env.reset(seed=0)
    stored = env.snapshot().to_json()
    del stored["state"]
    with pytest.raises(KeyError, match="state"):
        Snapshot.from_json(stored)
