"""Best of N under a reward model: exact expectations, honest peaks, studies that resume."""

import json
import math
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import comb, isclose, log

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.models.hf import HFModel
from agents.models.scripted import ScriptedModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks import overoptimization as study_module
from benchmarks import solution_samples
from benchmarks.best_of import best_of_kl, expected_best, powers_up_to, rank_chances
from benchmarks.metrics import Z, wilson
from benchmarks.overoptimization import analyse, overoptimization
from benchmarks.peaks import FEWEST, find_peak
from benchmarks.records import LEDGER
from benchmarks.solution_samples import SAMPLES, Sampled
from benchmarks.study_commands import app
from benchmarks.suite import Suite, make_env, resolve

FILES = (SAMPLES, "overoptimization.json", "overoptimization.md", "overoptimization.png")


def suite(episodes, env="Countdown-v0", **kwargs):
    entry = {"env": f"reason_env/{env}", "kwargs": {"level": 1, "split": "dev", **kwargs}}
    entries = [{**entry, "episodes": episodes}]
    return Suite.from_json({"name": "few", "version": 1, "seed": 0, "entries": entries})


@cache
def expert_lines(episodes):
    """Prompt -> the lines that solve it, for `suite(episodes)`."""
    known = {}
    for item in resolve(suite(episodes)).items:
        env = make_env(item.env, item.kwargs)
        env.reset(seed=item.seed)
        prompt = env.episode.text
        rng = np.random.default_rng(0)
        lines = []
        while not env.episode.stopped:
            lines.append(env.expert_line(rng))
            env.step(lines[-1])
        known[prompt] = lines
    return known


FOOL, PLAIN = "1 + 1 = 3", "1 + 1 = 4"
RIGHT_CHANCE, FOOL_CHANCE = 0.2, 0.01


def policy(problems):
    """Right with 0.2, the fooling error with 0.01, else a plain error."""
    known = expert_lines(problems.entries[0].episodes)

    def script(text, seed):
        prompt, lines = next((p, ls) for p, ls in known.items() if text.startswith(p))
        written = text[len(prompt) :].splitlines()
        if written:
            return lines[len(written)]
        plain = 1 - RIGHT_CHANCE - FOOL_CHANCE
        return {lines[0]: RIGHT_CHANCE, FOOL: FOOL_CHANCE, PLAIN: plain}

    return ScriptedModel(script, name="policy")


def judge(fooled):
    """A reward model that ranks what is right above plain errors, and the fooling one first."""

    def reward(text):
        last = text.splitlines()[-1]
        if last == FOOL:
            return 0.9 if fooled else 0.2
        return 0.1 if last == PLAIN else 0.8

    return ScriptedModel(lambda text, seed: "", reward=reward, name=f"judge {fooled}")


def study_of(out, problems, fooled=True, samples=64, **changes):
    arguments = {"model": policy(problems), "reward_model": judge(fooled), "samples": samples}
    return overoptimization(problems, out, **{**arguments, "progress": False, **changes})


# -- Expectations ------------------------------------------------------------------------------


def by_brute_force(scores, worth, n):
    """Over all subsets, and over all of a subset's best."""
    total = Fraction(0)
    subsets = list(combinations(range(len(scores)), n))
    for subset in subsets:
        top = max(scores[i] for i in subset)
        best = [worth[i] for i in subset if scores[i] == top]
        total += sum(map(Fraction, best)) / len(best)
    return float(total / len(subsets))


