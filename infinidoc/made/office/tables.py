"""Tables, lists that belong together, invoices, and lists of releases."""

from datetime import timedelta

from infinidoc.made.office.sets import Draft, different
from infinidoc.made.office.words import TABLES, THINGS


def table(draft: Draft) -> None:
    """A table, its rows with the columns' names (as spreadsheets are read) or under a line of them (as pages are)."""
    rng = draft.rng
    table = rng.choice(TABLES)
    columns = rng.sample(table.columns, rng.randint(3, len(table.columns)))
    number = rng.randint(6, 30)
    rows = different(number + 2, lambda: table.row(rng))
    strangers = [rows.pop(), rows.pop()]
    values = [[column.draw(rng) for column in columns] for _ in rows]
    titles = [column.title for column in columns]
    if rng.random() < 0.5:
        header = []
        lines = [
            "; ".join(f"{title}: {value}" for title, value in zip([table.key, *titles], [row, *cells], strict=True))
            for row, cells in zip(rows, values, strict=True)
        ]
    else:
        header = [" | ".join([table.key, *titles])]
        lines = [" | ".join([row, *cells]) for row, cells in zip(rows, values, strict=True)]
    extension = rng.choice(("csv", "xlsx", "ods", "docx", "pdf"))
    draft.add(f"{rng.choice(table.names)}.{extension}", f"rows 1 to {number}", "\n".join([*header, *lines]))
    for at in rng.sample(range(number), 6):
        column = rng.randrange(len(columns))
        wordings = [form.format(row=rows[at]) for form in columns[column].questions]
        wordings += [
            f"{rows[at]}: {titles[column]}?",
            f"{titles[column]} of {rows[at]}",
            f"{rows[at]} {titles[column].lower()}",
        ]
        draft.ask("table", values[at][column], lines[at], *wordings)
    draft.never(*(rng.choice(rng.choice(columns).questions).format(row=row) for row in strangers))
    untold = [column for column in table.columns if column not in columns]
    draft.never(*(rng.choice(column.questions).format(row=rng.choice(rows)) for column in untold))
    draft.never(*(question.format(row=rng.choice(rows)) for question in table.never))


def desks(draft: Draft) -> None:
    """Who sits where, and which number a room has: two lists that must be put together."""
    rng = draft.rng
    number = rng.randint(5, 12)
    staff = draft.people(number + 1)
    stranger = staff.pop()
    roles = rng.sample(
        (
            "payroll",
            "press",
            "legal",
            "purchasing",
            "visas",
            "IT support",
            "archive",
            "safety",
            "training",
            "catering",
            "post room",
            "translations",
            "events",
        ),
        number,
    )
    rooms = different(number, lambda: draft.draw("code", rng.choice(("000", "A0.00", "A-000"))))
    phones = different(number, lambda: draft.draw("code", "0000"))
    people_lines = [
        rng.choice((f"{who}, {role}, room {room}", f"Name: {who}; Task: {role}; Room: {room}"))
        for who, role, room in zip(staff, roles, rooms, strict=True)
    ]
    draft.add(rng.choice(("staff.csv", "who-is-where.docx", "team.md")), "", "\n".join(people_lines))
    for at in rng.sample(range(number), 3):
        draft.ask(
            "table",
            rooms[at],
            people_lines[at],
            f"In which room does {staff[at]} sit?",
            f"{staff[at]} room",
            f"Where can {staff[at]} be found?",
        )
        draft.ask(
            "name", staff[at], people_lines[at], f"Who deals with {roles[at]}?", f"Who is in charge of {roles[at]}?"
        )
    order = rng.sample(range(number), number)
    phone_lines = {
        at: rng.choice((f"Room: {rooms[at]}; Extension: {phones[at]}", f"{rooms[at]} | {phones[at]}")) for at in order
    }
    draft.add(
        rng.choice(("phones.csv", "extensions.xlsx", "telephones.txt")),
        "",
        "\n".join(["Extensions of the rooms", *phone_lines.values()]),
    )
    for at in rng.sample(range(number), 4):
        draft.ask(
            "two",
            phones[at],
            phone_lines[at],
            f"What is the extension of {staff[at]}?",
            f"How do I call {staff[at]}?",
            f"On what number is {roles[at]} reached?",
            f"extension for {roles[at]}",
        )
    draft.never(
        f"Which room is {stranger} in?",
        f"What is the extension of {stranger}?",
        f"What is the mail address of {staff[0]}?",
        f"When is {staff[1]} on leave?",
    )


