"""Specs of environments: at all granularities, with what they were given."""

import pytest

from agents.learning.specs import EnvSpec
from reason_env import EpisodeEnv, ReasonEnv, TokenEnv


@pytest.mark.parametrize("name", ["Countdown-v0", "reason_env/Countdown-v0"])
def test_other_granularities(name):
    """The same problem of the same seed, with the same arguments; overrides win."""
    spec = EnvSpec.parse(f"{name}:level=2,feedback=state")
    made = [spec.make(level=3), spec.make_at("Token", level=3), spec.make_at("Episode", level=3)]
    assert [type(env) for env in made] == [ReasonEnv, TokenEnv, EpisodeEnv]
    for env in made:
        env.reset(seed=5)
        assert (env.level, env.feedback) == (3, "state")
        assert env.episode.problem == made[0].episode.problem


@pytest.mark.parametrize(
    ("spec", "granularity", "message"),
    [
        ("Countdown-v0", "Tokens", "Did you mean 'Token'"),
        ("Countdwn-v0", "Token", "Countdown"),
        ("Countdown-Token-v0", "Token", "Expected an id of step granularity"),
        ("Countdown-v0:levle=1", "Episode", "levle"),
    ],
)
def test_granularities_that_are_none(spec, granularity, message):
    with pytest.raises(ValueError, match=message):
        EnvSpec.parse(spec).make_at(granularity)
