"""A row's completion is its own: never its batch's, its place's or its neighbours'."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.models.base import Completion
from agents.models.sampling import RowSampler, uniforms
from reason_env.tokenizer import EOS, TOKENIZER

NEWLINE = TOKENIZER.newline
STOP = (NEWLINE, EOS)
TEXTS = [
    "44 9 5 -> 30\n",
    "1 2 3 -> 4\n",
    "",
    "48 16 13 -> 45\n16 - 13\n> 48 3 -> 45\n",
    "7",
    "44 9 5 -> 30\n44 - ",
]
PREFIXES = [tuple(TOKENIZER.encode(text)) for text in TEXTS]
SEEDS = [5, 2**63 + 11, 0, 5, 17, 2**64 - 1]
LIMITS = [12, 3, 9, 1, 12, 6]


def write(model, rows, temperature, **changes):
    return model.generate(
        [PREFIXES[i] for i in rows],
        stop=changes.get("stop", STOP),
        temperature=temperature,
        max_tokens=[LIMITS[i] for i in rows],
        seeds=[SEEDS[i] for i in rows],
    )


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_alone_together_in_any_order(trained, temperature):
    alone = [write(trained, [i], temperature)[0] for i in range(6)]
    assert len({completion.tokens for completion in alone}) > 3
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 2, 0], [2, 2, 0], [4, 1]):
        for i, completion in zip(order, write(trained, order, temperature), strict=True):
            assert completion.tokens == alone[i].tokens
            assert completion.stopped == alone[i].stopped
            # The same sums, in other shapes: float32 may differ in the last digits.
            assert completion.logprobs == pytest.approx(alone[i].logprobs, abs=1e-4)


def test_more_rows_than_fit_one_batch(trained):
    whole = write(trained, range(6), 1.0)
    trained.max_rows = 4
    assert [row.tokens for row in write(trained, range(6), 1.0)] == [row.tokens for row in whole]


def test_repeating_is_exact(trained):
    assert write(trained, range(6), 1.0) == write(trained, range(6), 1.0)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_limits_and_stops(trained, temperature):
    for completion, limit in zip(write(trained, range(6), temperature), LIMITS, strict=True):
        assert 1 <= len(completion.tokens) == len(completion.logprobs) <= limit
        assert completion.stopped == (completion.tokens[-1] in STOP)
        assert completion.stopped or len(completion.tokens) == limit
        assert not set(completion.tokens[:-1]) & set(STOP)


def test_a_longer_limit_goes_on_from_the_same_tokens(trained):
    short, long = (
        trained.generate([PREFIXES[0]], stop=(), temperature=1.0, max_tokens=[n], seeds=[3])[0]
        for n in (4, 9)
    )
    assert long.tokens[:4] == short.tokens
    assert not long.stopped


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_logprobs_agree_with_generate(trained, temperature):
    """At temperature 1 whatever the samples were drawn at: priors are the policy's own."""
    completions = write(trained, range(6), temperature)
    again = trained.logprobs(PREFIXES, [completion.tokens for completion in completions])
    for completion, logprobs in zip(completions, again, strict=True):
        assert logprobs == pytest.approx(completion.logprobs, abs=1e-4)


def test_logprobs_are_the_networks(trained):
    prefix, tail = PREFIXES[0], TOKENIZER.encode("44 - 9\n")
    with torch.no_grad():
        logits = trained.network(torch.tensor([[1, *prefix, *tail]])).logits[0]
    expected = logits.log_softmax(-1)[len(prefix) : len(prefix) + len(tail)]
    expected = expected.gather(-1, torch.tensor(tail)[:, None])[:, 0].tolist()
    assert trained.logprobs([prefix], [tail])[0] == pytest.approx(expected, abs=1e-5)
    [longer, shorter] = trained.logprobs([PREFIXES[3], prefix], [tail * 3, tail])
    assert shorter == pytest.approx(expected, abs=1e-4)
    assert len(longer) == 3 * len(tail)


def test_values_do_not_depend_on_the_batch(make_tiny):
    model = make_tiny(values=True)
    together = model.values(PREFIXES)
    assert together == pytest.approx([model.values([p])[0] for p in PREFIXES], abs=1e-4)
    assert len({round(value, 3) for value in together}) == len(PREFIXES)


def test_rows_must_match(trained):
    with pytest.raises(ValueError, match="received 2, 1 and 2"):
        trained.generate(PREFIXES[:2], stop=STOP, temperature=1, max_tokens=[3], seeds=[1, 2])


# -- The sampler itself ------------------------------------------------------------------------


