"""Sample steps for text: UTF-8 bytes to token ids, and what models want beside them. No batch axis, no state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness_language.text import to_bytes, to_text

_DTYPE = Option("dtype", "string", "The NumPy dtype of what comes out.", "int64", choices=("int64", "int32"))
_TOKENIZER = Option("tokenizer", "file", "A tokenizer.json of Hugging Face.", required=True)
TOKENIZE = (
    _TOKENIZER,
    Option("length", "integer", "Tokens a sample: shorter texts are padded, longer ones cut. Left out: as they are."),
    Option("max_length", "integer", "The most tokens a sample, without padding. Give either this or length."),
    Option("gives", "array", "The arrays that come out, in order, of ids, mask and segments.", ("ids", "mask")),
    Option("special_tokens", "boolean", "Whether the tokenizer adds those of its model, as [CLS].", default=True),
    Option("pad_token", "string", "What pads; left out, the file's own, else [PAD] or <pad>."),
    _DTYPE,
)
WORDPIECE = (
    Option("vocab", "file", "BERT's vocab.txt: one token a line.", required=True),
    Option("lower_case", "boolean", "Whether text becomes lower case and loses its accents.", default=True),
    Option("max_length", "integer", "Tokens a sample, with [CLS], [SEP] and padding.", default=384),
    Option("max_query", "integer", "The most pieces of a question; the rest is cut off.", default=64),
    Option("stride", "integer", "Pieces from the start of one window over the text to the next.", default=128),
    Option("pad", "boolean", "Whether what is shorter than max_length is padded to it.", default=True),
    _DTYPE,
)
DETOKENIZE = (_TOKENIZER,)
PAD = (
    Option("length", "integer", "How long each array becomes along its first axis.", required=True),
    Option("value", "number", "What is added at the end.", default=0),
)
TRUNCATE = (
    Option("length", "integer", "The most entries along the first axis.", required=True),
    Option("stride", "integer", "Entries from the start of one window to the next; the last array says which window."),
)
ATTENTION_MASK = (Option("pad", "integer", "The id that pads.", default=0),)
_ARRAYS = ("ids", "mask", "segments")


def make_tokenize(
    tokenizer: Path,
    length: int | None = None,
    max_length: int | None = None,
    gives: Sequence[str] = ("ids", "mask"),
    special_tokens: bool = True,
    pad_token: str | None = None,
    dtype: str = "int64",
) -> StepFunction:
    """Sample step: a text, or two that belong together, to tokens of a Hugging Face tokenizer.json.

    Input: one or two texts, uint8 [bytes]. Output: the arrays that ``gives`` names, ``dtype`` [tokens] each: ids, mask
    (1: a token, 0: padding) and segments (1: the second text). A text too long is cut; of two, the longer one first.

    Raises:
        UserError: the file is no tokenizer, or a parameter cannot be.
        UserError: (from the step) no text, more than two, or one that is no UTF-8.
    """
    made = load_tokenizer(tokenizer)
    limit = check_lengths(length, max_length, made.num_special_tokens_to_add(True) if special_tokens else 0)
    names = check_names(gives)
    made.no_padding()
    made.no_truncation()
    if limit is not None:
        made.enable_truncation(limit)
    if length is not None:
        made.enable_padding(**find_padding(load_tokenizer(tokenizer), pad_token), length=length)

    def tokenize(arrays: Arrays, context: Context) -> Arrays:
        texts = check_texts(arrays, 2)
        encoding = made.encode(*texts, add_special_tokens=special_tokens)
        found = {"ids": encoding.ids, "mask": encoding.attention_mask, "segments": encoding.type_ids}
        return tuple(np.array(found[name], dtype) for name in names)

    return tokenize


def load_tokenizer(path: Path) -> Any:
    """A Hugging Face tokenizer. Raises UserError when the file is none."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise UserError(f"{path} is no tokenizer: {error}", "Give a tokenizer.json of Hugging Face.") from error


def check_lengths(length: int | None, max_length: int | None, special: int) -> int | None:
    """The most tokens, None for no limit. Raises UserError for both, and for one that special tokens fill."""
    if length is not None and max_length is not None:
        raise UserError("step 'text.tokenize': length and max_length are both given", "Give one of them.")
    limit = max_length if length is None else length
    if limit is not None and limit <= special:
        raise UserError(
            f"step 'text.tokenize': {limit} tokens, of which special ones take {special}", "Give a larger number."
        )
    return limit


