# ruff: noqa: E501 (a wording stays on its line)
"""Mails, letters and chats: days that are asked for beside days that are not."""

from datetime import date, timedelta

from infinidoc.made.office.sets import Draft, different, joined
from infinidoc.made.office.words import CHANGES, THINGS


def _headers(draft: Draft, sender: str, receiver: str, subject: str, sent: date) -> tuple[str, str]:
    """A mail's headers, in lines or in one, and when it was sent as they say it."""
    rng = draft.rng
    firm = draft.draw("firm")
    clock = f"{rng.randint(6, 21):02}:{rng.randint(0, 59):02}"
    when = rng.choice(
        (
            f"{sent:%a, %d %b %Y} {clock}:{rng.randint(0, 59):02} +0{rng.randint(0, 3)}00",
            f"{sent.day} {sent:%B %Y} {clock}",
        )
    )
    fields = [
        f"From: {sender} <{draft.draw('mail', sender, firm)}>",
        f"To: {receiver}",
        *([f"Cc: {draft.draw('person')}"] if rng.random() < 0.3 else []),
        f"{rng.choice(('Date', 'Sent'))}: {when}",
        f"Subject: {subject}",
    ]
    return rng.choice(("\n", " ")).join(fields), when


def _ask_headers(draft: Draft, sender: str, receiver: str, about: str, when: str) -> None:
    text = draft.documents[-1].text
    line = next(f"{name}: {when}" for name in ("Date", "Sent") if f"{name}: {when}" in text)
    draft.ask("mail", when, line, f"When was the mail about {about} sent?", f"date of the mail about {about}",
              f"When did {sender} write about {about}?")  # fmt: skip
    draft.ask("mail", sender, f"From: {sender}", f"Who wrote about {about}?", f"From whom is the mail about {about}?")
    draft.ask(
        "mail",
        receiver,
        f"To: {receiver}",
        f"Who got the mail about {about}?",
        f"To whom was it written about {about}?",
    )


def visit(draft: Draft) -> None:
    """A mail that says when somebody comes; its headers and its signature have other dates."""
    rng = draft.rng
    sender, receiver, fitter = draft.people(3)
    thing = rng.choice(THINGS)
    sent = draft.day()
    before, visit = draft.in_full(sent - timedelta(rng.randint(1, 9))), draft.day(sent)
    other = draft.in_full(visit + timedelta(rng.randint(1, 12)))
    time, price, number, why = draft.draw("time"), draft.draw("price", "20", "400"), draft.draw("phone"), draft.reason()
    at = f"{draft.in_full(visit)} at {time}"
    coming = rng.choice(
        (f"{fitter} will come to {thing.work} on {at}.", f"We have put you down for {at}; {fitter} will {thing.work}.")
    )
    lines = [
        rng.choice((f"thank you for your message of {before}.", f"you wrote to us on {before}.")),
        coming,
        f"If that doesn't suit you, the next free day is {other}.",
        f"The work costs {price}.",
        rng.choice(("We can't come sooner, because {}.", "It takes this long, as {}.")).format(why),
        f"{fitter} can be reached on {number}.",
    ]
    head, when = _headers(draft, sender, receiver, rng.choice(("Your appointment", "Visit", f"Re: {thing.noun}")), sent)
    end = f"{sender}\n{rng.choice(('Office open since', 'Page last changed on', 'Holidays from'))} {draft.in_full(draft.day())}"
    draft.add(
        f"{rng.choice(('visit', 'Re appointment', 'inbox-' + draft.draw('whole', '1', '900')))}.eml",
        "",
        f"{head}\n\nHello,\n{' '.join(lines)}\n{end}",
    )
    the = f"the {thing.noun}"
    draft.ask(
        "mail",
        at,
        coming,
        f"When will somebody {thing.work}, with the time?",
        f"On which day and at what time is {the} seen to?",
        f"appointment for {the}",
    )
    draft.ask("name", fitter, coming, f"Who comes to {thing.work}?", f"Which person takes care of {the}?")
    draft.ask("mail", other, lines[2], "Which day is offered instead?", f"What other day could they {thing.work}?")
    draft.ask(
        "amount",
        price,
        lines[3],
        f"What must be paid for {the}?",
        f"price of the work on {the}",
        "How expensive is the visit?",
    )
    draft.ask(
        "reason", why, lines[4], "Why don't they come earlier?", f"Why does one have to wait for the work on {the}?"
    )
    draft.ask("number", number, lines[5], f"What is the phone number of {fitter}?", "How can the fitter be called?")
    draft.ask(
        "mail", before, lines[0], f"When had {receiver} written?", "On which day was the message that is answered here?"
    )
    _ask_headers(draft, sender, receiver, the, when)
    draft.never(
        f"How old is {the}?",
        f"Who sold {the}?",
        f"How long will it take to {thing.work}?",
        f"What is the address of {receiver}?",
    )


