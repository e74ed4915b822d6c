"""A hook of MkDocs: what stands in the pages for readers of a clone, and for tests.

Links to files beside the documentation lead to the repository; `tests/architecture` checks that the
files are there. What tests are told of a code block would keep MkDocs from seeing it.
"""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\]\((?P<path>(?:\.\./)+[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")

_TO_TESTS = re.compile(r"^(?P<fence>```\w+) data-not-run=\"[^\"]*\"$", re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Rewrite the links of a page that lead out of the documentation, and its fences."""
    base = f"{config['repo_url'].rstrip('/')}/blob/main/"

    def lead_out(link: re.Match[str]) -> str:
        folder = posixpath.dirname(f"docs/{page.file.src_uri}")
        path = posixpath.normpath(posixpath.join(folder, link["path"]))
        if path.startswith("docs/"):
            return link[0]
        return f"]({base}{path}{link['anchor'] or ''})"

    return _LINK.sub(lead_out, _TO_TESTS.sub(r"\g<fence>", markdown))
