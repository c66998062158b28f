"""Where the verifier is private, a search cannot tell a right claim from a wrong one by how the
episode goes on."""

import pytest

from agents.models.scripted import ScriptedModel
from agents.search import run_searches
from agents.search.requests import Choice, generate
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
