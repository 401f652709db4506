"""`infinidoc bench questions`."""

from pathlib import Path
from typing import Annotated

import typer

from infinidoc.cli import compare
from infinidoc.cli.bench import OUT, ModelOption
from infinidoc.cli.options import LARGEST_SEED, JsonOption


def questions(
    systems: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these, with commas: memory+recall,rag-hybrid.")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Ask only so many of the questions, at random.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="For that choice, and for the intervals.")] = 0,
    model: ModelOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where results, report and pictures go.")] = (
        OUT / "questions"
    ),
    json: JsonOption = False,
) -> None:
    """Answers with sources, infinidoc against RAG: XQuAD's articles as one collection, asked what no training saw.

    120 paragraphs of Wikipedia, 130 questions on the six articles that are held out from every adapter's training. The
    same as infinidoc compare --rag on a file of your own; needs infinidoc[rag]. Interrupt it whenever you like.

    Examples:

      infinidoc bench questions

      infinidoc bench questions --systems memory+recall,rag-hybrid --samples 30
    """
    from infinidoc.training.corpus import held_out_questions

    chosen = compare.choose(systems, rag=True)
    compare.run(held_out_questions, [], chosen, samples, seed, None, model, out, json)
