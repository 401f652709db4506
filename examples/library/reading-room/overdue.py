"""What late books cost: reads loans.csv beside this file and prints one line per late book.

House rules: 10 pence a day, never more than £2 for one book.
"""

import csv
from datetime import date
from pathlib import Path

PENCE_PER_DAY = 10
PENCE_AT_MOST = 200


def fine(due: date, returned: date) -> int:
    """The fine in pence; 0 for a book that came back in time."""
    days_late = max((returned - due).days, 0)
    return min(days_late * PENCE_PER_DAY, PENCE_AT_MOST)


def main() -> None:
    total = 0
    with open(Path(__file__).with_name("loans.csv"), encoding="utf-8", newline="") as file:
        for loan in csv.DictReader(file):
            pence = fine(date.fromisoformat(loan["due"]), date.fromisoformat(loan["returned"]))
            total += pence
            if pence:
                print(f"{loan['borrower']}: £{pence / 100:.2f} for {loan['title']}")
    print(f"Together: £{total / 100:.2f}")


if __name__ == "__main__":
    main()
