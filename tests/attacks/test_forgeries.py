"""Bundles that are well formed and lie. Each is refused, with the right reason."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest

from benchmarks.suite import make_env, problem_hash
from leaderboards.verify import MAX_DISCREPANCIES, verify


def test_untouched_bundle_passes(forge):
    result = forge.verify()
    assert result.accepted, result.discrepancies
    assert result.score.solved == result.score.episodes == len(forge.episodes)
    assert result.division == "oracle"


def test_model_bundle_passes(forge):
    forge.play_as_model()
    result = forge.verify()
    assert result.accepted, result.discrepancies
    assert (result.division, result.budget_tokens) == ("open", 512)


def test_forged_total(forge):
    forge.episodes[0] |= wrong_line(forge.episodes[0])
    assert forge.run["solved"] == len(forge.episodes)
    assert forge.codes() == {"forged-score"}


def wrong_line(episode):
    """An honest record of a wrong claim."""
    line = "1 + 1 = 3"
    tokens = [4, 1089, 4, 1093, 6, 1003]
    return {
        "actions": [line],
        "tokens": [tokens],
        "solved": False,
        "terms": {"outcome": 0.0, "validity": -1.0, "shaping": -(0.9**2)},
        "reward": 0.0,
        "ledger": episode["ledger"] | {"generated_tokens": 12},
    }


def test_honest_failure_passes(forge):
    forge.episodes[0] |= wrong_line(forge.episodes[0])
    forge.run["solved"] -= 1
    result = forge.verify()
    assert result.accepted, result.discrepancies
    assert result.score.solved == len(forge.episodes) - 1


def test_forged_episode(forge):
    forge.episodes[0] |= wrong_line(forge.episodes[0]) | {"solved": True}
    assert forge.codes() == {"forged-score"}


@pytest.mark.parametrize("term", ["outcome", "validity", "shaping"])
def test_forged_term(forge, term):
    forge.episodes[0]["terms"][term] += 0.5
    result = forge.verify()
    assert {d.code for d in result.discrepancies} == {"forged-score"}
    assert term in str(result.discrepancies[0])
    # An episode of which anything is wrong counts as not solved.
    assert result.score.solved == len(forge.episodes) - 1


def test_forged_reward(forge):
    forge.episodes[0]["reward"] = 2.0
    assert forge.codes() == {"forged-score"}


def test_term_missing(forge):
    del forge.episodes[0]["terms"]["shaping"]
    assert "wrong-type" in forge.codes()


def test_changed_action(forge):
    forge.episodes[0]["actions"][0] = "1 + 1 = 3"
    # The line before the last is wrong, so the last now comes after the end.
    assert "steps-after-end" in forge.codes()


def test_changed_last_action(forge):
    forge.episodes[0]["actions"][-1] = "1 + 1 = 3"
    assert {"forged-score", "wrong-tokens"} <= forge.codes()


def test_missing_episode(forge):
    del forge.episodes[3]
    result = forge.verify()
    assert any("episode 3 is missing" in str(d) for d in result.discrepancies)
    assert result.score.episodes == len(forge.episodes) + 1


def test_missing_episode_with_smaller_denominator(forge):
    del forge.episodes[3]
    forge.run |= {"episodes": len(forge.episodes), "solved": len(forge.episodes)}
    assert {"missing-episode", "forged-score"} <= forge.codes()


def test_limit_that_hides_the_hard_ones(forge):
    del forge.episodes[4:]
    forge.run |= {"episodes": 4, "solved": 4}
    forge.run["config"]["limit"] = 4
    assert forge.codes() == {"wrong-suite"}


def test_extra_episode(forge):
    forge.episodes.append(forge.episodes[0] | {"index": len(forge.episodes)})
    assert forge.codes() == {"extra-episode"}


def test_duplicate_episode(forge):
    forge.episodes.append(copy.deepcopy(forge.episodes[0]))
    assert forge.codes() == {"duplicate-episode"}


def test_duplicate_in_place_of_a_hard_one(forge):
    forge.episodes[5] = copy.deepcopy(forge.episodes[0])
    assert {"duplicate-episode", "missing-episode"} <= forge.codes()


def test_episode_under_another_index(forge):
    forge.episodes[5] = forge.episodes[0] | {"index": 5}
    assert {"wrong-seed", "wrong-problem"} <= forge.codes()


def test_cut_short(forge):
    episode = forge.episodes[0]
    episode["actions"].pop()
    episode["tokens"].pop()
    assert "cut-short" in forge.codes()


def test_ok_without_a_line(forge):
    forge.episodes[0] |= {"actions": [], "tokens": []}
    assert {"cut-short", "forged-score"} <= forge.codes()


def test_steps_after_the_end(forge):
    episode = forge.episodes[0]
    episode["actions"].append("1 + 1 = 2")
    episode["tokens"].append([4, 1089, 4, 1093, 5, 1003])
    assert "steps-after-end" in forge.codes()


def test_two_lines_in_one(forge):
    episode = forge.episodes[0]
    episode["actions"] = ["\n".join(episode["actions"])]
    assert "not-a-line" in forge.codes()


def failed(episode):
    """An honest record of an episode whose agent raised."""
    return {
        "actions": [],
        "tokens": [],
        "solved": False,
        "terms": dict.fromkeys(episode["terms"], 0.0),
        "reward": 0.0,
        "status": "error",
        "error": "ValueError: x",
    }


def test_honest_error_counts_as_not_solved(forge):
    forge.episodes[0] |= failed(forge.episodes[0])
    forge.run |= {"solved": len(forge.episodes) - 1, "errors": 1}
    result = forge.verify()
    assert result.accepted, result.discrepancies
    assert (result.score.errors, result.score.solved) == (1, len(forge.episodes) - 1)


def test_errors_dropped(forge):
    count = len(forge.episodes) - 1
    del forge.episodes[0]
    forge.run |= {"solved": count, "episodes": count, "errors": 0}
    result = forge.verify()
    assert {d.code for d in result.discrepancies} >= {"missing-episode", "forged-score"}
    assert result.score.episodes == count + 1


def test_errors_left_out_of_the_total(forge):
    forge.episodes[0] |= failed(forge.episodes[0])
    forge.run |= {"solved": len(forge.episodes) - 1, "errors": 0}
    assert forge.codes() == {"forged-score"}


def test_error_without_a_reason(forge):
    forge.episodes[0] |= failed(forge.episodes[0]) | {"error": ""}
    assert "wrong-status" in forge.codes()


def test_illegal_line_as_legal(forge):
    """A wrong claim that is said to have been valid, and the lines after it to count."""
    one = forge.episodes[0]
    one["actions"].insert(0, "1 + 1 = 3")
    one["tokens"].insert(0, [4, 1089, 4, 1093, 6, 1003])
    result = forge.verify()
    assert "steps-after-end" in {d.code for d in result.discrepancies}
    assert result.score.solved == len(forge.episodes) - 1


def test_error_that_counts_as_solved(forge):
    forge.episodes[0] |= {"status": "error", "error": "ValueError: x"}
    assert "wrong-status" in forge.codes()


def test_finished_as_unfinished(forge):
    forge.episodes[0]["status"] = "unfinished"
    assert "wrong-status" in forge.codes()


def test_error_beside_ok(forge):
    forge.episodes[0]["error"] = "ValueError: x"
    assert "wrong-status" in forge.codes()


def test_changed_seed(forge):
    forge.episodes[0]["seed"] += 1
    assert "wrong-seed" in forge.codes()


def test_changed_problem(forge):
    forge.episodes[0]["problem"] = "0" * 64
    assert "wrong-problem" in forge.codes()


@pytest.mark.parametrize(
    "change", [{"split": "train"}, {"on_invalid": "feedback"}, {"level": True}]
)
def test_easier_settings(forge, change):
    forge.episodes[0]["kwargs"] |= change
    assert "wrong-environment" in forge.codes()


def test_other_environment(forge):
    forge.episodes[0]["env"] = "os:system"
    assert "wrong-environment" in forge.codes()


@pytest.mark.parametrize("change", [{"seed": 1}, {"version": 2}, {"seed": True}, {"extra": 1}])
def test_other_suite(forge, change):
    forge.run["config"]["suite"] |= change
    assert forge.codes() == {"wrong-suite"}


def test_shopped_seeds(forge):
    """Problems of one's own choice, each with its true seed and hash."""
    for episode in forge.episodes:
        episode["seed"] += 1
        env = make_env(episode["env"], episode["kwargs"])
        env.reset(seed=episode["seed"])
        episode["problem"] = problem_hash(env.episode.problem)
    result = forge.verify()
    assert {d.code for d in result.discrepancies} >= {"wrong-seed", "wrong-problem"}
    assert result.score.solved == 0


