"""`infinidoc documents`."""

from dataclasses import asdict
from typing import Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.loading import loaded
from infinidoc.cli.options import CollectionOption, JsonOption

app = typer.Typer(no_args_is_help=True, help="List, show and remove the documents in a collection.")

SHOWN_CHARACTERS = 600

Name = Annotated[str, typer.Argument(help="A path, the end of one (guide.pdf), or a quoted glob.")]


@app.command("list")
def list_(collection: CollectionOption = None, json: JsonOption = False) -> None:
    """List the documents in a collection.

    Example:

      infinidoc documents list --collection manuals
    """
    from infinidoc.reading.answers import display
    from infinidoc.reading.collection import Collection

    with Collection.open(collection, create=False) as target:
        documents = target.documents()
    if json:
        render.print_json({"documents": [asdict(document) for document in documents]})
        return
    rows: list[tuple[object, ...]] = []
    for d in documents:
        rows.append((display(d.path), d.format, d.pages or "", f"{d.tokens:,}", render.size(d.bytes), d.ingested_at))
        rows += [(f"  {note}", *[""] * 5) for note in d.notes]
        rows += [(f"  also in {display(copy)}", *[""] * 5) for copy in d.copies]
    render.print_table(("document", "format", "pages", "tokens", "size", "ingested"), rows, ("pages", "tokens", "size"))


@app.command()
def show(
    name: Name,
    collection: CollectionOption = None,
    text: Annotated[bool, typer.Option("--text", help="Print the whole text, and nothing else.")] = False,
    json: JsonOption = False,
) -> None:
    """Show a document, and the text that was read from it.

    Example:

      infinidoc documents show guide.pdf --text
    """
    from infinidoc.reading.answers import display
    from infinidoc.reading.collection import Collection

    with Collection.open(collection, create=False) as target:
        for document in target.find(name):
            content = target.store.document(document.id).text
            if text:
                render.print_document(content)
            elif json:
                passages = [asdict(passage) for passage in target.store.passages(document.id)]
                render.print_json({**asdict(document), "text": content, "passages": passages})
            else:
                joined = {"notes": "; ".join(document.notes), "copies": ", ".join(map(display, document.copies))}
                facts = {**asdict(document), **joined}
                render.print_facts({name: value for name, value in facts.items() if value != ""})
                render.out.write("\n" + content[:SHOWN_CHARACTERS].strip("\n") + "\n", style="dim")


@app.command()
def remove(name: Name, collection: CollectionOption = None, json: JsonOption = False) -> None:
    """Take documents out of a collection: out of its addresses, its text, its log and its compressive memory.

    That memory, where there is one, is a sum over documents: each is read once more and subtracted. The file itself
    stays where it is.

    Examples:

      infinidoc documents remove guide.pdf
      infinidoc documents remove '*/drafts/*'
    """
    from infinidoc.reading.answers import display
    from infinidoc.reading.collection import Collection

    with Collection.open(collection, create=False) as target:
        found = target.find(name)
        loaded(target, to_write=True)
        target.remove(found)
    if json:
        render.print_json({"removed": [asdict(document) for document in found]})
    else:
        for document in found:
            render.out.print(f"removed {display(document.path)}")
