"""The static site: what the workflow file says exists here. Nothing here can run the workflow itself."""

import re
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github/workflows/site.yml"


def test_the_workflow_says_that_it_is_untested_and_calls_what_exists():
    text = WORKFLOW.read_text()
    assert "# Untested:" in text
    steps = YAML(typ="safe").load(text)["jobs"]["publish"]["steps"]
    [command] = [step["run"] for step in steps if "run" in step]
    [uploaded] = [step["with"]["path"] for step in steps if "upload" in step.get("uses", "")]
    makefile = (ROOT / "Makefile").read_text()
    [recipe] = re.findall(rf"^{command.removeprefix('make ')}: .*\n((?:\t.*\n)+)", makefile, flags=re.M)
    assert f"{uploaded}/index.html" in recipe
    copied = re.findall(r"cp (?:-r )?(\S+)", recipe)
    assert [path for path in copied if not path.startswith("build/") and not (ROOT / path).exists()] == []