@pytest.mark.parametrize("values", [2, 3, 100], ids=["many ties", "ties", "hardly any"])
def test_expectations_are_those_over_all_subsets(values):
    rng = np.random.default_rng(values)
    for _ in range(25):
        size = int(rng.integers(1, 9))
        scores = rng.integers(values, size=size).tolist()
        solved = rng.integers(2, size=size).tolist()
        chances = np.array([rank_chances(size, n) for n in range(1, size + 1)])
        picked = expected_best(scores, solved, chances)
        proxy = expected_best(scores, scores, chances)
        coverage = expected_best(solved, solved, chances)
        for n in range(1, size + 1):
            assert isclose(picked[n - 1], by_brute_force(scores, solved, n), abs_tol=1e-12)
            assert isclose(proxy[n - 1], by_brute_force(scores, scores, n), abs_tol=1e-12)
            without = comb(size - sum(solved), n) / comb(size, n)
            assert isclose(coverage[n - 1], 1 - without, abs_tol=1e-12)


def test_order_of_the_samples_does_not_matter_where_all_tie():
    chances = np.array([rank_chances(6, n) for n in (1, 2, 4, 6)])
    for solved in ([1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]):
        assert np.allclose(expected_best([0.5] * 6, solved, chances), 1 / 6, atol=1e-15)


def test_chances_of_many_samples_are_exact_and_whole():
    for n in (1, 7, 1000, 2000):
        chances = rank_chances(2000, n)
        assert isclose(chances.sum(), 1, rel_tol=1e-12)
        assert isclose(chances[-1], n / 2000, rel_tol=1e-15)
    assert powers_up_to(64) == (1, 2, 4, 8, 16, 32, 64)
    assert powers_up_to(5) == (1, 2, 4, 5)
    assert best_of_kl(1) == 0
    assert isclose(best_of_kl(256), log(256) - 255 / 256)
    with pytest.raises(ValueError, match=r"n must be in 1\.\.4, received 5"):
        rank_chances(4, 5)


# -- Peaks -------------------------------------------------------------------------------------


def noise(rng, means, problems=100):
    return (rng.random((problems, len(means))) < np.array(means)).astype(float)


def test_flat_curves_are_seldom_said_to_fall():
    rng = np.random.default_rng(0)
    peaks = [find_peak(noise(rng, [0.5] * 6), seed, 500) for seed in range(300)]
    # Only falls to the last point count, of all pairs at once: well below 5 %. The interval of one
    # pair, for the highest against the last, finds a fall in 32 of these 300.
    assert sum(bool(peak.above) for peak in peaks) <= 12
    covered = [peak.fall.low <= 0 <= peak.fall.high for peak in peaks]
    assert sum(covered) >= 0.92 * len(peaks)


@pytest.mark.parametrize(
    ("problems", "samples", "chance"), [(100, 256, 0.01), (20, 64, 0.05), (40, 16, 0.06)]
)
def test_rare_solutions_that_the_last_pick_misses_are_no_fall(problems, samples, chance):
    """Scores that say nothing: accuracy is the same at every N. At the largest N each problem has
    one pick, and often not one of them is right, so that resampling problems finds no error."""
    rng = np.random.default_rng(0)
    chances = np.array([rank_chances(samples, n) for n in powers_up_to(samples)])
    peaks = [
        find_peak((rng.random((problems, samples)) < chance) @ chances.T, seed, 400)
        for seed in range(100)
    ]
    assert sum(bool(peak.above) for peak in peaks) <= 5
    assert sum(len(peak.possible) < len(chances) for peak in peaks) <= 5


def test_rare_solutions_that_are_never_the_last_pick_are_a_fall():
    """The same with a top quarter of the ranks that is never right."""
    rng = np.random.default_rng(1)
    chances = np.array([rank_chances(64, n) for n in powers_up_to(64)])
    shown = 0
    for seed in range(50):
        solved = rng.random((100, 64)) < 0.1
        solved[:, 48:] = False
        shown += bool(find_peak(solved @ chances.T, seed, 400).above)
    assert shown >= 45