def moved(draft: Draft) -> None:
    """A plan and a later mail that moves it: the newest holds."""
    rng = draft.rng
    sender, receiver, guest = draft.people(3)
    change = rng.choice(CHANGES)
    first = draft.day()
    old, new = draft.in_full(first), draft.in_full(first + timedelta(rng.randint(1, 20)))
    room, other_room = different(2, lambda: f"{rng.choice(('room', 'hall', 'studio'))} {draft.draw('code', '0.00')}")
    why = draft.reason()
    made = draft.in_full(first - timedelta(60))
    plan = f"The {change} takes place on {old}."
    where = f"We meet in {room}."
    draft.add(
        rng.choice(("plan.docx", "programme.pdf", "notice.txt")),
        "",
        f"Plan of {made}. {plan} {where} {guest} gives the opening talk and brings the papers. Please be there ten minutes before, since the doors are closed when it begins.",
    )
    draft.ask(
        "name",
        guest,
        draft.documents[-1].text.split(where + " ")[1].split(". Please")[0] + ".",
        f"Who opens the {change}?",
        f"Which person speaks first at the {change}?",
    )
    draft.ask(
        "reason",
        "the doors are closed when it begins",
        "since the doors are closed when it begins",
        "Why should one come a little earlier?",
        f"Why be early for the {change}?",
    )
    head, when = _headers(draft, sender, receiver, f"{change} moved", first - timedelta(rng.randint(2, 40)))
    if rng.random() < 0.5:
        cause = moved = f"The {change} has to be moved from {old} to {new}, because {why}."
        both_lines = moved
    else:
        cause, moved = f"As you may have heard, {why}.", f"The {change} is now on {new}."
        both_lines = f"{cause} {moved}"
    both = rng.random() < 0.5
    room_line = f"It will be in {other_room} instead of {room}." if both else "The room stays the same."
    draft.add("moved.eml", "", f"{head}\n\nDear all,\n{both_lines} {room_line} Forgive the trouble.\n{sender}")
    draft.ask(
        "version",
        f"{new} (an earlier version says {old})",
        moved,
        f"When is the {change}?",
        f"On what date does the {change} take place?",
        f"date of the {change}",
    )
    if both:
        draft.ask(
            "version",
            f"{other_room} (an earlier version says {room})",
            room_line,
            f"Where is the {change} held?",
            f"which room for the {change}",
        )
    draft.ask(
        "yesno",
        "No" if both else "Yes",
        room_line,
        f"Is the {change} still in the room that was planned?",
        f"Does the place of the {change} remain as it was?",
    )
    draft.ask("reason", why, cause, f"Why was the {change} postponed?", "What is the cause of the change?")
    _ask_headers(draft, sender, receiver, f"the {change}", when)
    draft.never(
        f"How many people come to the {change}?",
        f"What does it cost to take part in the {change}?",
        f"What is the phone number of {sender}?",
        f"Who pays for the {change}?",
    )


