# ruff: noqa: E501 (a wording stays on its line)
"""Rules, contracts and minutes: what holds, what is allowed, and why."""

from datetime import timedelta
from functools import partial

from infinidoc.made.office.sets import Draft, SetQuestion, different, joined
from infinidoc.made.office.words import GIVEN, PERMISSIONS, THINGS


def versions(draft: Draft) -> None:
    """Terms in two or three versions, dated in their text."""
    rng = draft.rng
    firm = draft.draw("firm")
    terms = rng.sample(GIVEN, rng.randint(3, 5))
    number = rng.choice((2, 2, 3))
    days = [draft.day()]
    while len(days) < number:
        days.append(days[-1] + timedelta(rng.randint(100, 700)))
    values = [different(number, partial(term.draw, rng)) for term in terms]
    kept = terms.index(rng.choice(terms))
    values[kept] = values[kept][:1] * number
    pages = []
    for at, day in enumerate(days):
        lines = [term.line.format(cells[at]) for term, cells in zip(terms, values, strict=True)]
        pages.append(
            (day, f"{firm}, {rng.choice(('terms', 'rules', 'house rules'))} valid from {draft.in_full(day)}.", lines)
        )
    shown = pages if rng.random() < 0.6 else rng.sample(pages, len(pages))
    stem = rng.choice(("terms", "rules", "handbook"))
    for day, opening, lines in shown:
        draft.add(
            f"{stem}-{day:%Y-%m}.{rng.choice(('docx', 'pdf', 'md'))}",
            "",
            " ".join([opening, *lines, f"Questions go to the office of {firm}, which answers within a week."]),
        )
        if day == days[-1]:
            since = opening.split("valid from ")[1].rstrip(".")
            draft.ask(
                "date",
                since,
                opening,
                f"Since when are the newest rules of {firm} in force?",
                "From which date do the current terms hold?",
            )
            for at, (term, cells) in enumerate(zip(terms, values, strict=True)):
                if at != kept:
                    draft.ask(
                        "version", f"{cells[-1]} (an earlier version says {cells[-2]})", lines[at], *term.questions
                    )
    day, _, lines = pages[-1]
    at = [page[0] for page in shown].index(day)
    kept_question = rng.choice(terms[kept].questions)
    draft.asked.append(SetQuestion(kept_question, values[kept][0], terms[kept].kind, at, lines[kept]))
    absent = [term for term in GIVEN if term not in terms]
    draft.never(*(rng.choice(term.questions) for term in rng.sample(absent, 3)), f"In what year was {firm} founded?")


def rules(draft: Draft) -> None:
    """House rules: what is allowed, what isn't, and why."""
    rng = draft.rng
    place, warden = draft.draw("town"), draft.draw("person")
    topics = rng.sample(PERMISSIONS, rng.randint(4, 7))
    lines, day = [], draft.in_full(draft.day())
    for at, topic in enumerate(topics):
        allowed, why = rng.random() < 0.5, draft.reason()
        line = f"{topic.allowed if allowed else topic.forbidden}, {rng.choice(('as', 'because', 'since'))} {why}."
        lines.append((rng.choice(("", f"{at + 1}. ")) + line, "Yes" if allowed else "No", why, topic))
    head = f"{rng.choice(('House rules', 'Rules', 'Notice to all guests'))} of the {rng.choice(('hostel', 'campsite', 'workshop', 'youth club', 'community garden', 'boathouse'))} at {place}, {day}."
    number = draft.draw("phone")
    foot = f"Warden: {warden}, {number}."
    draft.add(
        rng.choice(("rules.docx", "house-rules.md", "noticeboard.txt")),
        "",
        rng.choice(("\n", " ")).join([head, *(line[0] for line in lines), foot]),
    )
    for line, answer, why, topic in lines:
        draft.ask("yesno", answer, line, *topic.questions)
        if rng.random() < 0.5:
            verdict = "allowed" if answer == "Yes" else "forbidden"
            draft.ask(
                "reason",
                why,
                line,
                f"Why is {topic.noun} {verdict}?",
                f"What's the reason that {topic.noun} is {verdict}?",
            )
    draft.ask("name", warden, foot, f"Who is the warden at {place}?", "name of the warden")
    draft.ask("number", number, foot, "On which number can one call the warden?", f"phone at {place}")
    draft.ask("date", day, head, "From what date are the rules?", f"When were the rules for {place} written?")
    absent = [topic for topic in PERMISSIONS if topic not in topics]
    draft.never(
        *(rng.choice(topic.questions) for topic in rng.sample(absent, 3)), "What is the fine for breaking a rule?"
    )


