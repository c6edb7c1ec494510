"""`import entropy_guidance` needs torch and nothing else; what needs more loads on first use."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import entropy_guidance

ROOT = Path(__file__).parents[2]
PACKAGES = ("numpy", "pandas", "matplotlib", "scipy", "torchvision", "seaborn")


def python(code, *, without=()):
    """Run code in a process of its own in which some packages cannot be imported."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({without!r})); sys.path.insert(0, {str(ROOT / 'src')!r})"
    return subprocess.run([sys.executable, "-c", f"{blocked}\n{code}"], capture_output=True, text=True, check=False)


def test_guidance_changes_and_selection_with_torch_alone():
    script = ROOT / "tests/wheel/torch_alone.py"
    code = f"import importlib.util, runpy\nrunpy.run_path({str(script)!r}, run_name='script')['main']()"
    done = python(f"import importlib.machinery\n{code}", without=PACKAGES)
    assert done.returncode == 0, done.stderr
    assert "alone" in done.stdout


def test_importing_the_library_loads_nothing_that_it_may_not_need():
    code = "import entropy_guidance; print([name for name in sys.modules if name in ('pandas', 'matplotlib', 'scipy')])"
    assert python(code).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("use", "missing", "extra"),
    [
        ("from entropy_guidance import profile", "pandas", "profile"),
        ("from entropy_guidance import compare", "numpy", "profile"),
        ("entropy_guidance.selection.describe(torch.nn.Linear(2, 2))", "pandas", "profile"),
        ("entropy_guidance.profile(torch.nn.Linear(2, 2)).plot()", "matplotlib", "plot"),
    ],
)
def test_what_needs_a_package_names_the_extra_that_brings_it(use, missing, extra):
    done = python(f"import torch, entropy_guidance\n{use}", without=(missing,))
    message = done.stderr.strip().splitlines()[-1]
    assert f"needs {missing}, which is not installed: pip install 'entropy-guidance[{extra}]'" in message


def test_the_function_profile_hides_no_module():
    from entropy_guidance import profile, profiles

    assert callable(profile) and profiles.profile is profile


def test_every_public_name_is_there():
    assert all(getattr(entropy_guidance, name) is not None for name in entropy_guidance.__all__)
    assert entropy_guidance.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        entropy_guidance.nothing  # noqa: B018
    assert torch.is_tensor(entropy_guidance.penalty(torch.zeros(()), 1.0))
