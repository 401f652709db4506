"""Questions one after the other, of which some lean on those before."""

from collections.abc import Callable

from infinidoc.reading.answers import Answer
from infinidoc.reading.collection import MAX_TOKENS, TOP, Collection
from infinidoc.reading.followups import Turn, with_context
from infinidoc.reading.readers.choice import OWN
from infinidoc.reading.scope import EVERYWHERE, Scope

REMEMBERED = 8  # turns: nobody leans on what was asked before those


class Conversation:
    """Asks a collection. "And how long does it take?" is searched and read with what was asked before.

    >>> conversation = Conversation(Collection.open("manuals"))
    >>> conversation.ask("How is the filter changed?")
    >>> conversation.ask("And how often?")
    """

    def __init__(self, collection: Collection):
        self.collection = collection
        self.turns: list[Turn] = []

    def ask(
        self,
        question: str,
        top: int = TOP,
        max_tokens: int = MAX_TOKENS,
        on_text: Callable[[str], None] = lambda text: None,
        reader: str = OWN,
        long: bool = False,
        scope: Scope = EVERYWHERE,
    ) -> Answer:
        """As `Collection.ask`. `Answer.question` is what the collection was asked: with what it leans on, if it does.

        A question that fails is no part of the conversation.
        """
        asked = with_context(question.strip(), self.turns)
        answer = self.collection.ask(asked, top, max_tokens, on_text=on_text, reader=reader, long=long, scope=scope)
        best = answer.quotes[0].source if answer.quotes else 0
        read = answer.sources[best].text if answer.sources else ""
        turn = Turn(question.strip(), answer.text if answer.answered else "", read)
        self.turns = [*self.turns, turn][-REMEMBERED:]
        return answer
