"""What answers say in words of infinidoc's own, in the question's language: yes, no, and that there is no answer."""

from collections.abc import Callable

from infinidoc.documents.wording import LANGUAGES
from infinidoc.model.prompts import REFUSAL

NOTHING = "Nothing in this collection bears on that question."
NO_ANSWER = "I can't read an answer from these passages; look at the sources."

_PHRASES = (  # each in all LANGUAGES
    ("Yes", "Ja", "Oui", "Sí", "Sì"),
    ("No", "Nein", "Non", "No", "No"),
    (
        REFUSAL,
        "nicht in diesen Dokumenten",
        "pas dans ces documents",
        "no está en estos documentos",
        "non è in questi documenti",
    ),
    (
        NOTHING,
        "Nichts in dieser Sammlung hat mit dieser Frage zu tun.",
        "Rien dans cette collection ne concerne cette question.",
        "Nada en esta colección tiene que ver con esa pregunta.",
        "Niente in questa raccolta riguarda questa domanda.",
    ),
    (
        NO_ANSWER,
        "Aus diesen Stellen lässt sich keine Antwort lesen; sieh in den Quellen nach.",
        "Aucune réponse ne se lit dans ces passages ; regarde les sources.",
        "De estos pasajes no se puede leer una respuesta; mira las fuentes.",
        "Da questi passi non si legge una risposta; guarda le fonti.",
    ),
)
_KNOWN = {said.casefold().strip("."): phrase for phrase in _PHRASES for said in phrase}


def in_language(text: str, language: str) -> str:
    """One of the phrases, in whatever language, in this one; any other text as it is."""
    phrase = _KNOWN.get(text.casefold().strip(" ."))
    return phrase[LANGUAGES.index(language)] if phrase else text


class InLanguage:
    """Hands an answer on as it comes; if it is a phrase and nothing more, `in_language`, once it is whole."""

    def __init__(self, language: str, on_text: Callable[[str], None]):
        self._language, self._on_text, self._held = language, on_text, ""

    def add(self, text: str) -> None:
        self._held += text
        if any(phrase.startswith(self._held.casefold().strip(" .")) for phrase in _KNOWN):
            self._on_text("")  # whoever listens may end it
        else:
            self._on_text(self._held)
            self._held = ""

    def close(self) -> None:
        if self._held:
            self._on_text(in_language(self._held, self._language))
            self._held = ""
