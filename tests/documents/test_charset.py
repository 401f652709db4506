import codecs
import random

import pytest

from infinidoc.documents.charset import clean, decode, looks_binary
from infinidoc.documents.document import Unreadable

GERMAN = "Größe und Maß: Die Straße führt über die Brücke zum Café, sagte Herr Müller.\n"
FRENCH = "L’été dernier, le garçon a mangé une crêpe à la crème près de l'hôtel. Ça coûte 3 €.\n"
JAPANESE = "これは日本語の文章です。文字コードの判定を試しています。\n"
RUSSIAN = "Это русский текст для проверки кодировки. Он не очень длинный.\n"
CHINESE = "这是一个用于测试编码检测的中文句子。希望能够正确识别。\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "latin-1"),
        (FRENCH, "cp1252"),
        ("naïve café", "latin-1"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (CHINESE, "gb18030"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (JAPANESE, "utf-16-le"),
        (GERMAN, "utf-32"),
    ],
)
def test_the_encoding_is_found(text, encoding):
    data = text.encode(encoding)
    assert not looks_binary(data)
    assert clean(decode(data)) == text


def test_encodings_of_long_files_are_found_from_their_beginning():
    assert decode((JAPANESE * 5000).encode("shift_jis")) == JAPANESE * 5000


def test_a_declared_encoding_settles_what_cannot_be_guessed():
    assert decode("ő".encode("cp1250"), "windows-1250") == "ő"
    assert decode("“ő”".encode(), "latin-1") == "“ő”"  # but valid UTF-8 is UTF-8, whatever it claims
    assert decode(b"\x93quoted\x94", "iso-8859-1") == "“quoted”"
    assert decode("é".encode("latin-1"), "no-such-encoding") == "é"


def test_damaged_utf8_stays_utf8():
    data = (GERMAN * 50).encode()
    assert decode(data + b"\xff\n") == GERMAN * 50 + "\ufffd\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0",
        b"plain text with a\0in it",
        b"ELF\1\2\3\4\5\6 and so on",
        codecs.BOM_UTF16_LE + b"a\0\0\0",
        random.Random(1).randbytes(5000),
    ],
)
def test_binary_files_are_no_text(data):
    with pytest.raises(Unreadable, match=r"^binary file$"):
        decode(data)


def test_a_zero_byte_far_down_is_noticed():
    with pytest.raises(Unreadable, match=r"^binary file$"):
        decode(b"text\n" * 50_000 + b"\0")


def test_clean_text_has_nothing_that_breaks_tokenisers_or_databases():
    assert clean("\ufeffa\r\nb\rc\td") == "a\nb\nc\td"
    assert clean("\x1b[1;31mred\x1b[0m \x08\x7f\x85x") == "red    x"
    assert clean("\ud800x\udfff") == "\ufffdx\ufffd"
    assert clean("a\f\nb").count("\n") == 1  # the lines stay the file's


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("cafe\u0301", "café"),
        ("caf\u00e9", "café"),
        ("\u304b\u3099", "が"),
        ("\u1112\u1161\u11ab", "한"),
        ("boat\u00adhouse", "boathouse"),
        ("boat\u200bhouse\ufeff", "boathouse"),
        ("12\u00a0000\u202f€", "12 000 €"),
        ("ﬁnal oﬃce", "final office"),
        ("１２号室、Ａ４", "12号室、A4"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("家，（甲）！", "家，（甲）！"),
        (
            "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
            "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
        ),  # a joiner that is spelling
        ("x² ½ ™", "x² ½ ™"),
        ("👩\u200d🚒", "👩\u200d🚒"),
    ],
)
def test_letters_match_however_they_are_composed(written, kept):
    assert clean(written) == kept
    assert clean(kept) == kept
