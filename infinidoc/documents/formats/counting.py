"""How lists count: 1, a, iv, as Word, PowerPoint and HTML name it."""

from collections.abc import Callable

_ROMAN = [
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
]  # fmt: skip
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: E501, SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}  # fmt: skip # noqa: E501


def roman(number: int) -> str:
    """4 is iv. Numbers that Romans didn't write stay decimal."""
    if not 0 < number < 4000:
        return str(number)
    text = ""
    for value, digits in _ROMAN:
        count, number = divmod(number, value)
        text += digits * count
    return text


def letters(number: int) -> str:
    """1 is a, 27 is aa, 28 is ab, as in HTML and spreadsheets."""
    text = ""
    while number > 0:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text or "0"


def doubled_letters(number: int) -> str:
    """1 is a, 27 is aa, 28 is bb, as in Word and PowerPoint."""
    times, digit = divmod(number - 1, 26)
    return chr(ord("a") + digit) * (times + 1) if 0 < number < 1000 else str(number)


def ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def words(number: int) -> str:
    """21 is twenty-one; from a hundred on, digits."""
    if not 0 <= number < 100:
        return str(number)
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def ordinal_words(number: int) -> str:
    """21 is twenty-first."""
    if not 0 <= number < 100:
        return ordinal(number)
    head, dash, last = words(number).rpartition("-")
    ending = _IRREGULAR.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return head + dash + ending


# The names are those of ECMA-376, ST_NumberFormat.
FORMATS: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "decimalZero": "{:02d}".format,
    "lowerLetter": doubled_letters,
    "upperLetter": lambda number: doubled_letters(number).upper(),
    "lowerRoman": roman,
    "upperRoman": lambda number: roman(number).upper(),
    "ordinal": ordinal,
    "cardinalText": lambda number: words(number).capitalize(),
    "ordinalText": lambda number: ordinal_words(number).capitalize(),
    "hex": "{:X}".format,
    "chicago": lambda number: "*†‡§"[(number - 1) % 4] * ((number - 1) // 4 % 100 + 1),
    "none": lambda number: "",
}