def minutes(draft: Draft) -> None:
    """Minutes: who was there, which offer was taken, what was put off."""
    rng = draft.rng
    chair, *present = draft.people(rng.randint(4, 6))
    absent, doer = draft.people(2)
    held = draft.day()
    thing = rng.choice(THINGS)
    firms = different(3, lambda: draft.draw("firm"))
    offers = different(3, lambda: draft.draw("price", "200", "9000"))
    bids = [f"{firm} {offer}" for firm, offer in zip(firms, offers, strict=True)]
    why, other_why = draft.reason(), draft.reason()
    begins = draft.in_full(draft.day(held))
    next_one = f"{draft.in_full(draft.day(held))} at {draft.draw('time')}"
    lines = [
        f"Present: {chair} (chair), {joined(present)}. Apologies: {absent}.",
        f"1. To {thing.work}, three offers came in: {', '.join(rng.sample(bids, 3))}.",
        f"The committee chose {firms[0]}, because {why}.",
        f"Work begins on {begins}; {doer} opens the door.",
        f"2. The summer party was put off, since {other_why}.",
        f"3. Next meeting: {next_one}.",
    ]
    when = draft.in_full(held)
    title = f"Minutes of the committee, {when}."
    draft.add(
        f"minutes-{held:%Y-%m-%d}.{rng.choice(('docx', 'odt', 'md'))}",
        "",
        rng.choice((" ", "\n")).join([title, *lines]),
    )
    draft.ask(
        "list",
        joined(present),
        lines[0],
        f"Who was at the meeting besides {chair}?",
        "Who else was present apart from the chair?",
    )
    draft.ask("name", absent, lines[0], "Who couldn't come to the meeting?", "Who sent excuses?")
    draft.ask(
        "name",
        firms[0],
        lines[2],
        f"Who got the job to {thing.work}?",
        "Which firm was picked?",
        f"contractor for the {thing.noun}",
    )
    draft.ask(
        "amount",
        offers[1],
        lines[1],
        f"What did {firms[1]} ask for?",
        f"offer of {firms[1]}",
        f"How much would {firms[1]} have cost?",
    )
    draft.ask("two", offers[0], lines[1], "How much does the chosen firm ask?", f"What will it cost to {thing.work}?")
    draft.ask("reason", why, lines[2], "Why was that offer taken?", f"Why did they pick {firms[0]}?")
    draft.ask(
        "date", begins, lines[3], "On which day does the job start?", f"When does somebody begin to {thing.work}?"
    )
    draft.ask(
        "reason",
        other_why,
        lines[4],
        "Why is there no party this summer for the time being?",
        "Why was the party delayed?",
    )
    draft.ask(
        "date",
        next_one,
        lines[5],
        "When does the committee meet again, with the time?",
        "date and time of the next meeting",
    )
    draft.ask("date", when, title, "When was this meeting?", "From what date are the minutes?")
    draft.ask("yesno", "No", lines[4], "Did the summer party take place as planned?")
    draft.ask("yesno", "Yes", lines[2], f"Has it been decided who is to {thing.work}?")
    draft.never(
        f"How many members voted for {firms[0]}?",
        f"When was the {thing.noun} bought?",
        "Who wrote the minutes?",
        f"What is the phone number of {firms[2]}?",
    )


def contract(draft: Draft) -> None:
    """A contract with numbered clauses: terms, what is allowed, when it begins and ends."""
    rng = draft.rng
    one, other = draft.people(2)
    begins = draft.day()
    start, end = draft.in_full(begins), draft.in_full(begins + timedelta(rng.randint(200, 900)))
    signed = draft.in_full(begins - timedelta(rng.randint(5, 60)))
    rent, deposit, fine = different(3, lambda: draft.draw("price", "60", "3000"))
    keys = draft.draw("small")
    what = rng.choice(("flat", "garage", "workshop", "holiday cottage", "studio", "boat shed", "cellar", "shop"))
    topics = rng.sample(PERMISSIONS, 3)
    chosen = [(topic, rng.random() < 0.5) for topic in topics]
    clauses = [
        f"The owner, {one}, lets the {what} to {other} from {start} to {end}.",
        f"The rent is {rent} a month, paid in advance by standing order.",
        f"The deposit of {deposit} is returned within four weeks of the end.",
        f"The tenant receives {keys} keys; a lost one is charged at {fine}.",
        *(f"{topic.allowed if allowed else topic.forbidden}." for topic, allowed in chosen),
    ]
    numbered = [f"{at}. {clause}" for at, clause in enumerate(clauses, 1)]
    foot = f"Signed at {(town := draft.draw('town'))} on {signed}."
    draft.add(
        f"{rng.choice(('lease', 'contract', 'agreement'))}.{rng.choice(('docx', 'pdf', 'odt'))}",
        "",
        "\n".join([*numbered, foot]),
    )
    draft.ask(
        "date",
        end,
        numbered[0],
        f"When does the contract for the {what} run out?",
        "On which date does the tenancy end?",
        f"last day of {other} in the {what}",
    )
    draft.ask("date", start, numbered[0], f"From when may {other} use the {what}?", "first day of the tenancy")
    draft.ask("name", one, numbered[0], f"To whom does the {what} belong?", "Who is the landlord?")
    draft.ask(
        "amount",
        rent,
        numbered[1],
        f"What is paid for the {what} each month?",
        "monthly rent",
        f"How much does {other} pay per month?",
    )
    draft.ask("amount", deposit, numbered[2], "What sum is left as a security?", "How high is the deposit?")
    draft.ask("how", "within four weeks of the end", numbered[2], "How soon does the tenant get the deposit back?")
    draft.ask("amount", fine, numbered[3], "What does one pay for losing a key?", "charge for a missing key")
    draft.ask("number", keys, numbered[3], "How many keys are handed over?", "number of keys")
    draft.ask("date", signed, foot, "When was it signed?", f"On what day did {other} sign?")
    draft.ask("where", town, foot, "In which town was the contract signed?", "place of signing")
    for (topic, allowed), line in zip(chosen, numbered[4:], strict=True):
        draft.ask("yesno", "Yes" if allowed else "No", line, *topic.questions)
    absent = [topic for topic in PERMISSIONS if topic not in topics]
    draft.never(
        rng.choice(rng.choice(absent).questions),
        f"How big is the {what}?",
        f"Who lived in the {what} before {other}?",
        f"What is the phone number of {one}?",
    )