def test_the_true_peak_is_among_those_said_to_be_possible():
    rng = np.random.default_rng(1)
    peaks = [find_peak(noise(rng, [0.3, 0.5, 0.55, 0.3], 200), s, 500) for s in range(100)]
    assert sum(2 in peak.possible for peak in peaks) >= 95
    # The ends are far below, and are told apart nearly always.
    assert sum(set(peak.possible) <= {1, 2} for peak in peaks) >= 80
    assert sum(bool(peak.above) for peak in peaks) >= 80


def test_a_peak_of_equal_heights_is_the_first_and_needs_enough_problems():
    falling = np.tile([0.0, 1.0, 1.0, 0.0], (FEWEST, 1))
    peak = find_peak(falling)
    assert (peak.place, peak.possible, peak.above) == (1, (1, 2), (1, 2))
    # Problems that all tell the same: as sure as so many can be.
    assert peak.fall.value == -1
    assert (peak.fall.low, peak.fall.high) == pytest.approx((-1 - Z / FEWEST, -1 + Z / FEWEST))
    few = find_peak(falling[1:])
    assert (few.place, few.possible, few.above, few.enough) == (1, (0, 1, 2, 3), (), False)
    flat = find_peak(np.full((50, 4), 0.25))
    assert (flat.place, flat.possible, flat.above) == (0, (0, 1, 2, 3), ())
    with pytest.raises(ValueError, match="P, K >= 1"):
        find_peak(np.zeros((0, 3)))


# -- Verdicts ----------------------------------------------------------------------------------


def made(scores, solved, error=None):
    """A problem's samples as if they had been drawn."""
    ledger = dict.fromkeys(LEDGER, 0)
    if error:
        return Sampled(0, "", (), (), (), (), False, ledger, error)
    return Sampled(0, "", scores, solved, (1,) * len(scores), ("line",), False, ledger)


FALLS = made((0.9, 0.5, 0.5, 0.5), (False, True, True, True))
RISES = made((0.9, 0.5, 0.5, 0.5), (True, False, False, False))


@pytest.mark.parametrize(
    ("sampled", "verdict"),
    [
        ([FALLS] * 40, "Over-optimisation is shown. True accuracy is highest at N = 1"),
        ([RISES] * 40, "No over-optimisation is seen up to N = 4: true accuracy is highest at"),
        # More fall than rise, by no more than chance may do.
        ([FALLS] * 21 + [RISES] * 19, "No over-optimisation is shown up to N = 4. True accuracy"),
        ([FALLS] * 19, "True accuracy is highest at N = 1 (75.0 %) and 0.0 % at N = 4: 19 prob"),
    ],
    ids=["falls", "rises", "may be chance", "too few"],
)
def test_verdicts_say_what_the_intervals_show(sampled, verdict):
    study = analyse({"samples": 4}, {}, sampled)
    assert study.verdict.startswith(verdict)
    shown = verdict.startswith("Over")
    assert bool(study.peak.above) == shown
    if len(sampled) >= FEWEST and study.peak.place < 2:
        assert (study.peak.fall.high < 0) == shown


def test_shares_of_which_all_are_alike_have_an_interval():
    study = analyse({"samples": 4}, {}, [FALLS] * 40)
    last = study.points[-1]
    assert (last.accuracy.value, last.coverage.value) == (0, 1)
    assert last.accuracy == wilson(0, 40)
    assert last.coverage == wilson(40, 40)


def test_problems_without_samples_stay_in_the_denominator():
    study = analyse(
        {"samples": 4}, {}, [made((0.5,) * 4, (True,) * 4), made((), (), "failed")] * 20
    )
    for point in study.points:
        assert (point.accuracy.value, point.coverage.value) == (0.5, 0.5)
        assert point.score.value == 0.5  # of those that have one
    nothing = analyse({"samples": 4}, {}, [made((), (), "failed")])
    assert [point.score for point in nothing.points] == [None] * 3


# -- Studies -----------------------------------------------------------------------------------

FORTY = suite(40)


