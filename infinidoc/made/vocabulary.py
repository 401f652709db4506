"""What made-up documents are made of: names, numbers and dates from spaces too large to guess."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from random import Random


def draw(name: str, arguments: Sequence[str], rng: Random) -> str:
    """A value of that kind: from a list of `vocabulary.txt`, or made. Raises KeyError if there is neither."""
    return rng.choice(_LISTS[name]) if name in _LISTS else _MADE[name](rng, *arguments)


def known(name: str) -> bool:
    """Whether values of that name can be drawn."""
    return name in _LISTS or name in _MADE


def _lists() -> dict[str, list[str]]:
    text = (files(__package__) / "vocabulary.txt").read_text(encoding="utf-8")
    pairs = (line.split(": ", 1) for line in text.splitlines() if line.strip())
    return {name: [word.strip() for word in words.split(",")] for name, words in pairs}


_LISTS = _lists()


def last_name(rng: Random) -> str:
    if rng.random() < 0.3:
        return rng.choice(_LISTS["real_last"])
    middle = rng.choice(_LISTS["name_middle"]) if rng.random() < 0.35 else ""
    return rng.choice(_LISTS["name_start"]) + middle + rng.choice(_LISTS["name_end"])


def person(rng: Random) -> str:
    middle = f" {rng.choice('ABCDEFGHJKLMNPRSTVW')}." if rng.random() < 0.1 else ""
    return f"{rng.choice(_LISTS['first'])}{middle} {last_name(rng)}"


def town(rng: Random) -> str:
    if rng.random() < 0.25:
        return rng.choice(_LISTS["real_town"])
    before = rng.choice(("Upper ", "St. ", "North ", "Port ", "New ", "Great ", "Lake ")) if rng.random() < 0.08 else ""
    return before + rng.choice(_LISTS["town_start"]) + rng.choice(_LISTS["town_end"])


def syllables(rng: Random, low: str = "2", high: str = "3") -> str:
    """A made-up word such as a brand's, capitalised."""
    parts = (
        rng.choice("bcdfgklmnprstvz") + rng.choice("aeiou") + rng.choice(("", "", "n", "r", "l", "x", "s"))
        for _ in range(rng.randint(int(low), int(high)))
    )
    return "".join(parts).capitalize()


def lower_word(rng: Random) -> str:
    return syllables(rng).lower()


def firm(rng: Random) -> str:
    stem = rng.choice((last_name, town, syllables, syllables))(rng)
    if rng.random() < 0.15:
        return f"{last_name(rng)} & {last_name(rng)}"
    return f"{stem} {rng.choice(_LISTS['firm_end'])}"


def model(rng: Random) -> str:
    """A product's name with its number: Torvan HX-340."""
    letters = "".join(rng.choice("ABCDEGHKLMNPRSTVWXZ") for _ in range(rng.randint(1, 2)))
    number = rng.choice((rng.randint(2, 99), rng.randint(10, 99) * 10, rng.randint(100, 9900)))
    return f"{syllables(rng)} {letters}{rng.choice(('-', '', ' '))}{number}"


def code(rng: Random, form: str = "AA-0000") -> str:
    """A reference in which A stands for a letter and 0 for a digit."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return "".join(rng.choice(letters) if c == "A" else rng.choice("0123456789") if c == "0" else c for c in form)


def whole(rng: Random, low: str, high: str, step: str = "1") -> str:
    return str(rng.randrange(int(low), int(high) + 1, int(step)))


def count(rng: Random, low: str, high: str) -> str:
    """A whole number as prose has it, 12,480, rounded in half of the cases."""
    number = rng.randint(int(low), int(high))
    if rng.random() < 0.5 and number > 1000:
        places = 10 ** (len(str(number)) - 2)
        number = number // places * places
    return f"{number:,}"


def decimal(rng: Random, low: str, high: str) -> str:
    return f"{rng.uniform(float(low), float(high)):.{rng.choice((1, 1, 2))}f}"


def later(rng: Random, year: str, low: str, high: str) -> str:
    return str(int(year) + rng.randint(int(low), int(high)))


def date(rng: Random, low: str = "2005", high: str = "2026") -> str:
    day, month, year = rng.randint(1, 28), rng.choice(_LISTS["month"]), rng.randint(int(low), int(high))
    return rng.choice((f"{day} {month} {year}", f"{day} {month} {year}", f"{month} {day}, {year}"))


def iso(rng: Random, low: str = "2012", high: str = "2026") -> str:
    return f"{rng.randint(int(low), int(high))}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def day(rng: Random) -> str:
    number, month = rng.randint(1, 28), rng.choice(_LISTS["month"])
    return rng.choice((f"{number} {month}", f"{month} {number}"))


def time(rng: Random) -> str:
    hour, minute = rng.randint(7, 21), rng.choice((0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55))
    twelve = f"{(hour - 1) % 12 + 1}.{minute:02} {'am' if hour < 12 else 'pm'}"
    return rng.choice((f"{hour}:{minute:02}", f"{hour:02}:{minute:02}", twelve))


def clock(rng: Random) -> str:
    return f"{rng.randint(5, 23):02}:{rng.randint(0, 59):02}"


def price(rng: Random, low: str = "2", high: str = "2000") -> str:
    amount = rng.uniform(float(low), float(high))
    text = f"{amount:,.2f}" if rng.random() < 0.7 else f"{round(amount):,}"
    return rng.choice((f"${text}", f"€{text}", f"£{text}", f"{text} euros", f"CHF {text}", f"${text}"))


def phone(rng: Random) -> str:
    return rng.choice((code(rng, "0000 000000"), code(rng, "+40 000 000 000"), code(rng, "(000) 000-0000")))


def ip(rng: Random) -> str:
    return f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def surname(rng: Random, name: str) -> str:
    return name.split()[-1]


def forename(rng: Random, name: str) -> str:
    return name.split()[0]


def mail(rng: Random, name: str, firm: str) -> str:
    parts = ["".join(c for c in part.lower() if c.isalnum()) for part in name.split()]
    start = rng.choice((parts[0][0] + ".", parts[0] + ".", ""))
    house = "".join(c for c in firm.lower().split()[0] if c.isalnum())
    return f"{start}{parts[-1]}@{house}.{rng.choice(('com', 'org', 'net', 'eu'))}"


_MADE: dict[str, Callable[..., str]] = {
    made.__name__: made
    for made in (
        last_name, person, town, syllables, lower_word, firm, model, code, whole, count, decimal, later, date, iso, day,
        time, clock, price, phone, ip, surname, forename, mail,
    )
}  # fmt: skip
