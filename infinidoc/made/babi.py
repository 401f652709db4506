"""bAbI QA1 to QA5 (Weston et al. 2015, arXiv 1502.05698): stories in a small world, simulated. Pure Python.

1. single supporting fact     Mary moved to the bathroom. … Where is Mary?
2. two supporting facts       John got the milk. John went to the office. … Where is the milk?
3. three supporting facts     … Where was the milk before the office?
4. two-argument relations     The office is north of the bedroom. … What is the bedroom south of?
5. three-argument relations   Fred gave the football to Jeff. … Who did Fred give the football to?

World, verbs, wording of facts and questions are those of the published data (tasks 1-20, v1.2), which BABILong
(arXiv 2406.10149) hides in books; so is the course of a story: up to five rounds of facts, with a question after the
last. Written from published examples and figures, so that proportions are close and not identical.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

TASKS = (1, 2, 3, 4, 5)
NAMES = {
    1: "single supporting fact",
    2: "two supporting facts",
    3: "three supporting facts",
    4: "two-argument relations",
    5: "three-argument relations",
}
LOCATIONS = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
OBJECTS = ("apple", "football", "milk")
ACTORS = ("Daniel", "John", "Mary", "Sandra")
GIVERS = ("Bill", "Fred", "Jeff", "Mary")  # the actors of QA5

MOVE = ("went to", "moved to", "journeyed to", "travelled to", "went back to")
GET = ("got", "took", "grabbed", "picked up")
DROP = ("dropped", "left", "discarded", "put down")
GIVE = ("gave", "handed", "passed")
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}

ROUNDS = 5
THERE = 1 / 3  # how often "there" follows what was taken or dropped
OBJECT_ASKED = 0.42  # how often QA5 asks for the object: arXiv 2406.10149, Table 6


@dataclass(frozen=True)
class Story:
    """`supports` are the indices of the facts that the answer needs, in order."""

    facts: list[str]
    question: str
    answer: str
    supports: list[int]


def sample(task: int, rng: random.Random, max_facts: int | None = None) -> Story:
    """A story of task 1 to 5, with one question after its last fact. The same `rng` state gives the same story.

    Facts: QA1 2 to 10, QA2 3 to 50, QA3 3 to 150, QA4 2, QA5 2 to 160; medians 6, 15, 30, 2 and 25. With `max_facts`,
    at least 10, longer stories are passed over, as BABILong does where a text has no room. Raises ValueError for
    another task, or a smaller `max_facts`.
    """
    if task not in TASKS:
        raise ValueError(f"there is no bAbI task {task} here: 1 to 5")
    if max_facts is not None and max_facts < 10:
        raise ValueError(f"{max_facts} facts are too few for some stories: at least 10")
    while True:
        story = _relations(rng) if task == 4 else _told(task, rng)
        if max_facts is None or len(story.facts) <= max_facts:
            return story


@dataclass
class World:
    """Who and what is where, and what a reader of the facts can know of it.

    `place` and `holder` are the truth, part of which is never told: nobody's first place is. `known` is where a reader
    can say that an actor is, with the fact that says so. `trail` is the same for an object, from its first known place
    on; a reader knows where it is now if it is `located`: its last carrier was known to be somewhere.
    """

    rng: random.Random
    actors: tuple[str, ...]
    facts: list[str] = field(default_factory=list)
    place: dict[str, str] = field(default_factory=dict)  # actors and objects on the ground
    holder: dict[str, str] = field(default_factory=dict)  # objects that are carried
    known: dict[str, tuple[str, int]] = field(default_factory=dict)
    trail: dict[str, list["Stop"]] = field(default_factory=dict)
    located: set[str] = field(default_factory=set)
    evidence: dict[str, int] = field(default_factory=dict)  # the last fact that says who took or dropped an object
    taken: dict[str, int] = field(default_factory=dict)  # the fact by which somebody last took it
    carried_from: dict[str, int] = field(default_factory=dict)  # and where in its trail it was then
    given: list[tuple[str, str, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in (*self.actors, *OBJECTS):
            self.place[name] = self.rng.choice(LOCATIONS)
        self.trail = {name: [] for name in OBJECTS}

    def move(self) -> None:
        actor = self.rng.choice(self.actors)
        target = self.rng.choice([name for name in LOCATIONS if name != self.place[actor]])
        fact = self._tell(f"{actor} {self.rng.choice(MOVE)} the {target}.")
        self.place[actor], self.known[actor] = target, (target, fact)
        for thing, holder in self.holder.items():
            if holder == actor:
                self._arrive(thing, target, fact)

    def get(self) -> bool:
        """Somebody takes something that lies where they are; False if that is impossible. So with the others."""
        lying = [thing for thing in OBJECTS if thing not in self.holder]
        pairs = [(a, thing) for a in self.actors for thing in lying if self.place[thing] == self.place[a]]
        if not pairs:
            return False
        actor, thing = self.rng.choice(pairs)
        fact = self._tell(f"{actor} {self.rng.choice(GET)} the {thing}{self._there()}.")
        self.evidence[thing] = self.taken[thing] = fact
        del self.place[thing]
        self.holder[thing] = actor
        self._found(thing, actor)
        self.carried_from[thing] = len(self.trail[thing]) - (thing in self.located)
        return True

    def drop(self) -> bool:
        if not self.holder:
            return False
        thing = self.rng.choice(list(self.holder))
        actor = self.holder.pop(thing)
        self.evidence[thing] = self._tell(f"{actor} {self.rng.choice(DROP)} the {thing}{self._there()}.")
        self.place[thing] = self.place[actor]
        self._found(thing, actor)
        return True

    def give(self) -> bool:
        triples = [
            (giver, thing, taker)
            for thing, giver in self.holder.items()
            for taker in self.actors
            if taker != giver and self.place[taker] == self.place[giver]
        ]
        if not triples:
            return False
        giver, thing, taker = self.rng.choice(triples)
        fact = self._tell(f"{giver} {self.rng.choice(GIVE)} the {thing} to {taker}.")
        self.holder[thing] = taker
        self.given.append((giver, thing, taker, fact))
        return True

    def _tell(self, fact: str) -> int:
        self.facts.append(fact)
        return len(self.facts) - 1

    def _there(self) -> str:
        return " there" if self.rng.random() < THERE else ""

    def _found(self, thing: str, actor: str) -> None:
        """An object is where the actor is that took or dropped it, if that is known."""
        if actor in self.known:
            self._arrive(thing, *self.known[actor])
        else:
            self.located.discard(thing)

    def _arrive(self, thing: str, place: str, fact: int) -> None:
        trail = self.trail[thing]
        if trail and trail[-1].place == place:
            trail.pop()  # another actor's coming there says so now
        trail.append(Stop(place, fact))
        self.located.add(thing)


@dataclass(frozen=True)
class Stop:
    """A place on an object's way, and the fact that its carrier went there."""

    place: str
    fact: int


