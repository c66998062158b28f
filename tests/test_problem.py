"""Problems hold immutable JSON, whatever they are made from."""

import pytest

from reason_env import Problem, ReasonEnv


def test_lists_become_tuples() -> None:
    problem = Problem("Countdown", 1, [[20, 7, 3], 39])  # type: ignore[arg-type]
    assert problem == Problem("Countdown", 1, ((20, 7, 3), 39))
    assert hash(problem) == hash(Problem.from_json(problem.to_json()))
    observation, _ = ReasonEnv("Countdown").reset(options={"problem": problem})
    assert observation == "20 7 3 -> 39\n"


@pytest.mark.parametrize("data", [{"numbers": [1]}, [1, {2}], b"20", [object()]])
def test_other_data_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="Expected JSON without objects, received"):
        Problem("Countdown", 1, data)  # type: ignore[arg-type]