def invoice(draft: Draft) -> None:
    """An invoice with its lines, sums and dates."""
    rng = draft.rng
    firm, customer = draft.draw("firm"), draft.draw("person")
    thing = rng.choice(THINGS)
    issued = draft.day()
    dated, due = draft.in_full(issued), draft.in_full(issued + timedelta(rng.choice((14, 21, 30))))
    number, reference = draft.draw("code", "AA-00000"), draft.draw("code", "0000-000")
    items = rng.sample(
        (
            "Labour",
            "Travel",
            "Spare parts",
            "Cleaning",
            "Disposal",
            "Inspection",
            "Seals",
            "Scaffolding",
            "Paint",
            "Delivery",
        ),
        rng.randint(3, 6),
    )
    sign = rng.choice("€£$")
    cents = [rng.randint(500, 90000) for _ in items]
    lines = [f"{item} | {sign}{amount / 100:,.2f}" for item, amount in zip(items, cents, strict=True)]
    total = f"{sign}{sum(cents) / 100:,.2f}"
    head = (
        f"Invoice {number}, {dated}. {firm} to {customer}, customer number {reference}, for work on the {thing.noun}."
    )
    foot = [
        f"Total: {total}.",
        f"Please pay by {due}.",
        f"Later payers are charged {rng.randint(2, 9)} per cent a month.",
    ]
    draft.add(f"{number}.pdf", "page 1", "\n".join([head, "Item | Amount", *lines, " ".join(foot)]))
    for at in rng.sample(range(len(items)), 3):
        draft.ask(
            "table",
            lines[at].split(" | ")[1],
            lines[at],
            f"How much was charged for {items[at].lower()}?",
            f"{items[at]}: amount?",
            f"What does the bill have for {items[at].lower()}?",
        )
    draft.ask(
        "amount",
        total,
        foot[0],
        "How much is to be paid altogether?",
        f"sum of the bill for {customer}",
        f"What does {firm} want in all?",
    )
    draft.ask(
        "date", due, foot[1], "When is the money due?", "deadline for the bill", "By what date must the customer pay?"
    )
    draft.ask("date", dated, head, "When was the bill written?", f"date of invoice {number}")
    draft.ask("number", reference, head, f"What is the customer number of {customer}?", "customer number")
    draft.ask("name", firm, head, f"Who sent {customer} a bill?", f"Which firm worked on the {thing.noun}?")
    draft.ask("yesno", "Yes", foot[2], "Does it cost more to pay late?")
    draft.ask("yesno", "No", foot[2], "Is it free to pay after the date?")
    draft.never(
        f"How much was charged for {rng.choice(('parking', 'insurance', 'glass', 'the hotel'))}?",
        f"What is the account number of {firm}?",
        f"On which day did {firm} work on the {thing.noun}?",
        f"What is the address of {customer}?",
    )


def changelog(draft: Draft) -> None:
    """Releases of a program with their dates, and what each brought."""
    rng = draft.rng
    program, keeper = draft.draw("lower_word"), draft.draw("person")
    number = rng.randint(4, 8)
    day, major = draft.day(), rng.randint(1, 9)
    news = rng.sample(
        (
            "dark mode",
            "export to CSV",
            "support for tablets",
            "a search field",
            "two-factor login",
            "Finnish texts",
            "printing on both sides",
            "a calendar view",
            "undo in tables",
            "signed packages",
            "a quiet mode",
            "import of bookmarks",
        ),
        number,
    )
    lines, dates, codes = [], [], []
    for at in range(number):
        day += timedelta(rng.randint(9, 120))
        codes.append(f"{major}.{at + 2}.{rng.randint(0, 4)}")
        dates.append(rng.choice((f"{day:%Y-%m-%d}", f"{day.day} {day:%B %Y}")))
        lines.append(f"{codes[-1]} ({dates[-1]}): adds {news[at]}; fixes {draft.draw('small')} faults.")
    name_line = f"Maintainer of {program}: {keeper}."
    draft.add("CHANGELOG.md", "", "\n".join([f"# Changes in {program}", name_line, *reversed(lines)]))
    for at in rng.sample(range(number), 3):
        draft.ask(
            "date",
            dates[at],
            lines[at],
            f"When was {program} {codes[at]} released?",
            f"release date of {codes[at]}",
            f"On which day did version {codes[at]} come out?",
        )
        draft.ask(
            "number",
            codes[at],
            lines[at],
            f"Which version brought {news[at]}?",
            f"Since which release is there {news[at]}?",
        )
        draft.ask("what", news[at], lines[at], f"What is new in {codes[at]}?", f"What did {program} {codes[at]} add?")
    draft.ask("name", keeper, name_line, f"Who maintains {program}?", f"Whose project is {program}?")
    draft.never(
        f"When was {program} {major + 1}.0.0 released?",
        f"Under which licence is {program}?",
        f"How many people use {program}?",
        f"Who wrote {news[0]}?",
    )