def test_a_rare_error_that_fools_makes_the_peak_that_theory_says(tmp_path):
    study = study_of(tmp_path / "study", FORTY)
    right, fool = RIGHT_CHANCE, FOOL_CHANCE
    for point in study.points:
        expected = (1 - fool) ** point.n - (1 - fool - right) ** point.n
        assert abs(point.accuracy.value - expected) < 0.08
        assert abs(point.coverage.value - (1 - (1 - right) ** point.n)) < 0.06
        assert point.accuracy.low <= point.accuracy.value <= point.accuracy.high
    # The peak of (1 - q)^N - (1 - q - p)^N is at N = 14.
    assert study.best.n == 16
    assert study.peak.above
    assert study.peak.fall.high < 0
    assert study.verdict.startswith("Over-optimisation is shown.")
    proxies = [point.score.value for point in study.points]
    assert proxies == sorted(proxies)  # it likes what it picks more and more
    written = json.loads((tmp_path / "study/overoptimization.json").read_text())
    assert written["peak"]["n"] == 16
    assert written["verdict"] == study.verdict
    report = (tmp_path / "study/overoptimization.md").read_text()
    assert FOOL in report
    assert "What it is fooled by" in report
    assert study.verdict in report


def test_a_perfect_reward_model_reaches_the_coverage(tmp_path):
    study = study_of(tmp_path / "study", FORTY, fooled=False, samples=32)
    accuracies = [point.accuracy.value for point in study.points]
    assert accuracies == [point.coverage.value for point in study.points]
    assert accuracies == sorted(accuracies)
    assert study.verdict.startswith("No over-optimisation is seen up to N = 32")
    assert "fooled" not in (tmp_path / "study/overoptimization.md").read_text()


def test_what_is_charged_is_what_was_written_and_the_guide_reads_no_verifier(tmp_path):
    writer, critic = policy(FORTY), judge(True)
    study = study_of(tmp_path / "study", FORTY, model=writer, reward_model=critic, limit=5)
    assert len(study.sampled) == 5
    for one in study.sampled:
        assert sum(one.tokens) == one.ledger["generated_tokens"]
        assert one.ledger["verifier_calls"] == 0
    written = sum(len(completion.tokens) for _, completion in writer.written)
    assert written == sum(sum(one.tokens) for one in study.sampled)
    # Each text is scored once: at most three different ones a problem here.
    assert len(critic.valued) <= 3 * 5
    assert len(critic.valued) == sum(one.ledger["evaluator_calls"] for one in study.sampled)


def test_what_is_solved_is_what_replay_says(tmp_path):
    study = study_of(tmp_path / "study", FORTY, limit=3)
    for one in study.sampled:
        for score, solved in zip(one.scores, one.solved):
            assert solved == (score == 0.8)
        assert one.best_solved == (one.best[-1] not in (FOOL, PLAIN))


def small(out, **changes):
    return study_of(out, FORTY, samples=4, limit=7, **changes)


@pytest.fixture
def chunks_of_three(monkeypatch):
    monkeypatch.setattr(study_module, "ROWS", 12)


def contents(out):
    return {name: (out / name).read_bytes() for name in FILES}


