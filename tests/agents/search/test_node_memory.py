"""What the nodes of a large search weigh, and what they share."""

import gc
import sys
import tracemalloc
from contextlib import nullcontext

import pytest

from agents.models.base import Completion
from agents.models.scripted import ScriptedModel
from agents.search import run_searches
from agents.search.requests import Choice, generate
from reason_env.env import ReasonEnv
from reason_env.problem import Problem
from reason_env.tokenizer import TOKENIZER

WIDTH = 50
"""Chains that go on side by side."""


class Writer:
    """A model that writes a thought of 20 tokens, and a wrong claim at every tenth line."""

    tokenizer = TOKENIZER
    has_values = has_rewards = False
    has_logprobs, prompt_style = True, None
    remembering = staticmethod(nullcontext)

    def __init__(self):
        self.lines = 0

    def generate(self, prefixes, *, seeds, **_):
        return [self._write(seed) for seed in seeds]

    def _write(self, seed):
        self.lines += 1
        tokens = self.tokenizer.encode(f"let me think of {seed:020}"[:36])
        if self.lines // WIDTH % 10 == 9:
            tokens = self.tokenizer.encode("999 - 998")
        tokens = (*tokens, self.tokenizer.newline)
        # Floats of their own, as those of a network are.
        numbers = [tuple(-1.0 / (seed + i + 1) for i in range(len(tokens))) for seed in (1, 2)]
        return Completion(tokens, *numbers, stopped=True)


def grow(depth):
    """All nodes of `WIDTH` chains of `depth` lines."""
    kept = []

    def search(root):
        kept.append(root)
        beams = [root] * WIDTH
        for _ in range(depth):
            beams = [node for [node] in (yield from generate(beams))]
            kept.extend(beams)
        return Choice(beams[0])

    env = ReasonEnv(
        "Countdown",
        level=3,
        on_invalid="feedback",
        feedback="state",
        max_steps=10_000,
        max_tokens=100_000,
    )
    env.reset(seed=0)
    [found] = run_searches(Writer(), [env], search, [0])
    assert found.error is None
    assert not any(node.done for node in kept)
    return kept


def weigh(depth):
    """Bytes that the nodes keep alive, and the nodes."""
    grow(2)  # what is made once is made
    gc.collect()
    tracemalloc.start()
    try:
        kept = grow(depth)
        gc.collect()
        return tracemalloc.get_traced_memory()[0], kept
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def small():
    return weigh(20)


@pytest.fixture(scope="module")
def large():
    size, kept = weigh(200)
    assert len(kept) == 10_001
    return size, kept


def _texts(nodes):
    """Bytes of the transcripts, which each episode has whole."""
    return sum({id(node.episode): sys.getsizeof(node.episode.text) for node in nodes}.values())


def test_ten_thousand_nodes_are_small(large):
    """Some 6 kB each (Python 3.11, x86-64) at a mean context of 2,700 tokens, whose copies alone
    would be 22 kB each: 3.9 kB are the transcript, 1.6 kB the log-probabilities of the line."""
    size, kept = large
    some = kept[::50]
    context = sum(len(node.context) for node in some) / len(some)
    assert 2_500 < context < 3_000
    assert size / len(kept) < 8 * context / 3  # a tuple takes 8 bytes a token
    assert (size - _texts(kept)) / len(kept) < 3_000


def test_only_the_transcript_grows_with_depth(small, large):
    """All else is the same for a node at line 200 and at line 20."""
    shallow, deep = ((size - _texts(kept)) / len(kept) for size, kept in (small, large))
    assert abs(deep - shallow) < 0.05 * shallow


def test_what_children_share_is_there_once(large):
    _, kept = large
    root = kept[0]
    parents = {id(node) for node in kept}
    assert len({id(node.episode.problem) for node in kept}) == 1
    for node in kept[1:]:
        assert id(node.parent) in parents
        # No line of these was valid, so all stand at the root's state, and none has a history.
        assert node.episode.state is root.episode.state
        assert node.episode.history == ()
        assert node.key is root.episode.state
    assert {id(node.parent) for node in kept[1 : WIDTH + 1]} == {id(root)}


def test_a_valid_line_makes_one_state_for_all_below():
    """Who goes on by thoughts stands at the very state of the claim before them."""
    kept = []

    def search(root):
        [[claim]] = yield from generate([root])
        [thoughts] = yield from generate([claim], 5)
        kept.extend([root, claim, *thoughts])
        return Choice(claim)

    script = {"": {"20 - 7": 1.0}, "20 - 7\n> 13 3 -> 39\n": {"hm": 0.5, "well": 0.5}}
    env = ReasonEnv("Countdown", feedback="state")
    env.reset(seed=0, options={"problem": Problem("Countdown", 1, ((20, 7, 3), 39))})
    [found] = run_searches(ScriptedModel.table(script), [env], search, [0])
    assert found.error is None
    root, claim, *thoughts = kept
    assert claim.episode.state is not root.episode.state
    assert claim.episode.history[0] is root.episode.state
    for thought in thoughts:
        assert thought.parent is claim
        assert thought.episode.state is claim.episode.state
        assert thought.episode.history is claim.episode.history
