"""Texts that come from records, settings, profiles and file names: a page shows them as they are, never as markup.

Two walls. `plain` escapes such a text where it enters a page's Markdown; `to_html` lets no HTML of the Markdown through
but that of `folded`. The page's Content-Security-Policy is a third: it loads and runs nothing.
"""

import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

MARKUP = re.compile(r"[\\`\[\]&|~]|<(?=[\w/!?])|\*(?=\**[^\s*])|(?<!\w)_|_(?!\w)")  # only where it may be some
FOLD = re.compile(r"<details><summary>(.*)</summary>\n?|</details>\n?")


def plain(value: object) -> str:
    """A text as Markdown that shows it, on one line."""
    return MARKUP.sub(lambda match: f"\\{match[0]}", " ".join(str(value).split()))


def to_html(markdown: str) -> str:
    """The page's body. What looks like HTML is shown as text, but for `folded`."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.add_render_rule("html_block", _shown)
    parser.add_render_rule("html_inline", _shown)
    body: str = parser.render(markdown)
    return body


def folded(text: str, summary: str) -> str:
    """Markdown that shows a summary and, on a click, the text."""
    return f"<details><summary>{summary}</summary>\n\n{text.strip()}\n\n</details>"


def _shown(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    content = tokens[index].content
    if match := FOLD.fullmatch(content):
        return content if match[1] is None else content.replace(match[1], html.escape(match[1], quote=False))
    return html.escape(content, quote=False)
