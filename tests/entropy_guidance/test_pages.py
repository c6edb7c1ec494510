"""The examples of the library's pages run, in their order, and print what the pages say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PAGES = sorted(set(re.findall(r"^(\w+)$", (ROOT / "docs/index.md").read_text(), flags=re.M)))
BLOCKS = {
    page: re.findall(r"```python\n(.*?)```", (ROOT / f"docs/{page}.md").read_text(), flags=re.S) for page in PAGES
}


def test_pages_have_examples():
    assert PAGES == ["api", "form", "guide", "layers", "profile", "training"]
    assert {page for page, blocks in BLOCKS.items() if blocks} == {"api", "form", "guide", "layers", "profile"}


@pytest.mark.parametrize("page", [page for page, blocks in BLOCKS.items() if blocks])
def test_examples_print_what_the_page_says(page, capsys):
    torch.manual_seed(0)
    names = {"__name__": "example"}
    for block in BLOCKS[page]:
        exec(block, names)
        promised = [line[2:] for line in block.splitlines() if line.startswith("# ")]
        assert capsys.readouterr().out.splitlines() == promised


def test_the_rivals_examples_need_torch_alone():
    blocked = ("numpy", "pandas", "matplotlib", "scipy", "torchvision")
    code = "\n".join(BLOCKS["api"])
    start = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); sys.path.insert(0, {str(ROOT / 'src')!r})"
    done = subprocess.run([sys.executable, "-c", f"{start}\n{code}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
