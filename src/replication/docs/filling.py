"""Markdown as a template writes it, with its paragraphs filled."""

import re
import textwrap

WIDTH = 120
KEPT = "\0"  # a space at which no line ends


def wrap(text: str, width: int = WIDTH) -> str:
    """Fill paragraphs and list items, so that a sentence may stand on a line of its own in a template.

    Headings, tables, pictures, comments, and what stands between ``` stay as they are; `commands` are not broken.

    >>> print(wrap("One.\\nTwo.\\n\\n- A,\\n  b.\\n\\n| t |\\n", 9), end="")
    One. Two.
    <BLANKLINE>
    - A, b.
    <BLANKLINE>
    | t |
    """
    lines: list[str] = []
    paragraph: list[str] = []

    def fill() -> None:
        if paragraph:
            item = paragraph[0].startswith("- ")
            words = " ".join(line.strip() for line in paragraph)
            words = re.sub("`[^`]+`", lambda command: command[0].replace(" ", KEPT), words)
            words = re.sub(r" (?=([-+*>#]|\d+[.)]) )", KEPT, words)  # at the beginning of a line a list's mark
            filled = textwrap.fill(
                words,
                width,
                subsequent_indent="  " if item else "",
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines.extend(filled.replace(KEPT, " ").splitlines())
            paragraph.clear()

    code = False
    for line in text.splitlines():
        fence = line.startswith("```")
        if code or fence or not line or line.startswith(("#", "|", "!", "<")):
            fill()
            if line or code or lines[-1:] != [""]:  # what a template sets leaves blank lines
                lines.append(line)
            code ^= fence
        else:
            if line.startswith("- "):
                fill()
            paragraph.append(line)
    fill()
    return "\n".join(lines) + "\n"
