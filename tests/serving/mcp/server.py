"""The MCP server as a process of its own."""

import os

LONG = 120.0


# The command, with an address head to which everything bears on a question, and a library that prints.
LENIENT = """
import sys
from infinidoc.reading.collection import Collection
head, load = Collection.head.fget, Collection.load
def lenient(self):
    found = head(self)
    found.__dict__["threshold"] = -2.0
    return found
def loud(self, *args, **options):
    print("a library prints")
    return load(self, *args, **options)
Collection.head, Collection.load = property(lenient), loud
sys.argv = ["infinidoc", "mcp", *sys.argv[1:]]
from infinidoc.cli import main
main()
"""


def environment(tiny):
    return {**os.environ, "INFINIDOC_MODEL": str(tiny), "PYTHONWARNINGS": "ignore"}


async def call(client, tool, **arguments):
    """A result's text and its JSON."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.content[0].text, result.structured_content


async def refused(client, tool, **arguments):
    """What an agent is told, in a line."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (part,) = result.content
    assert "Traceback" not in part.text
    assert "\n" not in part.text
    return part.text
