"""The library's documentation: `make site`. Docstrings are plain text with code in backticks."""

import re

from entropy_guidance import __version__

project = "entropy_guidance"
author = copyright = "The entropy-guidance authors"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = [
    "notebooks",
    "templates",
    "demo",
    "claims.md",
    "cluster.md",
    "library.md",
    "paper-scale.md",
    "pipeline.md",
    "reproducibility.md",
    "setting-up.md",
]  # read in the repository
html_theme = "furo"
html_title = f"entropy_guidance {__version__}"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_rtype = False


def plain_text(_app: object, _what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Code stays code, and bars and stars stay what they are."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith(">>>"):
            continue
        parts = re.split(r"(`[^`]+`)", line)
        lines[number] = "".join(
            f"`{part}`" if part.startswith("`") else re.sub(r"([|*])", r"\\\1", part) for part in parts
        )


def setup(app: object) -> None:
    app.connect("autodoc-process-docstring", plain_text, priority=100)  # type: ignore[attr-defined]