def test_easier_suite_of_the_same_name(forge):
    forge.run["config"]["suite"]["entries"][0]["kwargs"]["on_invalid"] = "feedback"
    assert forge.codes() == {"wrong-suite"}


@pytest.mark.parametrize("name", ["../../secret", "nope", None, 3, ["smoke"], "/etc/passwd.json"])
def test_unknown_suite(forge, name):
    forge.run["config"]["suite"]["name"] = name
    assert forge.codes() == {"unknown-value"}


def test_wrong_suite_hash(forge):
    forge.run["config"]["suite_hash"] = "0" * 64
    assert forge.codes() == {"wrong-suite"}


def test_under_reported_budget(forge):
    forge.play_as_model()
    for episode in forge.episodes:
        forge.run["ledger"]["generated_tokens"] -= episode["ledger"]["generated_tokens"] - 1
        episode["ledger"]["generated_tokens"] = 1
    assert forge.codes() >= {"under-reported"}


def test_under_reported_tokens(forge):
    """Fewer ids than the line has."""
    forge.play_as_model()
    forge.episodes[0]["tokens"] = [[4], [4]]
    assert "wrong-tokens" in forge.codes()


def test_no_tokens(forge):
    forge.episodes[0]["tokens"] = [[], []]
    assert "wrong-tokens" in forge.codes()


