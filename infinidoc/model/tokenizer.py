"""Text to token ids: tiktoken built from the model's own vocabulary, with the model's own tokenizer as the judge.

tiktoken is several times faster than `tokenizers`, but it knows one kind of tokenizer only: byte-level BPE on the words
of a regular expression. Where the model's is another kind, or the two disagree, the model's own does the work.
"""

import json
import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from tokenizers import Tokenizer

Encode = Callable[[str], list[int]]

# GPT-2's words, which `tokenizers` has built in behind "use_regex".
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
# The same behind a split that isolates digits: no space joins a digit, and all the spaces before it are one word.
GPT2_DIGITS = r"\p{N}|'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?[^\s\p{L}\p{N}]++|\s++$|\s++(?=\p{N})|\s+(?!\S)|\s"

# tiktoken's regular expressions run out of stack on the longest runs of spaces. The look-behind keeps this one linear.
LONG_RUN = re.compile(r"(?<!\s)\s{10000}")

# Byte-level BPE writes bytes as printable characters: those that are printable as themselves, the others from 256 on.
_PRINTABLE = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
_BYTES = {byte: byte for byte in _PRINTABLE} | {256 + n: byte for n, byte in enumerate(_OTHERS)}

FEW = 50_000  # characters: more than a question and all that is read for its answer

# What tokenizers disagree about. One by one, so that a byte the vocabulary lacks spoils only one of them.
PROBE = (
    "Hello, world! It's 12345 and   5\t 6\n\n  7 WE'LL don\u2019t x²½Ⅷ٣ a1b2\r\n\r\n   \u00a0\u3000 end.  \n",
    "日本語のテキスト、漢字。한국어 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd "
    "\U0001f1e9\U0001f1ea e\u0301\u0308 ﬁ \u1100\u1161",
    "\x00\x01\x07\x1b\x7f\x85\u200b\ufeff\ue000 ",
    "<|im_start|>user<|im_end|><|endoftext|><s></s><pad><bos> https://a.b/?d=1&e=%20 def f(x):\n\treturn x**2  # 9 %\n",
    "          deep;;;;;;;; ======== ∑∫√ α β ŉ ǅ İ ß עברית العربية हिन्दी ไทย 0x1F 3.14 1,000,000 ",
)


def build_encode_late(vocabulary: Tokenizer) -> Encode:
    """As `build_encode`, which takes an eighth of a second and pays off where there is much to read: until `FEW`
    characters were asked for, the tokenizer itself does it. That is changed: it takes all text for text, uncut."""
    vocabulary.encode_special_tokens = True
    vocabulary.no_truncation()
    vocabulary.no_padding()
    left, fast = FEW, cache(partial(build_encode, vocabulary))

    def encode(text: str) -> list[int]:
        nonlocal left
        left -= len(text)
        return fast()(text) if left < 0 else vocabulary.encode(_valid(text), add_special_tokens=False).ids

    return encode


def build_encode(backend: Tokenizer) -> Encode:
    """A function from text to ids that takes all text for text: a `<|im_start|>` in it is no special token.

    `backend` is the `backend_tokenizer` of a Hugging Face fast tokenizer. It isn't changed.
    """
    spec = backend.to_str()
    slow = _hugging_face(spec)
    fast = _tiktoken(json.loads(spec), slow)
    if fast is None:
        return slow
    was, backend.encode_special_tokens = (
        backend.encode_special_tokens,
        True,
    )  # for the probe only; a copy would cost a tenth of a second at every start
    try:
        agreed = all(fast(text) == backend.encode(text, add_special_tokens=False).ids for text in PROBE)
        return fast if agreed else slow
    finally:
        backend.encode_special_tokens = was


def _hugging_face(spec: str) -> Encode:
    @cache
    def tokenizer() -> Tokenizer:
        own = Tokenizer.from_str(spec)
        own.encode_special_tokens = True  # as text, that is
        own.no_truncation()
        own.no_padding()
        return own

    def encode(text: str) -> list[int]:
        return tokenizer().encode(_valid(text), add_special_tokens=False).ids

    return encode


def _tiktoken(spec: dict[str, Any], slow: Encode) -> Encode | None:
    """None where tiktoken can't do what the tokenizer does."""
    import tiktoken

    added = [token for token in spec["added_tokens"] if not token["special"]]
    normalizer = spec["normalizer"] and spec["normalizer"]["type"]
    pattern, ranks = _pattern(spec["pre_tokenizer"]), _ranks(spec)
    if pattern is None or ranks is None or normalizer not in (None, "NFC"):
        return None
    if any(token[flag] for token in added for flag in ("lstrip", "rstrip", "single_word")):
        return None
    # tiktoken needs every byte. Some vocabularies lack rare ones, which the model's own tokenizer drops.
    missing = bytes(byte for byte in range(256) if bytes([byte]) not in ranks)
    spare = max(*ranks.values(), *(token["id"] for token in spec["added_tokens"])) + 1
    encoding = tiktoken.Encoding(
        "base",
        pat_str=pattern,
        mergeable_ranks=ranks | {bytes([byte]): spare + n for n, byte in enumerate(missing)},
        special_tokens={token["content"]: token["id"] for token in added},
    )

    def encode(text: str) -> list[int]:
        text = _valid(text)
        data = text.encode()
        if len(data.translate(None, missing)) < len(data) or LONG_RUN.search(text):
            return slow(text)
        return encoding.encode(unicodedata.normalize("NFC", text) if normalizer else text, allowed_special="all")

    return encode


def _pattern(pre_tokenizer: dict[str, Any] | None) -> str | None:
    """The regular expression that cuts text into words."""
    match (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer]):
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            return GPT2
        case [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        ]:
            return GPT2_DIGITS
        case [
            {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ]:
            return pattern
    return None


def _ranks(spec: dict[str, Any]) -> dict[bytes, int] | None:
    """Token bytes → id. tiktoken merges by the id of the result, so the merges must stand in that order."""
    model, special = spec["model"], {token["content"] for token in spec["added_tokens"]}
    if model["type"] != "BPE" or model.get("byte_fallback") or model.get("unk_token") is not None:
        return None
    vocab = model["vocab"]
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    order = [vocab[left + right] for left, right in pairs]
    if order != sorted(order):
        return None
    try:
        return {token.translate(_BYTES).encode("latin-1"): n for token, n in vocab.items() if token not in special}
    except UnicodeEncodeError:  # the vocabulary isn't one of bytes
        return None


def _valid(text: str) -> str:
    """Without the halves of surrogate pairs that a JSON file may bring along: they have no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
