"""In which encoding some bytes are that don't say so, by how much like writing they look in each.

Statistics of languages need a hundred letters and more (charset-normalizer has them, and decides where this leaves
several). What a single line shows is whether it has currency signs inside of words, capitals behind small letters, two
scripts in one word, or ideographs that nobody uses.
"""

import re
import unicodedata
from collections.abc import Iterator

# Likeliest first. Left to itself charset-normalizer falls on encodings that nobody has met (cp1006).
# fmt: off
_SINGLE = [
    "cp1252", "cp1250", "cp1251", "cp1254", "iso8859_15", "koi8_r", "mac_roman", "cp866", "mac_cyrillic", "cp850",
    "iso8859_2", "iso8859_5", "iso8859_6", "cp1253", "cp1255", "cp1256", "cp1257", "cp874",
]
# fmt: on
# The first bytes of their common ideographs and syllables; of the others, second bytes are above 0xA0 too.
_DOUBLE = {
    "cp932": range(0x88, 0x99),
    "gb18030": range(0xB0, 0xD8),
    "big5": range(0xA4, 0xC7),
    "euc_jp": range(0xB0, 0xD0),
    "euc_kr": range(0xB0, 0xC9),
}
_EVERYDAY = frozenset(
    "的一是不了在人有我他这這中大来來上国國个個到说說们們为為子和你地出道也时時年得就那要下以生会會自着去之过過家学學对對可里"
    "后後小么麼心多天而能好都然没沒日于於起还還发發成事只作当當想看文无無开開手用主行方又如前所本见見经經头頭面公同三已老从從"
    "动動两兩长長知民样樣现現分将將外但身些与與高意进進把法此实實回二理美点點月明其种種声聲全工话話儿兒者向情部正名定女问問力"
    "机機给給等几很业業最间間新什打便位因重被走电電四第门門相次东東政海口使教西再平真听聽世气氣信北少关關请請测測试試编編码碼"
    "水金木火土五六七八九十百千万室議议予約约受付階阶館馆店町市県县語语字号號番料今毎週休預预預"
    "이다는가에을의를은한고하지도로기사시자어서아그나인리라해대과스정부수일보전제상장원주국회예약실녕안세요"
)
_INSIDE = frozenset("’‘·…")  # what stands between two letters, and seldom dashes
_BEFORE = frozenset("“”„‘‚’«»‹›¿¡–—•·…§©®°№")  # before a word
_SYMBOLS = _BEFORE | frozenset("£€¥¢½¼¾²³±×÷µ™ºª¶")  # anywhere else
_RARE_LETTERS = frozenset("ÿŸþÞðÐƒ")
# Words that nobody can speak: Cyrillic ones without a vowel, or with й behind a consonant; Greek ones without an
# accent; Hebrew ones that go on behind a letter that ends words.
_WORDS = re.compile("[\u0400-\u04ff]{3,}|[\u03ac-\u03ce]{5,}|[\u05d0-\u05ea]{2,}")
_UNSPEAKABLE = re.compile(
    "(?![\u03ac-\u03ce\u05d0-\u05ea])[^аеёиоуыэюяіїєѣў]+|.*[бвгджзклмнпрстфхцчшщ]й.*"
    "|(?=[\u03ac-\u03ce])[^άέήίόύώΐΰ]+|.*[ךםןףץ][\u05d0-\u05ea].*",
    re.I,
)
_HEBREW_END = re.compile("[\u05d0-\u05ea][ךםןףץ](?![\u05d0-\u05ea])")
# fmt: off
# Oddity enough for files in these encodings to be unexpected.
_SELDOM = {
    "iso8859_15": 0.04, "mac_roman": 0.05, "cp850": 0.06, "mac_cyrillic": 0.04, "iso8859_5": 0.15, "iso8859_6": 0.05,
    "cp874": 0.15,
}
# The letters beyond ASCII of languages in Latin script: real text is seldom outside of all.
_ALPHABETS = list(map(frozenset, [
    "áéíñóúü", "àâæçéèêëîïôœùûüÿ", "äöüßé", "áâãàçéêíóôõú", "àèéìíîòóùú", "éëïóöüè", "ąćęłńóśźż", "çğıöşüâîûi̇",
    "ăâîșțşţ", "åäöé", "æøåéôò", "áéíóöőúüű", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "čćđšž", "āčēģīķļņšūž",
    "ąčęėįšųūž", "äõöüšž", "áðéíóúýþæö", "ëç",
]))
# fmt: on
_ENOUGH = 0.03  # oddity per character; closer than this, statistics decide


