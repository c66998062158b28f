"""TokenEnv: token actions, contexts, masks."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from reason_env import Problem, TokenEnv
from reason_env.tokenizer import BOS, EOS, PAD, TOKENIZER

PROBLEM = Problem("Countdown", 1, ((20, 7, 3), 39))
PROMPT = "20 7 3 -> 39\n"


def start(**kwargs: Any) -> TokenEnv:
    env = TokenEnv("Countdown", **kwargs)
    env.reset(options={"problem": PROBLEM})
    return env


def write(env: TokenEnv, text: str) -> list[tuple[Any, float, bool, bool, dict[str, Any]]]:
    return [env.step(token) for token in TOKENIZER.encode(text)]


def text_of(observation: dict[str, Any]) -> str:
    assert not observation["tokens"][observation["length"] :].any()
    return TOKENIZER.decode(int(t) for t in observation["tokens"][: observation["length"]])


def test_rewards_come_with_the_newline() -> None:
    env = start(reward="shaped")
    steps = write(env, "20 - 7 = 13\n13 * 3 = 39\n")
    rewards = [reward for _, reward, *_ in steps]
    assert rewards == pytest.approx([0] * 5 + [0.09] + [0] * 5 + [1 - 0.9])
    assert [step[2] for step in steps] == [False] * 11 + [True]
    assert {info["reason"] for *_, info in steps[:5]} == {"unfinished line"}


def test_context_holds_prompt_tokens_and_feedback() -> None:
    env = start(feedback="state")
    observation, *_, info = write(env, "20 - 7\n")[-1]
    assert text_of(observation) == PROMPT + "20 - 7\n> 13 3 -> 39\n"
    assert info["feedback"] == "> 13 3 -> 39\n"
    assert observation["tokens"].dtype == np.int32
    assert env.episode.tokens == 4, "feedback is not the agent's"
    assert env.observation_space.contains(observation)


def test_overlong_context_keeps_its_end() -> None:
    env = start()
    env.context = 8
    observation, *_ = env.step(TOKENIZER.encode("20")[0])
    assert text_of(observation) == (PROMPT + "20")[-len(text_of(observation)) :]
    assert observation["length"] == 8


@pytest.mark.parametrize(
    ("text", "transcript", "terminated"),
    [
        ("", "answer:\n", True),
        ("20 - 7 = 13", "20 - 7 = 13\nanswer:\n", True),
        ("20 - 7 = 13\n13 * 3 = 39", "20 - 7 = 13\n13 * 3 = 39\n", True),
        ("20 - 7 = 14", "20 - 7 = 14\n", True),
    ],
)
def test_eos_ends_line_and_episode(text: str, transcript: str, terminated: bool) -> None:
    env = start()
    write(env, text)
    *_, ended, truncated, _ = env.step(EOS)
    assert (ended, truncated) == (terminated, False)
    assert env.episode.text == PROMPT + transcript


def test_eos_after_the_solution_scores() -> None:
    env = start()
    write(env, "20 - 7 = 13\n13 * 3 = 39")
    _, reward, *_ = env.step(EOS)
    assert reward == 1.0


@pytest.mark.parametrize("token", [PAD, BOS])
def test_other_specials_stand_for_nothing_and_cost_a_token(token: int) -> None:
    env = start()
    first, *rest = TOKENIZER.encode("20 - 7 = 13\n13 * 3 = 39\n")
    steps = [env.step(action) for action in (first, token, *rest)]
    assert steps[-1][1] == 1.0
    assert env.episode.tokens == len(rest) + 2


def test_budget_truncates_an_unfinished_line() -> None:
    env = start(max_tokens=3)
    *_, last = write(env, "20 - 7")
    assert last[1:4] == (0.0, False, True)
    assert last[4]["reason"] == "cut by the token budget"
    assert env.episode.text == PROMPT + "20 - 7"


def test_numpy_actions() -> None:
    env = start()
    env.step(np.int64(TOKENIZER.encode("7")[0]))
    assert env.episode.line == "7"


@pytest.mark.parametrize("feedback", ["none", "state"])
def test_masks_follow_the_legal_lines(feedback: str) -> None:
    env = start(feedback=feedback)
    legal = {tuple(TOKENIZER.encode(line + "\n")) for line in env.legal_lines()}
    written: list[int] = []
    for token in TOKENIZER.encode("20 - 7" if feedback == "state" else "20 - 7 = 13"):
        mask = env.action_masks()
        place = len(written)
        wanted = {line[place] for line in legal if list(line[:place]) == written}
        assert set(np.flatnonzero(mask)) == wanted
        assert (mask.shape, mask.dtype) == ((len(TOKENIZER),), np.bool_)
        env.step(token)
        written.append(token)
    assert set(np.flatnonzero(env.action_masks())) == {TOKENIZER.newline}


def test_mask_off_the_legal_lines_allows_the_newline() -> None:
    env = start()
    write(env, "hm")
    assert set(np.flatnonzero(env.action_masks())) == {TOKENIZER.newline}


def test_after_the_end() -> None:
    env = start()
    env.step(EOS)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(EOS)
