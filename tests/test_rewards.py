"""Reward terms stay separate; presets and weights."""

import pytest

from reason_env.rewards import PRESETS, RewardConfig, RewardTerms, reward_config


def test_terms_add_up_one_by_one() -> None:
    total = RewardTerms(1, -1, 0.25) + RewardTerms(0, -1, 0.5)
    assert total == RewardTerms(1, -2, 0.75)
    assert total.to_json() == {"outcome": 1, "validity": -2, "shaping": 0.75}


@pytest.mark.parametrize(
    ("value", "reward"),
    [
        ("outcome", 1.0),
        ("process", 0.5),
        ("shaped", 0.75),
        (RewardConfig(2, 1, 0), 1.0),
        ({"outcome": 0.0, "shaping": 4.0}, 1.0),
        ({}, 1.0),
    ],
)
def test_weights(value: str | RewardConfig | dict[str, float], reward: float) -> None:
    assert reward_config(value).weigh(RewardTerms(1, -1, 0.25)) == reward


def test_outcome_is_the_default_preset() -> None:
    assert PRESETS["outcome"] == RewardConfig()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("shapd", "reward preset 'shapd'.*Did you mean 'shaped'"),
        ({"outcom": 1.0}, "reward term 'outcom'.*Did you mean 'outcome'"),
    ],
)
def test_unknown_names(value: str | dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reward_config(value)