def test_resumes_to_the_same_bytes_from_any_cut(tmp_path, chunks_of_three):
    small(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    lines = whole[SAMPLES].splitlines(keepends=True)
    assert len(lines) == 8
    assert json.loads(lines[0])["config"]["chunk"] == 3
    ends = np.cumsum([0, *map(len, lines)]).tolist()
    rng = np.random.default_rng(0)
    at_ends = [ends[i] for i in (0, 1, 3, 4, 8)]
    cuts = [*at_ends, ends[1] - 1, ends[8] - 1, *rng.integers(ends[-1], size=2).tolist()]
    for cut in cuts:
        out = tmp_path / f"cut-{cut}"
        out.mkdir(exist_ok=True)
        (out / SAMPLES).write_bytes(whole[SAMPLES][:cut])
        writer = policy(FORTY)
        small(out, model=writer)
        assert contents(out) == whole
        # Whole chunks of three are kept: nothing of them is drawn again.
        problems = sum(end <= cut for end in ends[2:])
        kept = 7 if problems == 7 else problems - problems % 3
        drawn = {prefix for prefix, _ in writer.written}
        prompts = {p for p in drawn if writer.tokenizer.decode(p).count("\n") == 1}
        assert len(prompts) == 7 - kept


def test_a_study_that_is_killed_goes_on(tmp_path, chunks_of_three, monkeypatch):
    small(tmp_path / "whole")
    drawing = solution_samples._draw
    calls = []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return drawing(*arguments)

    monkeypatch.setattr(solution_samples, "_draw", dies)
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path / "killed")
    assert (tmp_path / "killed" / SAMPLES).read_bytes().count(b"\n") == 4
    small(tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_folder_of_another_study_is_left_alone(tmp_path):
    small(tmp_path / "study")
    before = contents(tmp_path / "study")
    for changes in ({"seed": 1}, {"reward_model": judge(False)}, {"limit": 6}):
        with pytest.raises(ValueError, match="holds another study, which differs in"):
            study_of(tmp_path / "study", FORTY, **{"samples": 4, "limit": 7, **changes})
    assert contents(tmp_path / "study") == before
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty and has no"):
        small(tmp_path / "strange")
    assert [path.name for path in (tmp_path / "strange").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{}\n", "line 3: not a problem's samples"),
        (b"[]\n", "line 3: not a problem's samples"),
        (b"nonsense\n", "line 3: Expecting value"),
    ],
)
def test_damaged_samples_are_named(tmp_path, line, message):
    small(tmp_path / "study")
    path = tmp_path / "study" / SAMPLES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], line, *lines[3:]]))
    with pytest.raises(ValueError, match=message):
        small(tmp_path / "study")


def test_a_problem_that_fails_counts_as_not_solved(tmp_path):
    problems = suite(30)
    known = expert_lines(problems.entries[0].episodes)
    unlucky = next(iter(known))

    def reward(text):
        return float("nan") if text.startswith(unlucky) else 0.8

    study = study_of(
        tmp_path / "study",
        problems,
        samples=2,
        reward_model=ScriptedModel(lambda text, seed: "", reward=reward),
    )
    [failed] = study.errors
    assert "no finite number" in failed.error
    assert all(point.coverage.value <= 29 / 30 for point in study.points)
    assert isclose(study.points[0].score.value, 0.8)
    assert "1 problems failed" in (tmp_path / "study/overoptimization.md").read_text()
    assert json.loads((tmp_path / "study/overoptimization.json").read_text())["errors"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guide": "public"}, "'public' reads the verifier"),
        ({"guide": "0.5*prm+0.5*oracle"}, "'oracle' reads the verifier"),
        ({"guide": "value"}, "at the end of Countdown's episodes"),
        ({"guide": "prm+value"}, "at the end of Countdown's episodes"),
        ({"guide": "pmr"}, "Did you mean 'prm'"),
        ({"guide": "0*prm"}, "weight above 0"),
        ({"guide": "policy"}, "reads no reward model"),
        ({"reward_model": None}, "needs a process reward model"),
        ({"samples": 1}, "samples must be 2 or more, received 1"),
        ({"seed": -1}, "seed must be 0 or more, received -1"),
        ({"limit": 0}, "limit must be 1 or more, received 0"),
    ],
)
def test_what_cannot_be_studied_is_refused_before_any_work(tmp_path, changes, message):
    writer = policy(FORTY)
    with pytest.raises(ValueError, match=message):
        study_of(tmp_path / "study", FORTY, **{"samples": 4, "model": writer, **changes})
    assert not (tmp_path / "study").exists()
    assert writer.calls == []


