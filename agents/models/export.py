"""The project's tokenizer as a Hugging Face fast tokenizer, so that checkpoints load anywhere."""

from __future__ import annotations

from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as RustTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from reason_env.tokenizer import BOS, EOS, PAD, PATTERN, SPECIALS, TOKENIZER


def fast_tokenizer() -> PreTrainedTokenizerFast:
    """A fast tokenizer with the same ids as `reason_env.tokenizer`, for every text over its
    charset (it has no unknown token: other characters are dropped, where ours raises)."""
    vocabulary = {text: i for i, text in enumerate(TOKENIZER.vocabulary)}
    rust = RustTokenizer(models.WordLevel(vocabulary))
    rust.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    rust.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=rust,
        pad_token=SPECIALS[PAD],
        bos_token=SPECIALS[BOS],
        eos_token=SPECIALS[EOS],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        # An agent that spells out `<eos>` writes five characters, here as in our tokenizer.
        split_special_tokens=True,
    )


def bos_tokenizer() -> PreTrainedTokenizerFast:
    """The same, with `<bos>` put in front of a text, as our models read it everywhere.

    Checkpoints are saved with it: a server (`vllm serve`, `transformers serve`) encodes a prompt
    by the checkpoint's own tokenizer, and without `<bos>` the model would read another text than
    here.
    """
    tokenizer = fast_tokenizer()
    bos = SPECIALS[BOS]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, BOS)]
    )
    return tokenizer
