"""What mkdocs needs to show, in a site, pages that are also read in the repository."""

import re
from pathlib import Path
from typing import Any

# Pages whose text stands in the repository's root, where people look for it.
IN_ROOT = {"security.md": "SECURITY.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)[^)]*\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Fetches a root page's text; a link to a file that isn't in the site becomes the file's name."""
    name = page.file.src_uri
    if name in IN_ROOT:
        markdown = (Path(config.docs_dir).parent / IN_ROOT[name]).read_text().replace("](docs/", "](")
    return markdown if "/" in name else OUTSIDE.sub(r"\1 (`\2`)", markdown)