def guess_encoding(data: bytes) -> str:
    """The likeliest encoding of text that isn't UTF-8. 16 kB are more than enough, and take 0.3 s."""
    odd = {encoding: oddity(data, encoding) + _SELDOM.get(encoding, 0) for encoding in (*_SINGLE, *_DOUBLE)}
    likely = [encoding for encoding in odd if odd[encoding] <= min(odd.values()) + _ENOUGH]
    return likely[0] if len(likely) == 1 else _by_language(data, likely)


def oddity(data: bytes, encoding: str) -> float:
    """How little like writing bytes look in an encoding: 0 for an everyday line, 1 and more for what nobody wrote."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return 2.0
    odd = list(_odd_ideographs(text, encoding) if encoding in _DOUBLE else _odd_letters(text))
    letters = {char for char in text.lower() if "\xc0" <= char < "\u0250" and char.isalpha()}
    foreign = bool(letters) and not any(letters <= alphabet for alphabet in _ALPHABETS)
    return sum(odd) / max(1, len(odd)) + 0.05 * foreign + 0.3 * _unspeakable(text)


def _unspeakable(text: str) -> float:
    """The share of Cyrillic, Greek and Hebrew words that can't be any; less than none if their ends are Hebrew."""
    words = _WORDS.findall(text)
    share = sum(bool(_UNSPEAKABLE.fullmatch(word)) for word in words) / max(1, len(words))
    return share - 0.3 * (not share and bool(_HEBREW_END.search(text)))


def everyday_share(text: str) -> float:
    """The share of characters that are kana, or ideographs and syllables that are used every day."""
    return sum(char in _EVERYDAY or "\u3040" <= char <= "\u30ff" for char in text) / max(1, len(text))


def _by_language(data: bytes, likely: list[str]) -> str:
    from charset_normalizer import from_bytes

    coherence = dict.fromkeys(likely, 0.0)
    for match in from_bytes(data, cp_isolation=likely):
        for encoding in {match.encoding, *match.could_be_from_charset} & set(likely):
            coherence[encoding] = max(coherence[encoding], match.coherence)
    return max(likely, key=lambda encoding: coherence[encoding])  # the first of several


def _odd_letters(text: str) -> Iterator[float]:
    """How odd each character beyond ASCII is between its neighbours, 0 to 1."""
    for index, char in enumerate(text):
        if char < "\x80":
            continue
        before = text[index - 1] if index else " "
        after = text[index + 1] if index + 1 < len(text) else " "
        category = unicodedata.category(char)
        if category[0] == "C":
            yield 1
        elif category[0] == "L":
            yield _odd_letter(char, before, after)
        elif category[0] == "M":
            yield 0.0 if before.isalpha() and before > "\u024f" else 1
        elif "\u2500" <= char <= "\u25ff":  # boxes and shades, as terminals drew them
            yield 0.7
        elif before.isalpha() and after.isalpha():
            yield 0.0 if char in _INSIDE else 0.3 if char in "–—" else 1
        elif after.isalpha():
            yield 0.0 if char in _BEFORE else 0.6
        else:
            alone = before < "\x80" or before.isalpha() or before in _BEFORE
            yield (0.0 if alone else 0.4) if char in _SYMBOLS or category == "Zs" else 0.4


def _odd_letter(char: str, before: str, after: str) -> float:
    latin = char < "\u0250"
    for neighbour in (before, after):
        if neighbour.isalpha() and (neighbour < "\u0250") != latin:
            return 1
    if char.isupper() and before.islower():
        return 1
    if before.isupper() and char.islower() and after.isupper():
        return 1
    if char.islower() and after.isupper():
        return 1
    if char in "œŒ":
        return 0.0 if after.lower() in "uid" else 0.5  # cœur, œil, œdème
    if char in _RARE_LETTERS or before.isdigit() or after.isdigit():
        return 0.5
    if latin and before.isalpha() and before > "\x7f":
        return 0.5  # accented letters seldom come in pairs
    return 0.0 if before.isalpha() or after.isalpha() else 0.1


def _odd_ideographs(text: str, encoding: str) -> Iterator[float]:
    common = _DOUBLE[encoding]
    for char in text:
        if char < "\x80":
            continue
        if char in _EVERYDAY:
            yield 0
        elif "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uff60":
            yield 0.1
        elif "\u3040" <= char <= "\u30ff":
            yield 0.0 if encoding in ("cp932", "euc_jp") else 0.5
        elif "\u4e00" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3":
            first, second = char.encode(encoding)[:2]
            yield 0.2 if first in common and (second > 0xA0 or encoding in ("cp932", "big5")) else 0.9
        elif "\u2010" <= char <= "\u2026" or char in "·×÷°℃":
            yield 0.1
        else:
            yield 0.8  # half-width katakana, Greek, private characters
