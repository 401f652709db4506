"""Numbers as a spreadsheet shows them: the format codes of ECMA-376, 18.8.30, such as 0.00%, "€"#,##0 and [h]:mm."""

import datetime
import math
import operator
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

# Codes that a file names by number only. What depends on the reader's country is written as ISO 8601 does, or without
# the currency; 27 to 36 and 50 to 58 are dates in East Asia.
BUILTIN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 32: "h:mm", 33: "h:mm:ss", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys((5, 6, 37, 38, 41, 42), "#,##0"), **dict.fromkeys((7, 8, 39, 40, 43, 44), "#,##0.00"),
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
}  # fmt: skip
_TOKEN = re.compile(
    r"""(?P<text>"[^"]*"|\\.|\[\$[^\]]*\])|(?P<skip>_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\])|(?P<general>General)
    |(?P<elapsed>\[(?:h+|m+|s+)\])|(?P<noon>AM/PM|A/P)|(?P<fraction>(?<=[s\]])\.0+)|(?P<date>y+|m+|d+|h+|s+)
    |(?P<exponent>E[+-])|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)|(?P<slash>/)|(?P<at>@)|(?P<other>.)""",
    re.I | re.S | re.X,
)
_LONGEST = 255  # characters of a code, in Excel
_CONDITION = re.compile(r"\[([<>=]+)\s*(-?[\d.]+)\]")
_COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}
_EPOCH = datetime.datetime(1899, 12, 30)
_EPOCH_1904 = datetime.datetime(1904, 1, 1)


class _Section(NamedTuple):
    """One of the up to four parts of a code: its tokens as (kind, text), and the numbers that it is for."""

    tokens: list[tuple[str, str]]
    condition: tuple[str, float] | None

    @property
    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.tokens}


def number_as_shown(value: str, code: str, since_1904: bool = False) -> str:
    """The number in `value` as the code shows it; what is no number is returned as it is."""
    try:
        number = float(value)
    except ValueError:
        return value
    if not math.isfinite(number):
        return value
    exact = Decimal(f"{number:.15g}")  # spreadsheets count with 15 digits: 0.1 + 0.2 is 0.3
    section, is_signed = _chosen(_sections(code), exact)
    if section.kinds & {"date", "elapsed"}:
        return _date(exact, section.tokens, since_1904)
    shown = _number(abs(exact), section.tokens)
    return f"-{shown}" if exact < 0 and is_signed and re.search("[1-9]", shown) else shown


def text_as_shown(value: str, code: str) -> str:
    """A text as the code shows it, whose fourth part may add to it, or hide it."""
    sections = _sections(code)
    if len(sections) == 4 or (len(sections) == 1 and "at" in sections[0].kinds):
        return "".join(value if kind == "at" else _literal(kind, text) for kind, text in sections[-1].tokens).strip()
    return value


@lru_cache(maxsize=1000)
def _sections(code: str) -> list[_Section]:
    sections: list[_Section] = [_Section([], None)]
    for match in _TOKEN.finditer(code if 0 < len(code) <= _LONGEST else "General"):
        kind, text = match.lastgroup or "other", match[0]
        if text == ";":
            sections.append(_Section([], None))
        elif condition := _CONDITION.fullmatch(text):
            sections[-1] = _Section(sections[-1].tokens, (condition[1], float(condition[2])))
        elif kind != "skip":
            sections[-1].tokens.append((kind, text))
    return sections[:4]


def _chosen(sections: list[_Section], number: Decimal) -> tuple[_Section, bool]:
    """The section for a number, and whether its sign is shown beside it."""
    if any(section.condition for section in sections[:2]):
        for section in sections[:3]:
            if section.condition is None or _COMPARED[section.condition[0]](number, section.condition[1]):
                return section, True
        return sections[0], True
    if number < 0 and len(sections) > 1:
        return sections[1], False
    if number == 0 and len(sections) > 2:
        return sections[2], False
    return sections[0], True


def _general(number: Decimal) -> str:
    if number == number.to_integral_value() and number < Decimal(10) ** 15:
        return f"{number:.0f}"
    return (
        f"{number:.10g}".rstrip("0").rstrip(".").upper() if abs(number) >= Decimal("1e-4") else f"{float(number):.6G}"
    )


def _literal(kind: str, text: str) -> str:
    if kind != "text":
        return text
    if text.startswith("[$"):
        return text[2:-1].partition("-")[0]  # the currency's sign, before the country's number
    return text[1:] if text.startswith("\\") else text[1:-1]


