"""Two sides on the same problems: hand values, closed forms, coverage and symmetries."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import episode, side

from benchmarks import paired as module
from benchmarks.intervals import Spread, score_interval, student_quantile
from benchmarks.metrics import Estimate, bootstrap, wilson
from benchmarks.paired import pair, pair_sides
from benchmarks.power import detectable, multiplier
from benchmarks.sides import Side
from benchmarks.significance import mcnemar, sign_flip

ROWS = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n)] * 4)
)


@pytest.fixture
def quick(monkeypatch):
    """Without the bootstrap, where it is not what is tested."""
    monkeypatch.setattr(module, "bootstrap", lambda values: Estimate(values.mean(), -1, 1))


def test_pairs_match_problems_and_not_places():
    first = [episode(i, i < 10) for i in range(40)]
    second = [episode(i, i < 5 or i >= 20) for i in reversed(range(40))]
    paired = pair(first, second)
    assert (paired.episodes, paired.gained, paired.lost, paired.moved) == (40, 20, 5, 25)
    assert paired.difference.value == pytest.approx(15 / 40)
    assert paired.difference.low < 15 / 40 < paired.difference.high
    assert (paired.p, paired.test) == (mcnemar(20, 5), "McNemar")
    assert paired.score == score_interval(20, 5, 40)
    assert paired.odds.value == 4
    with pytest.raises(ValueError, match="40 and 39, 39 shared"):
        pair(first, second[1:])


def test_pairing_is_sharper_than_ignoring_pairs():
    first = [episode(i, i < 100) for i in range(200)]
    second = [episode(i, i < 110) for i in range(200)]
    assert pair(first, second).p < 0.01
    assert wilson(100, 200).high > wilson(110, 200).low


def test_single_runs_are_bootstrapped_in_the_order_of_the_suite():
    rng = np.random.default_rng(0)
    before, after = rng.integers(2, size=(2, 80))
    paired = pair_sides(side(before), side(after))
    assert paired.difference == bootstrap(after - before)
    assert paired.method == "bootstrap"
    assert paired.error == pytest.approx((after - before).std(ddof=1) / sqrt(80))


def test_the_order_of_episodes_changes_nothing():
    rng = np.random.default_rng(1)
    first, second = (
        run.episodes for run in side(*rng.integers(2, size=(2, 300)), templates=9).runs
    )
    turned = [first[i] for i in rng.permutation(300)]
    assert pair(turned, second[::-1]) == pair(first, second)


def test_seeds_of_sampling_by_hand():
    # Means of the first: 1, 0.5, 0; of the second: 1, 1, 0.
    first = side([1, 1, 0], [1, 0, 0])
    second = side([1, 1, 0])
    paired = pair_sides(first, second)
    assert paired.difference.value == pytest.approx(0.5 / 3)
    assert (paired.gained, paired.lost) == (0.5, 0.0)
    assert (paired.test, paired.p, paired.moved) == ("sign flip", 1.0, 1)
    assert paired.score is paired.odds is None
    assert paired.difference == bootstrap([0, 0.5, 0])
    # Wins and losses over pairs of runs: problem 0 is 1 against (1, 0), problem 1 is (1, 0)
    # against (0, 0): 1 x 0.5 gained, 0.5 x 1 gained.
    both = pair_sides(side([1, 0], [0, 0]), side([1, 1], [1, 0]))
    assert (both.gained, both.lost) == (1.0, 0.0)


def test_seeds_of_sampling_use_the_exact_sign_flip_test():
    rng = np.random.default_rng(3)
    first, second = rng.integers(2, size=(2, 30)), rng.integers(2, size=(3, 30))
    paired = pair_sides(side(*first), side(*second))
    # In sixths.
    assert paired.p == pytest.approx(sign_flip(2 * second.sum(0) - 3 * first.sum(0)))
    assert paired.difference.value == pytest.approx(second.mean() - first.mean())
    assert paired.gained - paired.lost == pytest.approx(30 * paired.difference.value)


def test_seeds_of_training_by_hand():
    rng = np.random.default_rng(4)
    first, second = rng.integers(2, size=(2, 50)), rng.integers(2, size=(3, 50))
    paired = pair_sides(
        side(*first, models=["a", "b"]), side(*second, models=["c", "d", "e"], folder="b")
    )
    problems = (second.mean(0) - first.mean(0)).var(ddof=1) / 50
    seeds = [rows.mean(1).var(ddof=1) / len(rows) for rows in (first, second)]
    variance = problems + sum(seeds)
    freedom = variance**2 / (problems**2 / 49 + seeds[0] ** 2 / 1 + seeds[1] ** 2 / 2)
    assert (paired.method, paired.test) == ("t", "t")
    assert paired.error == pytest.approx(sqrt(variance))
    half = student_quantile(0.05, int(freedom)) * sqrt(variance)
    assert paired.difference.high - paired.difference.value == pytest.approx(half)
    assert paired.p == pytest.approx(Spread(variance, int(freedom)).p(paired.difference.value))
    square = ((second.mean(0) - first.mean(0)) ** 2).mean()
    assert paired.detectable == detectable(square, 50, sum(seeds), int(freedom))


def test_the_same_models_on_both_sides_are_pairs():
    """Search adds 4 problems of 20 to each model, however good the models are."""
    rows = [[1] * solved + [0] * (20 - solved) for solved in (2, 8, 14)]
    better = [[1] * (solved + 4) + [0] * (16 - solved) for solved in (2, 8, 14)]
    first = side(*rows, models="xyz")
    same = pair_sides(first, side(*better, models="xyz", strategy="mcts"))
    other = pair_sides(first, side(*better, models="uvw"))
    assert same.difference.value == other.difference.value == pytest.approx(0.2)
    values = np.mean(better, 0) - np.mean(rows, 0)
    assert same.error == pytest.approx(values.std(ddof=1) / sqrt(20)), "no variance of models"
    assert same.p < 0.01
    assert other.p > 0.3
    # The order in which models are named is no matter.
    turned = side(*better[::-1], models="zyx", strategy="mcts")
    assert pair_sides(first, turned) == same


def test_models_count_alike_however_often_each_was_sampled():
    rows = [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    second = side(*rows, models=["a", "b", "b", "b"])
    paired = pair_sides(side([0, 0, 0, 0]), second)
    assert paired.difference.value == pytest.approx(0.5)
    assert paired.gained == pytest.approx(2)
    # Two models: variance of their accuracies (1 and 0) over 2.
    assert paired.error == pytest.approx(sqrt(0.5 / 2))


def test_seeds_far_apart_hide_what_one_seed_seems_to_show():
    apart = side([1] * 40, [0] * 40, [1] * 40, models=["a", "b", "c"])
    base = side([0] * 20 + [1] * 20)
    assert pair_sides(base, Side(apart.runs[:1])).p < 1e-4
    assert pair_sides(base, apart).p > 0.5
    # No variance at all is no proof: as little as the test of problems says.
    sure = pair_sides(side([0]), side([1], [1], models=["a", "b"]))
    assert (sure.p, sure.error) == (1.0, 0.0)


def test_templates_by_hand(quick):
    rng = np.random.default_rng(5)
    before, after = rng.integers(2, size=(2, 70))
    over = pair_sides(side(before, templates=7), side(after, templates=7)).templates
    # Seven templates of ten problems each: Student's interval of their means.
    means = (after - before).reshape(10, 7).mean(0)
    assert over.templates == 7
    assert over.error == pytest.approx(means.std(ddof=1) / sqrt(7))
    half = student_quantile(0.05, 6) * over.error
    assert over.difference.high == pytest.approx(means.mean() + half)
    assert over.p == pytest.approx(sign_flip(np.rint(10 * means)))
    assert over.test == "sign flip"
    assert over.detectable == pytest.approx(multiplier(6) * over.error)
    assert pair_sides(side(before, templates=6), side(after, templates=6)).templates is None


def test_templates_agree_with_millers_formula(quick):
    """Clustered variance as Miller (2024) has it: a double sum within clusters, over N^2."""
    rng = np.random.default_rng(6)
    before, after = rng.integers(2, size=(2, 75))
    paired = pair_sides(side(before, templates=8), side(after, templates=8))
    d = after - before - (after - before).mean()
    total = sum(d[i] * d[j] for i in range(75) for j in range(75) if i % 8 == j % 8)
    assert paired.templates.error == pytest.approx(sqrt(8 / 7 * total) / 75)


def test_unequal_templates_have_fewer_degrees_of_freedom():
    uneven = [20, 20, 20, 10, 5, 5, 5]  # 85^2 / (3 x 400 + 100 + 3 x 25) = 5.3 templates
    for sizes, freedom in (([10] * 7, 6), ([100] + [1] * 6, 1), (uneven, 4)):
        labels = [str(place) for place, size in enumerate(sizes) for _ in range(size)]
        values = np.zeros(len(labels), int)
        values[:2], values[-1] = 1, -1
        over = module._over_templates(values, 1, labels, [])
        half = over.difference.high - over.difference.value
        assert half == pytest.approx(student_quantile(0.05, freedom) * over.error)


def test_differences_by_template_widen_the_interval(quick):
    """All templates of one kind gain, all of the other lose: sure here, not elsewhere."""
    first = [i % 8 < 4 for i in range(400)]
    paired = pair_sides(
        side(first, templates=8), side([i % 8 >= 3 for i in range(400)], templates=8)
    )
    assert paired.p < 0.01
    assert paired.templates.p > 0.3
    assert paired.templates.difference.low < 0 < paired.templates.difference.high
    assert paired.templates.error > 2 * paired.error
    assert paired.detectable < 0.2
    assert paired.templates.detectable is None, "with so few templates so far apart"


@pytest.mark.parametrize(("templates", "spread"), [(8, 0.2), (30, 0.2), (12, 0.0)])
def test_the_interval_over_templates_covers(quick, templates, spread):
    rng = np.random.default_rng(8)
    each, tries, covered, rejected = 10, 400, 0, 0
    for _ in range(tries):
        # Chance that a problem changes, up or down, by template; on average there is no difference.
        lean = rng.normal(0, spread, templates).clip(-0.4, 0.4)
        draws = rng.random((each, templates))
        values = (draws < 0.2 + lean / 2).astype(int) - (draws > 0.8 + lean / 2)
        labels = [str(place) for _ in range(each) for place in range(templates)]
        over = module._over_templates(values.ravel(), 1, labels, [])
        covered += over.difference.low <= 0 <= over.difference.high
        rejected += over.p < 0.05
    assert covered / tries == pytest.approx(0.95, abs=0.035)
    assert rejected / tries < 0.08


@pytest.mark.parametrize(("seeds", "spread"), [(2, 0.05), (3, 0.1), (3, 0.0)])
def test_the_interval_over_training_seeds_covers(seeds, spread):
    rng = np.random.default_rng(9)
    n, tries, covered, rejected = 60, 250, 0, 0
    for _ in range(tries):
        chance = 0.2 + 0.6 * rng.random(n)
        sides = []
        for name in "ab":
            means = chance + rng.normal(0, spread, (seeds, 1)) + rng.normal(0, 0.1, n)
            rows = rng.random((seeds, n)) < means
            sides.append(side(*rows, models=[f"{name}{i}" for i in range(seeds)]))
        paired = pair_sides(*sides)
        covered += paired.difference.low <= 0 <= paired.difference.high
        rejected += paired.p < 0.05
    assert covered / tries > 0.92
    assert rejected / tries < 0.08


def test_degenerate_comparisons():
    one = pair([episode(0, False)], [episode(0, True)])
    assert (one.difference, one.error, one.p) == (Estimate(1.0, 1.0, 1.0), None, 1.0)
    assert (one.detectable, one.needed) == (None, 8)
    assert one.score.low < 0.5 < one.score.high
    same = pair_sides(side([1, 0] * 10), side([1, 0] * 10))
    assert (same.difference, same.p, same.odds) == (Estimate(0.0, 0.0, 0.0), 1.0, None)
    assert (same.moved, same.needed) == (0, None)
    assert same.detectable == pytest.approx(7.849 / 20, abs=1e-4)
    assert same.score.high == -same.score.low > 0.1
    gained = pair_sides(side([0] * 20), side([1] * 20))
    assert gained.difference == Estimate(1.0, 1.0, 1.0)
    assert 0.6 < gained.score.low < gained.score.high == 1
    assert gained.p == mcnemar(20, 0)
    assert gained.odds.value == float("inf")
    over = pair_sides(side([0] * 28, templates=7), side([1] * 28, templates=7)).templates
    assert (over.error, over.p) == (0.0, 2 / 128)
    nothing = pair_sides(side([0] * 28, templates=7), side([0] * 28, templates=7)).templates
    assert (nothing.error, nothing.p, nothing.difference.value) == (0.0, 1.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from([("m", "m"), ("m", "n")]), st.integers(1, 8), st.randoms())
def test_swapped_sides_and_shuffled_problems(rows, models, templates, shuffler):
    first = side(*rows[:2], models=["x", "x"], templates=templates)
    second = side(*rows[2:], models=models, templates=templates)
    there, back = pair_sides(first, second), pair_sides(second, first)
    for one, two in ((there, back), (there.templates, back.templates)):
        if one is None:
            assert two is None
            continue
        assert one.difference.value == pytest.approx(-two.difference.value)
        assert one.difference.low == pytest.approx(-two.difference.high)
        assert one.difference.high == pytest.approx(-two.difference.low)
        assert one.p == pytest.approx(two.p)
        assert one.detectable == pytest.approx(two.detectable)
    assert (there.gained, there.lost) == pytest.approx((back.lost, back.gained))
    shuffled = []
    for run in first.runs:
        episodes = list(run.episodes)
        shuffler.shuffle(episodes)
        shuffled.append(episodes)
    again = module._paired(shuffled, second.episodes, ["x", "x"], second.models)
    assert (again.difference, again.p) == (there.difference, there.p)
    assert (again.detectable, again.templates) == (there.detectable, there.templates)


def test_every_run_must_have_the_same_problems():
    with pytest.raises(ValueError, match="3 and 2, 2 shared"):
        pair_sides(side([1, 0, 1]), side([1, 0]))
