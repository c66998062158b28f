"""The scripted model keeps the promises of a language model, exactly."""

import math

import numpy as np
import pytest
from toys import babble

from agents.models.scripted import ScriptedModel
from reason_env.tokenizer import EOS, TOKENIZER

NEWLINE = TOKENIZER.newline
PROMPT = tuple(TOKENIZER.encode("what?\n"))
CHANCES = {"12 + 3": 0.5, "12 - 3": 0.2, "no": 0.2, "<eos>": 0.1}


def write(model, prefixes, seeds, temperature=1.0, limit=20, stop=(NEWLINE, EOS)):
    return model.generate(
        prefixes,
        stop=stop,
        temperature=temperature,
        max_tokens=[limit] * len(prefixes),
        seeds=seeds,
    )


def test_lines_come_at_their_chances():
    model = ScriptedModel.table({"": CHANCES})
    drawn = write(model, [PROMPT] * 4000, range(4000))
    texts = [TOKENIZER.decode(completion.tokens).strip() or "<eos>" for completion in drawn]
    counts = np.array([texts.count(line) for line in CHANCES])
    expected = 4000 * np.array(list(CHANCES.values()))
    # 16.3 is passed once in a thousand with 3 degrees of freedom; the seeds are fixed.
    assert ((counts - expected) ** 2 / expected).sum() < 16.3
    for text, completion in zip(texts, drawn, strict=True):
        assert math.exp(sum(completion.logprobs)) == pytest.approx(CHANCES[text])
        assert completion.stopped


def test_token_logprobs_are_conditional():
    model = ScriptedModel.table({"": CHANCES})
    twelve, minus, three = TOKENIZER.encode("12 - 3")
    [scores] = model.logprobs([PROMPT], [(twelve, minus, three, NEWLINE)])
    assert scores == pytest.approx((math.log(0.7), math.log(2 / 7), 0.0, 0.0))
    # A prefix that ends inside a line goes on from there.
    [rest] = model.logprobs([(*PROMPT, twelve)], [(minus, three, NEWLINE)])
    assert rest == pytest.approx(scores[1:])
    [impossible] = model.logprobs([PROMPT], [(twelve, twelve)])
    assert impossible == (pytest.approx(math.log(0.7)), -math.inf)


def test_temperature_zero_is_the_likeliest_and_cold_is_colder():
    model = ScriptedModel.table({"": CHANCES})
    [greedy] = write(model, [PROMPT], [1], temperature=0.0)
    assert TOKENIZER.decode(greedy.tokens) == "12 + 3\n"
    shares = []
    for temperature in (0.3, 1.0, 5.0):
        drawn = write(model, [PROMPT] * 500, range(500), temperature)
        shares.append(sum(completion.tokens == greedy.tokens for completion in drawn))
        # Log-probabilities are those of temperature 1 whatever they were drawn at.
        assert {round(math.exp(sum(c.logprobs)), 6) for c in drawn} <= {0.5, 0.2, 0.1}
    assert shares[0] > shares[1] > shares[2]


def test_limits_stops_and_rows_of_their_own():
    model = ScriptedModel(babble)
    prefixes = [PROMPT, tuple(TOKENIZER.encode("1 2 3 -> 4\n1 + 2\n")), PROMPT]
    together = write(model, prefixes, [1, 2, 3], limit=5)
    for prefix, seed, completion in zip(prefixes, [1, 2, 3], together, strict=True):
        assert write(model, [prefix], [seed], limit=5) == [completion]
        assert len(completion.tokens) <= 5
        assert completion.stopped == (completion.tokens[-1] in (NEWLINE, EOS))


def test_goes_on_past_newlines_that_do_not_stop_it():
    model = ScriptedModel.table({"": {"a": 1.0}, "a\n": {"b": 1.0}})
    [completion] = write(model, [PROMPT], [0], stop=(EOS,))
    assert completion.tokens == (*TOKENIZER.encode("a\nb\n"), EOS)
    assert model.logprobs([PROMPT], [completion.tokens]) == [(0.0,) * 5]


def test_lines_that_are_known_are_not_drawn_again():
    """What is left keeps its proportions, and its log-probabilities."""
    model = ScriptedModel.table({"": CHANCES})
    first = next(c for c in write(model, [PROMPT] * 9, range(9)) if c.logprobs[0] < -0.3)
    rows = 1000
    drawn = model.generate(
        [PROMPT] * rows,
        stop=(NEWLINE, EOS),
        temperature=1.0,
        max_tokens=[20] * rows,
        seeds=range(rows),
        without=[[first]] * rows,
    )
    assert first.tokens not in {completion.tokens for completion in drawn}
    by_text = {TOKENIZER.decode(c.tokens).strip() or "<eos>": c for c in drawn}
    assert len(by_text) == 3
    for text, completion in by_text.items():
        assert math.exp(sum(completion.logprobs)) == pytest.approx(CHANCES[text])
        for one, rest in zip(completion.logprobs, completion.complements, strict=True):
            assert math.exp(one) + math.exp(rest) == pytest.approx(1)
    [again] = model.generate(
        [PROMPT],
        stop=(NEWLINE, EOS),
        temperature=1.0,
        max_tokens=[20],
        seeds=[0],
        without=[[first, *by_text.values()]],
    )
    assert again.stopped


def test_its_own_account():
    model = ScriptedModel.table({"": CHANCES}, value=lambda text: float(len(text)))
    drawn = write(model, [PROMPT] * 3, [1, 2, 3])
    assert model.written == [(PROMPT, completion) for completion in drawn]
    assert model.calls == [3]
    assert model.values([PROMPT, ()]) == [6.0, 0.0]
    assert model.valued == [PROMPT, ()]
    assert model.has_values


def test_digest_is_of_the_script():
    assert ScriptedModel.table({"": CHANCES}).digest == ScriptedModel.table({"": CHANCES}).digest
    assert ScriptedModel.table({"": CHANCES}).digest != ScriptedModel.table({}).digest
    assert ScriptedModel(babble, name="a").digest != ScriptedModel(babble, name="b").digest


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (lambda text, seed: "two\nlines", "one line at a time"),
        (lambda text, seed: {"a": 0.5, "b": 0.4}, "1 in all"),
        (lambda text, seed: {"a": 1.0, "b": 0.0}, "above 0"),
        (lambda text, seed: {}, "1 in all"),
    ],
)
def test_a_wrong_script_is_named(script, message):
    with pytest.raises(ValueError, match=message):
        write(ScriptedModel(script), [PROMPT], [0])


def test_a_prefix_that_the_script_never_writes():
    with pytest.raises(ValueError, match="no line that begins"):
        write(ScriptedModel.table({"": CHANCES}), [(*PROMPT, 999)], [0])
    with pytest.raises(ValueError, match="no values"):
        ScriptedModel(babble).values([PROMPT])