@pytest.mark.parametrize("token", [10**9, 10**18])
def test_token_outside_the_vocabulary(forge, token):
    forge.episodes[0]["tokens"][0].append(token)
    assert "wrong-tokens" in forge.codes()


def test_more_than_the_declared_budget(forge):
    forge.play_as_model()
    forge.run["config"]["budget_tokens"] = 11
    assert "over-budget" in forge.codes()


def test_forged_ledger_total(forge):
    forge.run["ledger"]["generated_tokens"] -= 1
    assert forge.codes() == {"forged-ledger"}


@pytest.mark.parametrize("count", [-1, 1.5, True, "1", None])
def test_ledger_that_is_not_a_count(forge, count):
    forge.episodes[0]["ledger"]["model_calls"] = count
    assert "wrong-type" in forge.codes()


def test_oracle_cannot_call_itself_open(forge):
    for episode in forge.episodes:
        episode["division"] = "open"
    assert forge.verify().division == "oracle"  # the agent is the expert

    forge.play_as_model()
    forge.run["config"]["options"] = {"evaluator": {"of": ["oracle"]}}
    assert forge.verify().division == "oracle"


def test_changed_file(forge):
    folder = forge.save()
    with (folder / "episodes.jsonl").open("a") as file:
        file.write(json.dumps(forge.episodes[0]) + "\n")
    result = verify(folder)
    assert {d.code for d in result.discrepancies} == {"wrong-hash", "duplicate-episode"}


def test_other_environment_code_is_noted(forge):
    forge.manifest["environment_code"] = hashlib.sha256(b"my own").hexdigest()
    result = forge.verify()
    assert result.accepted
    assert "other environment code" in result.notes[0]


def test_unfinished_run(forge):
    forge.run["status"] = "running"
    assert forge.codes() == {"not-done"}


def test_a_forger_of_everything_is_not_listened_to_for_ever(forge):
    forge.episodes *= 100
    result = forge.verify()
    assert len(result.discrepancies) == MAX_DISCREPANCIES + 1
    assert result.score is None