def _number(number: Decimal, tokens: list[tuple[str, str]]) -> str:
    kinds = [kind for kind, _ in tokens]
    number *= 100 ** kinds.count("percent")
    if "slash" in kinds and "digit" in kinds:
        return _fraction(number, tokens)
    point = kinds.index("point") if "point" in kinds else len(kinds)
    exponent = kinds.index("exponent") if "exponent" in kinds else len(kinds)
    whole = [n for n, kind in enumerate(kinds[: min(point, exponent)]) if kind == "digit"]
    decimals = [n for n, kind in enumerate(kinds[:exponent]) if kind == "digit" and n > point]
    last = max(whole + decimals, default=0)
    thousands = "comma" in kinds[whole[0] : whole[-1]] if whole else False
    scaling = [
        n for n, kind in enumerate(kinds) if kind == "comma" and (n > last or (n < point and whole and n > whole[-1]))
    ]
    number = number.scaleb(-3 * len(scaling))
    power = number.adjusted() if number and exponent < len(kinds) else 0
    rounded = number.scaleb(-power).quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP, Context(prec=400))
    left, _, right = f"{rounded:f}".partition(".")
    left = "" if left == "0" else left
    left = left.zfill(sum(tokens[n][1] == "0" for n in whole))
    if thousands and left:
        left = f"{int(left):,}"
    parts: list[str] = []
    for n, (kind, text) in enumerate(tokens):
        if n > exponent and kind == "digit":
            continue
        if n == exponent:
            width = sum(other == "digit" for other in kinds[n:])
            parts.append(("E-" if power < 0 else text.upper() if "+" in text else "E") + str(abs(power)).zfill(width))
        elif kind == "general":
            parts.append(_general(number))
        elif n in whole:
            # The digits from the right, one for each place; the first place has the rest of them.
            taken = max(0, len(left) - (0 if thousands else len(whole) - 1 - whole.index(n)))
            parts.append(left[:taken])
            left = left[taken:]
        elif n in decimals:
            digit, right = right[:1], right[1:]
            if text == "0" or (digit + right).strip("0"):
                parts.append(digit)
        elif kind == "comma" and (thousands or n in scaling):
            continue
        elif kind != "at":
            parts.append(_literal(kind, text))
    shown = " ".join("".join(parts).split())
    return shown.rstrip(".") if decimals else shown


def _fraction(number: Decimal, tokens: list[tuple[str, str]]) -> str:
    """3.25 as # ?/? is 3 1/4."""
    before, after = (
        "".join(text for kind, text in part)
        for part in (tokens[: tokens.index(("slash", "/"))], tokens[tokens.index(("slash", "/")) + 1 :])
    )
    fixed = re.match(r"\d*[1-9]\d*", after)
    whole = int(number) if " " in before.strip() else 0
    rest = Fraction(number) - whole
    if fixed:
        below = int(fixed[0])
        above = round(rest * below)
    else:
        near = rest.limit_denominator(10 ** min(6, max(1, sum(char in "0#?" for char in after))) - 1)
        above, below = near.numerator, near.denominator
    if above == below and whole + above:
        return str(whole + 1)
    return " ".join(filter(None, [str(whole) if whole or not above else "", f"{above}/{below}" if above else ""]))


def _date(number: Decimal, tokens: list[tuple[str, str]], since_1904: bool) -> str:
    fraction = max((len(text) - 1 for kind, text in tokens if kind == "fraction"), default=0)
    seconds = round(number * 86400, fraction)
    days = int(seconds // 86400)
    if seconds < 0 or days > 2_958_465:
        return _general(number)
    # Lotus took 1900 for a leap year; Excel counts on as it did.
    epoch = _EPOCH_1904 if since_1904 else _EPOCH + datetime.timedelta(days=1 if days < 60 else 0)
    moment = epoch + datetime.timedelta(seconds=float(seconds))
    spans = {"h": int(seconds // 3600), "m": int(seconds // 60), "s": int(seconds)}
    clock = [n for n, (kind, _) in enumerate(tokens) if kind in ("date", "elapsed")]
    halved = any(kind == "noon" for kind, _ in tokens)
    parts = []
    for n, (kind, text) in enumerate(tokens):
        if kind == "elapsed":
            parts.append(str(spans[text[1].lower()]).zfill(len(text) - 2))
        elif kind == "fraction":
            parts.append(f".{int(seconds % 1 * 10**fraction):0{fraction}d}")
        elif kind == "noon":
            parts.append(text.split("/")[moment.hour >= 12])
        elif kind == "date":
            at = clock.index(n)
            before = tokens[clock[at - 1]][1].strip("[]").lower() if at else ""
            after = tokens[clock[at + 1]][1].lower() if at + 1 < len(clock) else ""
            is_minute = text[0] in "mM" and len(text) < 3 and (before.startswith("h") or after.startswith("s"))
            parts.append(_part(moment, text.lower(), is_minute, halved))
        elif kind != "at":
            parts.append(_literal(kind, text))
    return " ".join("".join(parts).split())


def _part(moment: datetime.datetime, text: str, is_minute: bool, halved: bool) -> str:
    name, width = text[0], len(text)
    if name == "y":
        return f"{moment.year:04d}" if width > 2 else f"{moment.year % 100:02d}"
    if name in "md" and width > 2 and not is_minute:
        word = moment.strftime("%B" if name == "m" else "%A")
        return word[:3] if width == 3 else word[:1] if width == 5 else word
    hour = (moment.hour - 1) % 12 + 1 if halved else moment.hour
    value = {"m": moment.minute if is_minute else moment.month, "d": moment.day, "h": hour, "s": moment.second}[name]
    return str(value).zfill(min(width, 2))