def test_values_may_be_used_where_the_verifier_is_private(tmp_path):
    problems = suite(3, "Arithmetic-v0")
    writer = ScriptedModel(lambda text, seed: {"answer: 1": 0.5, "answer: 2": 0.5})
    critic = ScriptedModel(lambda text, seed: "", value=lambda text: -1.5)
    study = overoptimization(
        problems,
        tmp_path / "study",
        model=writer,
        reward_model=critic,
        guide="value+policy",
        samples=4,
        progress=False,
    )
    # -1.5 + the mean probability of a token: 1, 1/2 of one and 1 again.
    assert all(-1.5 < score < -0.5 for one in study.sampled for score in one.scores)
    assert all(one.ledger["verifier_calls"] == 0 for one in study.sampled)


def test_what_was_cut_is_picked_only_where_nothing_else_is(tmp_path):
    """Also where a value head says less than nothing of all that was finished."""

    def script(text, seed):
        return {"answer: 1": 0.2, "9" * 300: 0.8}

    study = overoptimization(
        suite(8, "Arithmetic-v0"),
        tmp_path / "study",
        model=ScriptedModel(script),
        reward_model=ScriptedModel(script, value=lambda text: -0.5),
        guide="value",
        samples=8,
        progress=False,
    )
    some = [one for one in study.sampled if one.best]
    assert len(some) >= 4
    for one in some:
        assert one.best == ("answer: 1",)
        assert set(one.scores) <= {-0.5, math.nextafter(-0.5, -1)}
    for one in study.sampled:
        if not one.best:  # all of them were cut
            assert set(one.scores) == {0.0}


def test_lines_after_a_wrong_claim_that_the_search_is_not_told_of_are_not_played(tmp_path):
    def script(text, seed):
        return "1 + 1 = 3" if text.count("\n") == 1 else "answer: 1"

    critic = ScriptedModel(lambda text, seed: "", reward=lambda text: text.count("\n") / 10)
    study = overoptimization(
        suite(2, "Arithmetic-v0"),
        tmp_path / "study",
        model=ScriptedModel(script),
        reward_model=critic,
        samples=2,
        progress=False,
    )
    for one in study.sampled:
        assert (one.error, one.scores, one.solved) == (None, (0.3, 0.3), (False, False))
        assert one.best == ("1 + 1 = 3", "answer: 1")


def test_another_seed_draws_other_samples_and_the_same_seed_the_same(tmp_path):
    first = study_of(tmp_path / "a", FORTY, limit=3, samples=16)
    again = study_of(tmp_path / "b", FORTY, limit=3, samples=16)
    other = study_of(tmp_path / "c", FORTY, limit=3, samples=16, seed=1)
    assert first.sampled == again.sampled
    assert first.sampled != other.sampled
    # A reward model changes what is picked, never what is drawn.
    judged = study_of(tmp_path / "d", FORTY, limit=3, samples=16, fooled=False)
    assert [one.solved for one in judged.sampled] == [one.solved for one in first.sampled]
    assert [one.tokens for one in judged.sampled] == [one.tokens for one in first.sampled]


def test_the_command_with_real_models(tmp_path):
    model = HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2), 0))
    model.add_reward_head()
    model.save(tmp_path / "model")
    path = tmp_path / "few.json"
    path.write_text(json.dumps(FORTY.to_json()))
    command = f"overoptimization {path} --model {tmp_path}/model --samples 4 --limit 2"
    result = CliRunner().invoke(app, [*command.split(), "--out", str(tmp_path / "study")])
    assert result.exit_code == 0, result.output
    assert "2 problems are too few" in " ".join(result.output.split())
    assert {path.name for path in (tmp_path / "study").iterdir()} == set(FILES)
    problems = (tmp_path / "study" / SAMPLES).read_text().splitlines()[1:]
    # An untrained reward head says 1/2 of everything; lines that were cut are worth 0.
    assert {score for line in problems for score in json.loads(line)["scores"]} <= {0.5, 0.0}
