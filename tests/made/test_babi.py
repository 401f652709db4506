"""The bAbI simulator, against a reader of its sentences that shares nothing with it."""

import random
import re

import pytest

from infinidoc.made import babi

MOVED = re.compile(r"(\w+) (?:went|moved|journeyed|travelled|went back) to the (\w+)\.")
GOT = re.compile(r"(\w+) (?:got|took|grabbed|picked up) the (\w+)( there)?\.")
DROPPED = re.compile(r"(\w+) (?:dropped|left|discarded|put down) the (\w+)( there)?\.")
GAVE = re.compile(r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\.")
LIES = re.compile(r"The (\w+) is (north|south|east|west) of the (\w+)\.")
SUPPORTS = {1: 1, 2: 2, 3: 3, 4: 1, 5: 1}


def solve(facts, question):
    """Reads the facts in order and answers from what they say alone."""
    place, holder, trails, gifts, map_ = {}, {}, {}, [], {}

    def at(thing, actor):
        trail = trails.setdefault(thing, [])
        if actor in place and trail[-1:] != [place[actor]]:
            trail.append(place[actor])

    for fact in facts:
        if match := MOVED.fullmatch(fact):
            actor, place[actor] = match[1], match[2]
            for thing in [thing for thing, who in holder.items() if who == actor]:
                at(thing, actor)
        elif match := GOT.fullmatch(fact):
            holder[match[2]] = match[1]
            at(match[2], match[1])
        elif match := DROPPED.fullmatch(fact):
            holder.pop(match[2], None)
            at(match[2], match[1])
        elif match := GAVE.fullmatch(fact):
            gifts.append(match.groups())
            holder[match[2]] = match[3]
        else:
            a, way, b = LIES.fullmatch(fact).groups()
            map_[way, b] = a
            map_[babi.OPPOSITE[way], a] = b
    if match := re.fullmatch(r"Where is (?:the )?(\w+)\?", question):
        return place[match[1]] if match[1] in place else trails[match[1]][-1]
    if match := re.fullmatch(r"Where was the (\w+) before the (\w+)\?", question):
        trail = trails[match[1]]
        return trail[len(trail) - 1 - trail[::-1].index(match[2]) - 1]
    if match := re.fullmatch(r"What is (\w+) of the (\w+)\?", question):
        return map_[match[1], match[2]]
    if match := re.fullmatch(r"What is the (\w+) (\w+) of\?", question):
        return map_[babi.OPPOSITE[match[2]], match[1]]
    for giver, thing, taker in reversed(gifts):
        asked = {
            f"What did {giver} give to {taker}?": thing,
            f"Who gave the {thing} to {taker}?": giver,
            f"Who did {giver} give the {thing} to?": taker,
            f"Who gave the {thing}?": giver,
            f"Who received the {thing}?": taker,
        }
        if question in asked:
            return asked[question]
    raise AssertionError(f"no answer to {question}")


@pytest.mark.parametrize("task", babi.TASKS)
def test_the_answer_follows_from_the_facts_and_from_the_supporting_ones_alone(task):
    rng = random.Random(task)
    for _ in range(300):
        story = babi.sample(task, rng)
        assert solve(story.facts, story.question) == story.answer, story
        assert solve([story.facts[index] for index in story.supports], story.question) == story.answer, story
        assert story.supports == sorted(set(story.supports))
        assert len(story.supports) == SUPPORTS[task]


@pytest.mark.parametrize("task", babi.TASKS)
def test_no_answer_is_a_good_guess(task):
    rng = random.Random(task)
    answers = [babi.sample(task, rng).answer for _ in range(600)]
    among = {*babi.GIVERS, *babi.OBJECTS} if task == 5 else set(babi.LOCATIONS)
    assert set(answers) == among
    assert max(answers.count(answer) for answer in among) < 0.25 * len(answers)


def test_every_question_of_every_kind_is_asked():
    rng = random.Random(0)
    kinds = {story.question.split()[0] + " " + story.question.split()[1] for story in stories(5, rng)}
    assert kinds == {"What did", "Who gave", "Who did", "Who received"}
    assert {story.question.endswith(" of?") for story in stories(4, rng)} == {True, False}


def stories(task, rng):
    return [babi.sample(task, rng) for _ in range(100)]


def test_moves_are_moves_and_hands_hold_what_they_drop():
    """Nobody goes where they are, takes what somebody has, or drops what they haven't got."""
    rng = random.Random(5)
    for task in (2, 3, 5):
        for story in stories(task, rng):
            place, holder = {}, {}
            for fact in story.facts:
                if match := MOVED.fullmatch(fact):
                    assert place.get(match[1]) != match[2]
                    place[match[1]] = match[2]
                elif match := GOT.fullmatch(fact):
                    assert match[2] not in holder
                    holder[match[2]] = match[1]
                elif match := DROPPED.fullmatch(fact):
                    assert holder.pop(match[2]) == match[1]
                elif match := GAVE.fullmatch(fact):
                    assert holder[match[2]] == match[1]
                    holder[match[2]] = match[3]
                    assert len({place[actor] for actor in (match[1], match[3]) if actor in place}) < 2


def test_stories_are_as_long_as_the_published_ones():
    rng = random.Random(0)
    lengths = {task: sorted(len(story.facts) for story in stories(task, rng)) for task in babi.TASKS}
    assert set(lengths[1]) == {2, 4, 6, 8, 10}
    assert set(lengths[4]) == {2}
    assert lengths[2][50] < lengths[3][50]
    assert all(found[0] >= 2 and found[-1] <= 320 for found in lengths.values())


@pytest.mark.parametrize("task", babi.TASKS)
def test_the_same_generator_tells_the_same_story_and_none_is_too_long(task):
    assert babi.sample(task, random.Random(3)) == babi.sample(task, random.Random(3))
    rng = random.Random(1)
    assert all(len(babi.sample(task, rng, max_facts=10).facts) <= 10 for _ in range(30))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no bAbI task 6"):
        babi.sample(6, random.Random(0))
    with pytest.raises(ValueError, match="at least 10"):
        babi.sample(1, random.Random(0), max_facts=3)
