"""The exported Hugging Face tokenizer and ours are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.export import fast_tokenizer
from reason_env.tokenizer import BOS, CHARSET, EOS, PAD, PIECES, TOKENIZER

FAST = fast_tokenizer()
TEXTS = st.lists(
    st.one_of(
        st.text(sorted(CHARSET), max_size=20),
        st.sampled_from(PIECES),
        st.integers(0, 10**9).map(str),
        st.integers(0, 99).map(lambda n: f"{n:05}"),
    ),
    max_size=8,
).map("".join)


@given(TEXTS)
def test_same_ids_and_back(text):
    ids = TOKENIZER.encode(text)
    assert FAST(text)["input_ids"] == ids
    assert FAST.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["", "1234", "007", "20300", " -> ", " - > ", "check: open", "answer:5", " ", "\n\n"]
)
def test_same_ids_where_cuts_are_close(text):
    assert FAST(text)["input_ids"] == TOKENIZER.encode(text)


def test_same_specials_and_size():
    assert len(FAST) == len(TOKENIZER)
    assert (FAST.pad_token_id, FAST.bos_token_id, FAST.eos_token_id) == (PAD, BOS, EOS)
    assert FAST.padding_side == "left"


def test_a_special_written_out_is_text_and_not_an_order():
    """An agent that writes `<eos>` letter by letter has not ended anything, in either tokenizer."""
    for special in ("<pad>", "<bos>", "<eos>"):
        assert FAST(special)["input_ids"] == TOKENIZER.encode(special)
