"""The examples of docs/rivals.md, in their order, print what the page says."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/rivals.md"


def test_examples_print_what_the_page_says(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    names = {}
    for block in blocks:
        exec(block, names)
        promised = [line[2:] for line in block.splitlines() if line.startswith("# ")]
        assert capsys.readouterr().out.splitlines() == promised
    assert len(blocks) == 5


def test_examples_need_torch_alone():
    blocked = ("numpy", "pandas", "matplotlib", "scipy", "torchvision")
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S))
    start = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); sys.path.insert(0, {str(ROOT / 'src')!r})"
    done = subprocess.run([sys.executable, "-c", f"{start}\n{code}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