def check_names(gives: Sequence[str]) -> tuple[str, ...]:
    """The arrays that come out. Raises UserError for none, and for one that is unknown."""
    for name in gives:
        if name not in _ARRAYS:
            raise UserError(f"step 'text.tokenize': gives has {name!r}", did_you_mean(str(name), _ARRAYS))
    if not gives:
        raise UserError("step 'text.tokenize': gives is empty", f"Name some of {', '.join(_ARRAYS)}.")
    return tuple(gives)


def find_padding(tokenizer: Any, token: str | None) -> dict[str, Any]:
    """How a tokenizer pads: the manifest's token, else as its file says, else by the usual token.

    Raises:
        UserError: none of them is in its vocabulary.
    """
    own = tokenizer.padding
    if token is None and own is not None:
        return {key: own[key] for key in ("direction", "pad_id", "pad_type_id", "pad_token")}
    for candidate in ("[PAD]", "<pad>") if token is None else (token,):
        number = tokenizer.token_to_id(candidate)
        if number is not None:
            return {"pad_id": number, "pad_token": candidate}
    raise UserError(
        f"step 'text.tokenize': the tokenizer has no token {token or '[PAD]'} to pad with", "Name one: pad_token."
    )


def check_texts(arrays: Arrays, most: int) -> list[str]:
    """The texts of a sample. Raises UserError for none, and for more than ``most``."""
    if not 1 <= len(arrays) <= most:
        raise UserError(f"got {len(arrays)} arrays, and needs one to {most} texts", "Correct the steps before it.")
    return [to_text(array) for array in arrays]


def make_wordpiece(
    vocab: Path,
    lower_case: bool = True,
    max_length: int = 384,
    max_query: int = 64,
    stride: int = 128,
    pad: bool = True,
    dtype: str = "int64",
) -> StepFunction:
    """Sample step: BERT's input for a text, or for a question and a window of the text that answers it.

    Input: a text, uint8 [bytes]; or a question and a text; or these and the window's number, int64 [1] (without it,
    the first). Output: ids, attention mask and segments, ``dtype`` [max_length] each: [CLS] question [SEP] text [SEP]
    and padding; without ``pad`` [tokens]. A question keeps its first ``max_query`` pieces; the text's windows begin
    ``stride`` pieces apart. The defaults are MLPerf's for SQuAD.

    Raises:
        UserError: the file is no vocabulary, or max_length leaves no room for a text.
        UserError: (from the step) other arrays, or a window that the text does not have.
    """
    from mlharness_language.wordpiece import Limits, WordPiece, check_limits, lay_out, lay_out_alone

    limits = check_limits("step 'text.wordpiece'", Limits(max_length, max_query, stride))
    words = WordPiece(vocab, lower_case)

    def wordpiece(arrays: Arrays, context: Context) -> Arrays:
        question, *text = check_texts(arrays[:2], 2)
        if not text:
            laid_out = lay_out_alone(words, words.pieces(question).ids, max_length)
        else:
            asked = words.pieces(question).ids[:max_query]
            laid_out = lay_out(words, asked, window_of(words, text[0], limits, len(asked), arrays[2:]), max_length)
        end = max_length if pad else int(laid_out[1].sum())
        return tuple(array[:end].astype(dtype, copy=False) for array in laid_out)

    return wordpiece


def window_of(words: Any, text: str, limits: Any, question: int, chosen: Arrays) -> Array:
    """The ids of one window over a text, int64 [pieces]; ``chosen`` holds its number, or nothing for the first."""
    from mlharness_language.wordpiece import split_words, windows_over

    ids: Array = words.pieces_of_words(split_words(text)).ids
    windows = windows_over(len(ids), limits.room(question), limits.stride)
    number = window_number(chosen)
    if number >= max(1, len(windows)):
        raise UserError(f"there is no window {number}: the text has {len(windows)}", "Use the data set's own limits.")
    start, length = windows[number] if windows else (0, 0)
    return ids[start : start + length]