def chi_square(counts, probabilities):
    expected = counts.sum() * probabilities
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_are_the_softmax(temperature):
    """Chi-square with 7 degrees of freedom passes 24.3 once in a thousand; the seeds are fixed."""
    rows = 20_000
    logits = torch.tensor([2.0, 1.0, 0.5, 0.0, 0.0, -1.0, -1.5, -2.0])
    sampler = RowSampler(range(rows), temperature)
    for step in range(3):
        said = sampler.choose(logits.expand(rows, -1), range(rows), step)
        chosen, logprobs, complements = map(torch.tensor, zip(*said))
        expected = logits.log_softmax(-1)[chosen]
        torch.testing.assert_close(logprobs, expected)
        torch.testing.assert_close(complements, (1 - expected.exp()).log())
        counts = np.bincount(chosen.numpy(), minlength=8)
        assert chi_square(counts, (logits / temperature).softmax(-1).double().numpy()) < 24.3


def test_frequencies_of_a_model_are_its_softmax(trained):
    """First tokens of 4,000 samples, the rare ones in one bin: 29.6 is passed once in a thousand
    at 10 degrees of freedom."""
    with torch.no_grad():
        row = trained.network(torch.tensor([[1, *PREFIXES[0]]])).logits[0, -1].softmax(-1)
    probabilities, tokens = row.double().topk(10)
    rows = 4000
    drawn = trained.generate(
        [PREFIXES[0]] * rows, stop=STOP, temperature=1.0, max_tokens=[1] * rows, seeds=range(rows)
    )
    first = np.array([completion.tokens[0] for completion in drawn])
    counts = np.array([(first == token).sum() for token in tokens.tolist()])
    counts = np.append(counts, rows - counts.sum())
    expected = np.append(probabilities.numpy(), 1 - probabilities.sum().item())
    assert chi_square(counts, expected) < 29.6


def test_what_was_drawn_is_not_drawn_again(trained):
    """Twelve draws one after the other are twelve lines, and each is as likely as the model says,
    whatever it was drawn after."""
    drawn = []
    for seed in range(12):
        drawn += trained.generate(
            [PREFIXES[0]],
            stop=STOP,
            temperature=1.0,
            max_tokens=[20],
            seeds=[seed],
            without=[drawn],
        )
    assert len({completion.tokens for completion in drawn}) == 12
    again = trained.logprobs([PREFIXES[0]] * 12, [completion.tokens for completion in drawn])
    for completion, logprobs in zip(drawn, again, strict=True):
        assert completion.logprobs == pytest.approx(logprobs, abs=1e-4)
        for one, others in zip(completion.logprobs, completion.complements, strict=True):
            assert math.exp(one) + math.exp(others) == pytest.approx(1, abs=1e-6)


def test_without_keeps_to_its_row(trained):
    """Nothing known of one row changes another."""
    free = write(trained, range(6), 1.0)
    without = [[], [free[1]], [], [], [free[4]], []]
    rows = trained.generate(
        PREFIXES, stop=STOP, temperature=1.0, max_tokens=LIMITS, seeds=SEEDS, without=without
    )
    for row in range(6):
        assert (rows[row].tokens == free[row].tokens) == (row not in (1, 4))
    with pytest.raises(ValueError, match="needs temperature 1"):
        trained.generate(
            PREFIXES, stop=STOP, temperature=0.5, max_tokens=LIMITS, seeds=SEEDS, without=without
        )


def test_frequencies_of_what_is_left():
    """Tokens 0 and 4 are known: the others come in the proportions of the softmax."""
    rows = 20_000
    probabilities = torch.tensor([0.6, 0.2, 0.1, 0.06, 0.04], dtype=torch.float64)
    known = [
        Completion((token,), (math.log(p),), (math.log(1 - p),), True)
        for token, p in ((0, 0.6), (4, 0.04))
    ]
    sampler = RowSampler(range(rows), 1.0, [known] * rows)
    scores = probabilities.log().float().expand(rows, -1)
    chosen = [token for token, _, _ in sampler.choose(scores, range(rows), 0)]
    counts = np.bincount(chosen, minlength=5)
    assert counts[0] == counts[4] == 0
    # 13.8 is passed once in a thousand with 2 degrees of freedom; the seeds are fixed.
    assert chi_square(counts[1:4], np.array([0.2, 0.1, 0.06]) / 0.36) < 13.8


def test_zero_temperature_takes_the_likeliest():
    sampler = RowSampler([1, 2], 0.0)
    said = sampler.choose(torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]]), [0, 1], 0)
    assert [token for token, _, _ in said] == [1, 0]


def test_impossible_tokens_are_never_chosen():
    scores = torch.full((1000, 5), -torch.inf)
    scores[:, 3] = -50.0
    sampler = RowSampler(range(1000), 1.0)
    assert {token for token, _, _ in sampler.choose(scores, range(1000), 0)} == {3}


