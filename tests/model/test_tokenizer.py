"""tiktoken against the model's own tokenizer: the same ids for anything a document can hold."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from infinidoc.model import tokenizer as module
from infinidoc.model.tokenizer import Encode, build_encode, build_encode_late
from tests.tiny import REAL_HOME, tiny_tokenizer

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")

ADVERSARIAL = [
    "",
    " ",
    "\n",
    "12345",
    "   5",
    "   5   a",
    "a   ",
    "\t\t7\n\n 8\r\n  9  \n",
    "1,234.56 % of 2024-11-23T10:00Z, x²³½ Ⅷ ٣٤٥ ①②",
    "It's we'll they'RE don\u2019t I'd",
    "def f(x):\n    return x  # 3\n\n\n\tprint( 'a' )",
    "日本語のテキスト、漢字。全角　スペース　１２３",
    "한국어 문장입니다. 中文句子。",
    "👩\u200d👩\u200d👧\u200d👦 👍🏽 🇩🇪 🏴\U000e0067\U000e0062\U000e007f ☎️",
    "e\u0301 n\u0303 a\u0308\u0301 Å \u212b ﬁ \u1100\u1161\u11a8",
    "".join(map(chr, range(0, 161))),
    "a\x06b !\x06! \x04\x13\x14\x16\x1d5",
    "\u200b\u200e\ufeff\u00ad\u2028\u2029\u0085\u180e\u00a0\u202f\u3000",
    "\ue000\uf8ff\U000f0000\U0010ffff\U00040000",
    "<|im_start|>user\n<|im_end|><|endoftext|> <|im_sta <repo_name><s></s>",
    "עברית العربية हिन्दी ไทย ქართული",
    "=" * 300 + " " * 300 + "5" * 300,
]
# Pieces that meet in unlucky ways, and any character that Unicode has assigned.
PIECES = st.one_of(
    st.sampled_from(
        [" ", "  ", "\n", "\r\n", "\t", "5", "12", "a", "The", "'s", "'", "漢字", "é", "e\u0301", "\u00a0"]
    ),
    st.sampled_from(
        ["\u3000", "\u200d", "👍🏽", "\x00", "\x06", "\x1d", "\x85", "\ue000", "<|im_end|>", "!", "--", "½"]
    ),
    st.characters(exclude_categories=["Cs", "Cn"]),
)
TEXT = st.lists(PIECES, max_size=60).map("".join)


def split_by(regex: str) -> dict[str, Any]:
    return {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    }


def added(n: int, content: str, special: bool) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": n, "content": content, "special": special, **flags}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (tiny_tokenizer(tmp_path_factory.mktemp("tokenizer")) / "tokenizer.json").read_text()


def edited(spec: str, style: str) -> Tokenizer:
    """The tiny tokenizer in the manner of another model."""
    content = json.loads(spec)
    if style == "gpt2":
        content["pre_tokenizer"] = content["pre_tokenizer"]["pretokenizers"][1]
    elif style == "llama3":
        content["pre_tokenizer"] = split_by(LLAMA3)
        content["model"]["ignore_merges"] = True
    elif style == "qwen2":
        content["pre_tokenizer"] = split_by(QWEN2)
        content["normalizer"] = {"type": "NFC"}
        content["model"]["vocab"]["Amalia"] = 400
        content["added_tokens"] += [added(400, "Amalia", special=True), added(401, "<tool_call>", special=False)]
    elif style == "bytes missing":  # the least used bytes, as in SmolLM2's vocabulary
        rare = "ĄĆēĔĖĝÀÁñòõ"
        content["model"]["vocab"] = {token: n for token, n in content["model"]["vocab"].items() if token not in rare}
    else:
        assert style == "smollm2"
    return Tokenizer.from_str(json.dumps(content))


STYLES = ["smollm2", "gpt2", "llama3", "qwen2", "bytes missing"]


def oracle(backend: Tokenizer) -> Encode:
    """The model's own tokenizer, told to take special tokens for text."""
    own = PreTrainedTokenizerFast(tokenizer_object=backend)
    return lambda text: own(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@pytest.mark.parametrize("style", STYLES)
def test_parity_on_adversarial_text(spec: str, style: str) -> None:
    backend = edited(spec, style)
    encode, expected = build_encode(backend), oracle(backend)
    for text in [*ADVERSARIAL, "x <tool_call> <tool_call>5", "Amalia", " ".join(ADVERSARIAL)]:
        assert encode(text) == expected(text), repr(text)


@pytest.mark.parametrize("style", STYLES)
def test_parity_on_any_text(spec: str, style: str) -> None:
    encode, expected = build_encode(edited(spec, style)), oracle(edited(spec, style))

    @given(TEXT)
    @settings(max_examples=150, deadline=None)
    def check(text: str) -> None:
        assert encode(text) == expected(text)

    check()


def refuse(spec: str) -> Encode:
    def encode(text: str) -> list[int]:
        raise AssertionError("the slow way")

    return encode


@pytest.mark.parametrize("style", STYLES)
def test_ordinary_text_takes_the_fast_way(spec: str, style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hugging_face", refuse)
    backend, text = edited(spec, style), "Ships carry   5 tons.\n\n\tNaïve façade, 漢字 👍🏽"
    assert build_encode(backend)(text) == oracle(backend)(text)


def test_special_tokens_in_a_text_are_text(spec: str) -> None:
    backend = edited(spec, "smollm2")
    ids = build_encode(backend)("<|im_start|>user")
    assert len(ids) > 3
    assert not {0, 1, 2} & set(ids)
    assert backend.decode(ids) == "<|im_start|>user"
    # The tokenizer itself is left as it was: a chat template still gets its special tokens.
    assert backend.encode("<|im_start|>").ids == [1]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10**6,
        "漢" * 10**5,
        " " * 10**6 + "a",
        "\u3000" * 10**5 + "a",
        "\r\n" * 10**5 + "5",
        "!" * 10**6,
        "7" * 10**5,
    ],
    ids=["letters", "CJK", "spaces", "wide spaces", "lines", "marks", "digits"],
)
@pytest.mark.parametrize("style", ["smollm2", "llama3"])
def test_endless_runs(spec: str, style: str, text: str) -> None:
    backend = edited(spec, style)
    assert build_encode(backend)(text) == oracle(backend)(text)


