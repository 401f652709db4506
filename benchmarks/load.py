"""Many clients at once: does everybody get an answer, and does the server's memory stay flat?

    infinidoc serve --collection NAME --port 8765 &
    python -m benchmarks.load --server $! http://127.0.0.1:8765 NAME examples/questions.jsonl

Clients ask one question after the other, half of them by server-sent events; every tenth leaves in the middle of its
answer, on purpose. One that is told to come back later does so. Prints a line of figures every ten seconds, and JSON at
the end: exit code 1 if there was an error, or an answer is missing.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

LEAVES = 10  # every so many-th question is left
TIMEOUT = 600


class Load:
    """What all clients have seen so far."""

    def __init__(self, address: str, collection: str, questions: list[str], until: float):
        self.url = f"{address}/api/collections/{collection}/ask"
        self.questions, self.until = questions, until
        self.counts: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.errors: list[str] = []

    def client(self, number: int) -> None:
        chosen, asked = random.Random(number), 0
        while time.monotonic() < self.until:
            asked += 1
            began = time.monotonic()
            self.counts["asked"] += 1
            try:
                leaves = asked % LEAVES == number % LEAVES
                self._ask(chosen.choice(self.questions), stream=asked % 2 == 0 or leaves, leaves=leaves)
                self.seconds.append(time.monotonic() - began)
            except HTTPError as error:
                with error:
                    if error.code == 503:
                        self.counts["told to come back"] += 1
                        time.sleep(int(error.headers["Retry-After"]))
                    else:
                        self.errors.append(f"{error.code}: {error.read(500)!r}")
            except Exception as error:
                self.errors.append(repr(error))

    def _ask(self, question: str, stream: bool, leaves: bool) -> None:
        body = json.dumps({"question": question, "stream": stream}).encode()
        request = Request(self.url, body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=TIMEOUT) as reply:
            if leaves:
                reply.readline()
                self.counts["left"] += 1
                return
            text = reply.read().decode()
        if stream:
            text = text.strip().rpartition("event: answer\ndata: ")[2]
        answer = json.loads(text)
        if not answer["answer"] or answer["question"] != question:
            raise ValueError(f"no answer: {text[:200]}")
        self.counts["answered"] += 1


def resident(process: int) -> float:
    """Megabytes of memory that a process has, as Linux counts them."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("collection")
    parser.add_argument("questions", type=Path, help="JSON lines with a question each")
    parser.add_argument("--server", type=int, required=True, help="its process id")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300)
    given = parser.parse_args()
    questions = [json.loads(line)["question"] for line in given.questions.read_text().splitlines()]
    load = Load(given.address, given.collection, questions, time.monotonic() + given.seconds)
    load._ask(questions[0], stream=False, leaves=False)  # the model is loaded
    load.counts.clear()
    load.until = time.monotonic() + given.seconds
    began, memory = time.monotonic(), [resident(given.server)]
    clients = [threading.Thread(target=load.client, args=(number,)) for number in range(given.clients)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        time.sleep(1)
        memory.append(resident(given.server))
        if len(memory) % 10 == 0:
            passed = time.monotonic() - began
            print(f"{passed:4.0f} s  {memory[-1]:,.0f} MB  {dict(load.counts)}  {len(load.errors)} errors", flush=True)
    passed, settled = time.monotonic() - began, memory[len(memory) // 5 :]
    lost = load.counts["asked"] - sum(load.counts[kind] for kind in ("answered", "left", "told to come back"))
    print(
        json.dumps(
            {
                "clients": given.clients,
                "seconds": round(passed, 1),
                **load.counts,
                "lost": lost,
                "errors": load.errors[:20],
                "answers per second": round(load.counts["answered"] / passed, 2),
                "seconds an answer, median": round(statistics.median(load.seconds), 2),
                "seconds an answer, longest": round(max(load.seconds), 2),
                "MB at the start, after a fifth, at the end": [round(memory[0]), round(settled[0]), round(memory[-1])],
                "MB at most": round(max(memory)),
            }
        )
    )
    sys.exit(bool(load.errors or lost))


if __name__ == "__main__":
    main()