def test_a_stream_is_what_it_was():
    """Recorded numbers of the streams of seeds 0 and 2**64 - 1: another generator would change
    every published sample."""
    seeds = np.array([0, 2**64 - 1], dtype=np.uint64)
    drawn = [uniforms(seeds, step).tolist() for step in range(2)]
    assert drawn == RECORDED


# SplitMix64 of seed 0 starts with 0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4 (its authors' values).
RECORDED = [
    [(0xE220A8397B1DCDAF >> 11) * 2.0**-53, (0xE4D971771B652C20 >> 11) * 2.0**-53],
    [(0x6E789E6AA1B965F4 >> 11) * 2.0**-53, (0xE99FF867DBF682C9 >> 11) * 2.0**-53],
]


def test_a_row_is_chosen_for_alike_wherever_it_is():
    """Rows leave the batch as they end: what is left is chosen for by number, not by place."""
    scores = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    known = [Completion((2, 3), (-1.0, -0.5), (-0.46, -0.93), True)]
    without = [known if row % 2 else [] for row in range(6)]
    whole, some = (RowSampler(range(6), 1.0, without) for _ in range(2))
    rows = [5, 1, 2]
    for step in range(3):
        said = whole.choose(scores, range(6), step)
        assert some.choose(scores[rows], rows, step) == [said[row] for row in rows]


@settings(max_examples=50)
@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000))
def test_any_position_is_in_range(seed, step):
    [u] = uniforms(np.array([seed], dtype=np.uint64), step)
    assert 0 <= u < 1


# -- Remembering what was read -----------------------------------------------------------------


def test_what_is_remembered_changes_nothing(trained):
    """Lines after lines after lines, values in between, as a search asks for them."""
    trained.add_value_head()
    trained.add_reward_head()
    chance = torch.Generator().manual_seed(0)
    for head in (trained.value_head, trained.reward_head):
        torch.nn.init.normal_(head.weight, generator=chance)

    def play():
        seen, texts = [], list(PREFIXES)
        for depth in range(4):
            rows = trained.generate(
                [text for text in texts for _ in range(2)],
                stop=STOP,
                temperature=1.0,
                max_tokens=[9, 5] * len(texts),
                seeds=range(2 * len(texts)),
            )
            seen += [(row.tokens, row.stopped) for row in rows]
            reply = tuple(TOKENIZER.encode("> 3 5 -> 30\n"[: 4 * depth]))
            texts = [(*text, *rows[2 * i].tokens, *reply) for i, text in enumerate(texts)]
            seen += [pytest.approx(number, abs=1e-4) for number in trained.values(texts)]
            seen += [pytest.approx(number, abs=1e-4) for number in trained.rewards(texts[::-1])]
            texts = texts[::-1]
        return seen

    alone = play()
    with trained.remembering():
        first = play()
        again = play()  # all of it known
    assert first == alone
    assert again == alone


def test_remembered_prefixes_are_not_read_again(trained, monkeypatch):
    read_tokens = []
    forward = type(trained.network.model).forward

    def counted(self, *args, **kwargs):
        read_tokens.append(int(kwargs["input_ids"].shape[1]))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(trained.network.model), "forward", counted)
    trained.add_value_head()
    prefix, line = PREFIXES[3], TOKENIZER.encode("48 - 3\n")
    with trained.remembering():
        trained.values([prefix])
        trained.values([prefix])
        trained.values([(*prefix, *line)])
    assert read_tokens == [len(prefix) + 1, 1, len(line)]
    trained.values([prefix])
    assert read_tokens[-1] == len(prefix) + 1


def test_a_full_memory_forgets_and_goes_on(trained, monkeypatch):
    monkeypatch.setattr("agents.models.hf._MEMORY_BYTES", 1)
    alone = [write(trained, range(6), 1.0) for _ in range(3)]
    with trained.remembering():
        assert [[row.tokens for row in write(trained, range(6), 1.0)] for _ in range(3)] == [
            [row.tokens for row in rows] for rows in alone
        ]


def test_weights_may_change_between_remembering(trained):
    trained.add_value_head()
    chance = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(trained.value_head.weight, generator=chance)
    with trained.remembering():
        before = trained.values(PREFIXES)
    with torch.no_grad():
        for parameter in trained.network.parameters():
            parameter.mul_(1.1)
    with trained.remembering():
        # The second time only the last tokens are read: equal but for the order of sums.
        first, again = trained.values(PREFIXES), trained.values(PREFIXES)
        assert again == pytest.approx(first, abs=1e-4)
        assert first != pytest.approx(before, abs=1e-2)