Asked = tuple[str, str, list[int]]


def _told(task: int, rng: random.Random) -> Story:
    """Rounds of facts, each long enough, and until something can be asked; a coin decides whether it is."""
    least, happen, ask = PLOTS[task]
    world = World(rng, GIVERS if task == 5 else ACTORS)
    question: Asked | None = None
    for _ in range(rng.randint(1, ROUNDS)):
        told, question = 0, None
        while question is None:
            happen(world)
            told += 1
            if told >= least and (task == 1 or rng.random() < 0.5):
                question = ask(world)
    assert question is not None
    text, answer, supports = question
    return Story(world.facts, text, answer, sorted(set(supports)))


def _walk(world: World) -> None:
    world.move()


def _carry(world: World) -> None:
    _handle(world, [world.get, world.drop])


def _trade(world: World) -> None:
    _handle(world, [world.get, world.drop, world.give])


def _handle(world: World, actions: list[Callable[[], bool]]) -> None:
    """Half of what happens is somebody moving; otherwise one of the actions, if any of them is possible."""
    if world.rng.random() < 0.5 or not any(action() for action in world.rng.sample(actions, len(actions))):
        world.move()


def _where_is_actor(world: World) -> Asked:
    actor = world.rng.choice(list(world.known))
    place, fact = world.known[actor]
    return f"Where is {actor}?", place, [fact]


def _where_is_object(world: World) -> Asked | None:
    if not world.located:
        return None
    thing = world.rng.choice(sorted(world.located))
    last = world.trail[thing][-1]
    return f"Where is the {thing}?", last.place, [world.evidence[thing], last.fact]


def _where_was_object(world: World) -> Asked | None:
    """Before a place that it came to once only, and on the last of the ways that somebody carried it."""
    ways = []
    for thing, trail in world.trail.items():
        reached = [stop.place for stop in trail[1:]]
        for index, (before, after) in enumerate(itertools.pairwise(trail)):
            if index >= world.carried_from[thing] and reached.count(after.place) == 1:
                ways.append((thing, before, after))
    if not ways:
        return None
    thing, before, after = world.rng.choice(ways)
    supports = [world.taken[thing], before.fact, after.fact]
    return f"Where was the {thing} before the {after.place}?", before.place, supports


def _who_gave_what(world: World) -> Asked | None:
    """About the latest gift, which is therefore the latest between these two, and the latest of this object."""
    if not world.given:
        return None
    giver, thing, taker, fact = world.given[-1]
    if world.rng.random() < OBJECT_ASKED:
        return f"What did {giver} give to {taker}?", thing, [fact]
    question, answer = world.rng.choice(
        [
            (f"Who gave the {thing} to {taker}?", giver),
            (f"Who did {giver} give the {thing} to?", taker),
            (f"Who gave the {thing}?", giver),
            (f"Who received the {thing}?", taker),
        ]
    )
    return question, answer, [fact]


# The least number of facts in a round, what can happen, and what is asked.
PLOTS: dict[int, tuple[int, Callable[[World], None], Callable[[World], Asked | None]]] = {
    1: (2, _walk, _where_is_actor),
    2: (3, _carry, _where_is_object),
    3: (3, _carry, _where_was_object),
    5: (2, _trade, _who_gave_what),
}


def _relations(rng: random.Random) -> Story:
    """Three places in a row; both facts and the question are about the one in the middle."""
    direction = rng.choice(list(OPPOSITE))
    row = rng.sample(LOCATIONS, 3)
    _, middle, last = row
    pairs = list(itertools.pairwise(row))
    told = [(a, direction, b) if rng.random() < 0.5 else (b, OPPOSITE[direction], a) for a, b in pairs]
    order = rng.sample([0, 1], 2)
    facts = [f"The {a} is {way} of the {b}." for a, way, b in (told[i] for i in order)]
    # The middle one is `direction` of the last, which is `OPPOSITE[direction]` of it: two ways to ask for the last.
    if rng.random() < 0.5:
        question = f"What is the {middle} {direction} of?"
    else:
        question = f"What is {OPPOSITE[direction]} of the {middle}?"
    return Story(facts, question, last, [order.index(1)])
