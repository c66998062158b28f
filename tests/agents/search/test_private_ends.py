"""Where the verifier is private, a search cannot tell a right claim from a wrong one by how the
episode goes on."""

import pytest

from agents.models.scripted import ScriptedModel
from agents.search import run_searches
from agents.search.requests import Choice, answers, evaluate, generate
from reason_env.env import ReasonEnv
from reason_env.problem import Kind
from reason_env.tasks.arithmetic import Arithmetic


def env_of(**kwargs):
    env = ReasonEnv(Arithmetic(), level=2, **kwargs)
    env.reset(seed=0)
    return env


def lines_of(env):
    """A right claim and a wrong one of the same form."""
    task, problem, state = env.task, env.episode.problem, env.episode.state
    right = env.legal_lines()[0]
    head, _, last = right.rpartition(" ")
    wrong = f"{head} {int(last) + 1 if int(last) < 999 else 1}"
    assert task.step(problem, state, right).valid
    verdict = task.step(problem, state, wrong)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, False)
    return right, wrong


@pytest.mark.parametrize("kwargs", [{}, {"max_steps": 1}, {"max_steps": 2}])
@pytest.mark.parametrize("guide", ["policy", "value"])
def test_done_says_nothing_of_right_or_wrong(kwargs, guide):
    seen = []
    for choice in (0, 1):
        env = env_of(**kwargs)
        line = lines_of(env)[choice]
        flags = []

        def watch(root, flags=flags):
            node = root
            for _ in range(3):
                [[node]] = yield from generate([node])
                flags.append((node.done, len(node.actions)))
            return Choice(node)

        script = ScriptedModel(
            lambda text, seed, line=line: "hm" if line in text else line, value=lambda text: 0.5
        )
        [found] = run_searches(script, [env], watch, [0], guide=guide)
        assert found.error is None
        # What was never played is not handed in.
        assert len(found.actions) == (min(kwargs.get("max_steps", 3), 3) if choice == 0 else 1)
        seen.append(flags)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("guide", ["policy", "value"])
def test_a_line_that_was_cut_is_worth_the_same_after_right_and_wrong(guide):
    seen = []
    for choice in (0, 1):
        env = env_of()
        line = lines_of(env)[choice]

        def watch(root, seen=seen):
            [[claimed]] = yield from generate([root])
            [[cut]] = yield from generate([claimed])
            assert cut.done
            assert not cut.lines
            seen.append((yield from evaluate([cut])))
            return Choice(cut)

        script = ScriptedModel(
            lambda text, seed, line=line: "9" * 300 if line in text else line,
            value=lambda text: 0.5,
        )
        [found] = run_searches(script, [env], watch, [0], guide=guide)
        assert found.error is None
    assert seen[0] == seen[1]


@pytest.mark.parametrize("choice", [0, 1])
def test_a_claim_that_spends_the_budget_answers_nothing(choice):
    """Where an answer is asked for, a right claim is no more of one than a wrong one."""
    env = env_of(max_steps=1)
    line = lines_of(env)[choice]
    seen = []

    def watch(root):
        [[node]] = yield from generate([root])
        assert node.done
        seen.extend((yield from answers([node])))
        return Choice(node)

    run_searches(ScriptedModel(lambda text, seed: line), [env], watch, [0], guide="policy")
    assert seen == [None]