def window_number(chosen: Arrays) -> int:
    """The number of a window, from nothing or one array of one whole number. Raises UserError for anything else."""
    if not chosen:
        return 0
    if len(chosen) > 1 or chosen[0].size != 1 or chosen[0].dtype.kind not in "iu" or int(chosen[0].reshape(())) < 0:
        told = ", ".join(f"{array.dtype} {list(array.shape)}" for array in chosen)
        raise UserError(f"got {told} as a window's number", "Give one whole number, int64 [1].")
    return int(chosen[0].reshape(()))


def make_detokenize(tokenizer: Path) -> StepFunction:
    """Sample step: tokens to text, by a Hugging Face tokenizer.json, without special tokens; for postprocess.

    Input: whole numbers [tokens]; further arrays are dropped. Output: the text as uint8 [bytes].

    Raises:
        UserError: the file is no tokenizer.
        UserError: (from the step) the array is no list of ids.
    """
    made = load_tokenizer(tokenizer)

    def detokenize(arrays: Arrays, context: Context) -> Arrays:
        ids = arrays[0]
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise UserError(f"got {ids.dtype} {list(ids.shape)}, and needs ids [tokens]", "Check the outputs.")
        return (to_bytes(made.decode(ids.tolist(), skip_special_tokens=True)),)

    return detokenize


def make_pad(length: int, value: float = 0) -> StepFunction:
    """Sample step: pad every array at the end of its first axis to ``length``; any dtype, kept.

    Raises:
        UserError: length is not positive.
        UserError: (from the step) an array is longer, or has no axis.
    """
    check_positive("text.pad", "length", length)

    def pad(arrays: Arrays, context: Context) -> Arrays:
        return tuple(padded(array, length, value) for array in check_axes(arrays))

    return pad


def padded(array: Array, length: int, value: float) -> Array:
    """A copy of that length. Raises UserError for an array that is longer."""
    if len(array) > length:
        raise UserError(f"got {len(array)} tokens, more than {length}", "Put 'text.truncate' before it.")
    result = np.full((length, *array.shape[1:]), value, array.dtype)
    result[: len(array)] = array
    return result


def make_truncate(length: int, stride: int | None = None) -> StepFunction:
    """Sample step: cut every array to its first ``length`` entries, or to a window of so many; any dtype, kept.

    With ``stride`` the last array, int64 [1], is the window's number, and is not handed on: window k begins at
    k x stride.

    Raises:
        UserError: length or stride is not positive.
        UserError: (from the step) there is no such window, or an array has no axis.
    """
    check_positive("text.truncate", "length", length)
    if stride is not None:
        check_positive("text.truncate", "stride", stride)

    def truncate(arrays: Arrays, context: Context) -> Arrays:
        if stride is None:
            return tuple(array[:length] for array in check_axes(arrays))
        start = window_number(arrays[-1:]) * stride
        kept = check_axes(arrays[:-1])
        if start and any(start + length - stride >= len(array) for array in kept):
            raise UserError(f"there is no window at {start}: an earlier one reaches the end", "Correct the window.")
        return tuple(array[start : start + length] for array in kept)

    return truncate


def make_attention_mask(pad: int = 0) -> StepFunction:
    """Sample step: after the first array, ids [tokens], insert its mask of the same dtype: 0 at padding, else 1.

    Raises:
        UserError: (from the step) the first array is no list of whole numbers.
    """

    def attention_mask(arrays: Arrays, context: Context) -> Arrays:
        ids, *others = check_axes(arrays)
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise UserError(f"got {ids.dtype} {list(ids.shape)}, and needs ids [tokens]", "Put it after a tokeniser.")
        return (ids, (ids != pad).astype(ids.dtype), *others)

    return attention_mask


def check_axes(arrays: Arrays) -> Arrays:
    """The arrays. Raises UserError when there is none, or one without an axis."""
    if not arrays or any(array.ndim == 0 for array in arrays):
        raise UserError("got no array of tokens", "Put it after a tokeniser.")
    return arrays


def check_positive(step: str, name: str, value: int) -> None:
    """Raise UserError unless the parameter is at least 1."""
    if value < 1:
        raise UserError(f"step {step!r}: {name} is {value}", "Give a whole number above 0.")