def event(draft: Draft) -> None:
    """A letter or a notice that invites to something: day, hour, place, price, what to bring."""
    rng = draft.rng
    change, leader, cashier = rng.choice(CHANGES), *draft.people(2)
    written = draft.day()
    day = draft.day(written)
    when, until = f"{draft.in_full(day)} at {draft.draw('time')}", draft.in_full(day - timedelta(rng.randint(1, 9)))
    sent, place, fee, why = draft.in_full(written), draft.draw("town"), draft.draw("price", "3", "90"), draft.reason()
    things = rng.sample(
        (
            "sturdy shoes",
            "a raincoat",
            "a packed lunch",
            "a pencil",
            "an apron",
            "a torch",
            "old clothes",
            "a folding chair",
            "a bottle of water",
            "a mug",
            "gloves",
            "a sleeping bag",
        ),
        3,
    )
    lines = [
        f"we invite you to the {change} in {place} on {when}.",
        f"It costs {fee}, to be paid to {cashier} by {until}.",
        f"Please bring {joined(things)}.",
        f"We don't meet at the usual place, because {why}.",
        f"{leader} leads the {change} and answers questions on {(phone := draft.draw('phone'))}.",
    ]
    draft.add(
        f"{rng.choice(('letter', 'invitation', 'notice'))}.{rng.choice(('pdf', 'docx', 'txt'))}",
        "",
        f"{draft.draw('town')}, {sent}\nDear friends,\n" + " ".join(lines) + "\nWith kind regards, the committee",
    )
    draft.ask(
        "date",
        when,
        lines[0],
        f"When does the {change} begin, day and hour?",
        f"On what date and at what time is the {change}?",
        f"when exactly is the {change}",
    )
    draft.ask("where", place, lines[0], f"Where is the {change}?", f"In which town does the {change} take place?")
    draft.ask(
        "amount",
        fee,
        lines[1],
        f"What must one pay for the {change}?",
        "How much is the fee?",
        f"price of the {change}",
    )
    draft.ask("name", cashier, lines[1], "Who collects the money?", "To whom is the fee given?")
    draft.ask("date", until, lines[1], "What is the last day for paying?", "By when is the money wanted?")
    draft.ask(
        "list",
        joined(things),
        lines[2],
        "What should people take along?",
        "things to bring",
        f"What does one need for the {change}?",
    )
    draft.ask("reason", why, lines[3], "Why do they meet somewhere else?", "What's the reason for the unusual place?")
    draft.ask("name", leader, lines[4], f"Who is the leader of the {change}?", f"Who runs the {change}?")
    draft.ask("number", phone, lines[4], f"Which number can one ring about the {change}?", f"phone of {leader}")
    draft.ask("mail", sent, sent, "When was the letter written?", "date of the letter itself")
    draft.ask("yesno", "No", lines[3], "Do they meet where they always do?")
    draft.ask("yesno", "Yes", lines[1], f"Is there a charge for the {change}?")
    draft.never(
        f"How many people can join the {change}?",
        f"What time does the {change} end?",
        f"Who founded the {change}?",
        f"What does the bus to {place} cost?",
    )


def chat(draft: Draft) -> None:
    """A chat in which a day is proposed, refused, and another one fixed."""
    rng = draft.rng
    one, two, three = different(3, lambda: draft.draw("person").split()[0])
    change, start = rng.choice(CHANGES), draft.day()
    refused, fixed = (draft.in_full(start + timedelta(at)) for at in (rng.randint(3, 9), rng.randint(12, 30)))
    why, place, code, price = (
        draft.reason(),
        draft.draw("town"),
        draft.draw("code", "0000"),
        draft.draw("price", "5", "300"),
    )
    said = [
        (one, f"shall we have the {change} on {refused}?"),
        (two, f"not possible, {why}"),
        (one, f"then {fixed} in {place}"),
        (three, f"fine. the door code there is {code}"),
        (two, f"I've paid {price} for the room, pay me back when you can"),
        (three, "I'll bring the projector, the old one is broken"),
    ]
    hour, minute = rng.randint(7, 22), rng.randint(0, 44)
    lines = [f"[{start:%d/%m/%Y} {hour:02}:{minute + at * 3:02}] {who}: {what}" for at, (who, what) in enumerate(said)]
    draft.add("chat.txt", f"{start:%d/%m/%Y}", "\n".join(lines))
    draft.ask(
        "date",
        fixed,
        lines[2],
        f"What day was agreed on for the {change}?",
        f"When is the {change} going to be?",
        f"date fixed for the {change}",
    )
    draft.ask(
        "date", refused, lines[0], "Which day was turned down?", f"What was the first idea for a date of the {change}?"
    )
    draft.ask("reason", why, lines[1], "Why was the first day no good?", f"Why did {two} refuse?")
    draft.ask("where", place, lines[2], f"Where will the {change} be?", f"town of the {change}")
    draft.ask("number", code, lines[3], "How does one get through the door, which code?", "door code")
    draft.ask("amount", price, lines[4], "What did the room cost?", f"How much has {two} laid out?")
    draft.ask("name", three, lines[5], "Who takes care of the projector?", "Who knows the old projector is broken?")
    draft.ask(
        "yesno",
        "No",
        lines[1],
        f"Did {two} agree to the first date?",
        f"Was the day that {one} proposed first all right with {two}?",
    )
    draft.ask("yesno", "Yes", lines[4], f"Has {two} already paid for the room?")
    draft.never(
        f"How long does the {change} take?",
        f"What is the surname of {one}?",
        f"Who cooks at the {change}?",
        "What does the new projector cost?",
    )