def test_half_a_surrogate_pair_does_not_stop_it(spec: str) -> None:
    encode = build_encode(edited(spec, "smollm2"))
    assert encode("a\ud83d b") == encode("a\ufffd b")
    slow = module._hugging_face(spec)
    assert slow("a\ud83d b") == slow("a\ufffd b")


@pytest.mark.parametrize("style", STYLES)
def test_until_there_is_much_to_read_the_tokenizer_itself_does_it(
    spec: str, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    monkeypatch.setattr(module, "build_encode", lambda backend: built.append(backend) or build_encode(backend))
    backend, expected = edited(spec, style), oracle(edited(spec, style))
    backend.enable_truncation(8)
    backend.enable_padding(length=100)
    encode = build_encode_late(backend)
    for text in [*ADVERSARIAL, " ".join(ADVERSARIAL)]:
        assert encode(text) == expected(text), repr(text)
    assert encode("a\ud83d b") == expected("a\ufffd b")
    assert not built
    ships = "Ships carry   5 tons. <|im_end|>" * 2_000
    for text in (ships, *ADVERSARIAL):
        assert encode(text) == expected(text), repr(text)
    assert built == [backend]


def unlike_any(content: dict[str, Any]) -> None:
    content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}


def other_normalizer(content: dict[str, Any]) -> None:
    replace = {"type": "Replace", "pattern": {"String": "xyzzy"}, "content": "ship"}
    content["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}, replace]}


def merges_out_of_order(content: dict[str, Any]) -> None:
    # "xqz": the merges say x + qz, the ids say xq + z.
    content["model"]["vocab"] |= {"xq": 400, "qz": 401}
    content["model"]["merges"] += [["q", "z"], ["x", "q"]]


def flagged_token(content: dict[str, Any]) -> None:
    content["added_tokens"].append({**added(400, "ship", special=False), "lstrip": True})


@pytest.mark.parametrize("change", [unlike_any, other_normalizer, merges_out_of_order, flagged_token])
def test_other_tokenizers_do_their_own_work(spec: str, change: Any) -> None:
    content = json.loads(spec)
    change(content)
    backend = Tokenizer.from_str(json.dumps(content))
    encode, expected = build_encode(backend), oracle(backend)
    for text in ["The name of the  ship   5", "xyzzy", "xqz", *ADVERSARIAL]:
        assert encode(text) == expected(text), repr(text)


def test_a_tokenizer_that_tiktoken_gets_wrong_is_found_out(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_pattern", lambda pre_tokenizer: module.GPT2)  # digits not isolated
    backend = edited(spec, "smollm2")
    assert build_encode(backend)("the   12") == oracle(backend)("the   12")


def test_truncation_in_the_file_does_not_cut_documents(spec: str) -> None:
    content = json.loads(spec)
    content["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    backend = Tokenizer.from_str(json.dumps(content))
    assert len(build_encode(backend)("word " * 100)) > 100


@pytest.fixture(scope="module")
def real() -> Tokenizer:
    from infinidoc.model.embedded import DEFAULT

    return Tokenizer.from_file(str(REAL_HOME / "models" / DEFAULT / "tokenizer.json"))


@pytest.mark.real
def test_the_real_vocabulary(real: Tokenizer) -> None:
    encode, expected = build_encode(real), oracle(real)
    assert [real.id_to_token(n) for n in encode("12345")] == list("12345")
    assert [real.id_to_token(n) for n in encode("   5")] == ["ĠĠĠ", "5"]
    for text in [*ADVERSARIAL, " ".join(ADVERSARIAL)]:
        assert encode(text) == expected(text), repr(text)


@pytest.mark.real
def test_parity_on_any_text_with_the_real_vocabulary(real: Tokenizer) -> None:
    encode, expected = build_encode(real), oracle(real)

    @given(TEXT)
    @settings(max_examples=300, deadline=None)
    def check(text: str) -> None:
        assert encode(text) == expected(text)

    check()


@pytest.mark.real
def test_the_real_vocabulary_takes_the_fast_way(real: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hugging_face", refuse)
    assert build_encode(real)("In 1998   5 ships\n\n\tsailed.") == oracle(real)("In 1998   5 ships\n\n\tsailed.")
