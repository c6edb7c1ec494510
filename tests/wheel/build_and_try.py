"""Build the library's wheel and try it in an environment of its own, in a temporary folder: `make wheel-test`.

The environment is new, has nothing but the wheel and what the wheel asks for (several GB, from pip's cache if they are
there), and goes with the folder.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src")


def build(folder: Path) -> Path:
    """The wheel of the checkout as it is; what earlier builds left in it has no part in it."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, checkout / name)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", folder, checkout)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    packages = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packages == {"entropy_guidance"}, packages
    assert "entropy_guidance/py.typed" in names
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert len(needs) == 1 and needs[0].split()[1].startswith("torch"), needs


def pip(python: Path | str, *arguments: Path | str) -> None:
    subprocess.run([python, "-m", "pip", *arguments, "--quiet"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", help="a version; without it the newest that pip finds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        check_contents(wheel)
        print(f">> {wheel.name}: entropy_guidance alone, needs torch alone")
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        held = [f"torch=={options.torch}"] if options.torch else []
        pip(python, "install", wheel, *held)
        subprocess.run([python, ROOT / "tests/wheel/torch_alone.py"], cwd=folder, check=True)
        print(">> with what profiles need, on networks of timm and transformers")
        pip(python, "install", f"{wheel}[profile,plot]", "timm", "transformers", *held)
        subprocess.run([python, ROOT / "tests/wheel/other_peoples_networks.py"], cwd=folder, check=True)


if __name__ == "__main__":
    main()
