"""Which runs are one side of a comparison."""

import pytest
from made_runs import run, side

from benchmarks.sides import Side, load_side, side_of


def test_a_side_of_one_run_is_called_as_its_run():
    one = run([1, 0], seed=3)
    assert side_of(one).name == one.name == "a-3-m / sample (seed=3)"
    assert side_of([one]) == side_of(side_of(one)) == Side((one,))


def test_a_side_of_several_has_their_means():
    several = side([1, 0, 1, 1], [0, 0, 0, 1], models=["a", "b"], tokens=12, errors=2)
    assert several.name == "a-0-a, a-1-b / sample, 2 runs"
    assert (several.accuracy, several.tokens, several.errors) == (0.5, 12, 2)
    assert several.models == (("a", None), ("b", None))
    assert several.division == "open"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "mcts"}, r'strategy \("sample" and "mcts"\)'),
        ({"budget_tokens": 8}, r"budget_tokens \(64 and 8\)"),
        ({"suite_hash": "other", "suite": {}}, r'suite_hash \("h" and "other"\);'),
        ({"options": {"n": 4}}, r'options \({} and {"n": 4}\)'),
    ],
)
def test_what_differs_in_more_than_seeds_is_refused(changes, message):
    with pytest.raises(ValueError, match=f"a-0-m and a-1-m cannot be one side: .*{message}"):
        Side((run([1]), run([1], seed=1, **changes)))


def test_the_same_run_twice_is_refused():
    with pytest.raises(ValueError, match=r"same model and the same seed \(0\)"):
        Side((run([1]), run([0])))
    with pytest.raises(ValueError, match="at least one run"):
        Side(())
    # Reward models tell runs apart as models do.
    guided = Side(
        (run([1], options={"reward_model": "x"}), run([0], options={"reward_model": "y"}))
    )
    assert len(set(guided.models)) == 2


def test_folders_with_commas(tmp_path):
    with pytest.raises(FileNotFoundError, match="x is not a run folder"):
        load_side(f"{tmp_path / 'x'},{tmp_path / 'y'}")
    (tmp_path / "a,b").mkdir()
    with pytest.raises(FileNotFoundError, match="a,b is not a run folder"):
        load_side(tmp_path / "a,b")
    with pytest.raises(ValueError, match="commas between them, received 'a,'"):
        load_side("a,")
