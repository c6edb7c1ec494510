"""The pipeline in a fresh clone, with a grid small enough for seconds: repro, variant, kill and resume."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.core.runs import read_table
from replication.core.settings import load

ROOT = Path(__file__).parents[2]
RECORDER = Path(__file__).parent / "recorder"
TABLE = Path("data/runs/demo/autoencoder-mnist.jsonl")
# What every command reads, and what decides nothing: arguments are parsed, rooms name their sections of params.yaml.
ALWAYS = re.compile(r"src/run\.py|src/replication/(\w+/)*__(init|main)__\.py|params\.yaml")
DATA_SETS = "src/replication/data/__init__.py"  # it decides which are stand-ins
UNSEEN = (".runs/", "data/prepared/", "data/raw/", ".dvc/", ".git/")  # the store and caches, outside of DVC's sight
RESULTS = ("demo/", "/data/sources/", "/data/statistics/", "/data/verdicts/", "/dvc.lock")  # of the working tree's own
pytestmark = pytest.mark.timeout(1500)  # each of the pipeline's stages imports torch


def families(room):
    """Those of params.yaml that live in a room."""
    return [name for name, lives_in in load("demo", ROOT / "params.yaml").families.items() if lives_in == room]


AUTOENCODERS, CNNS, CLASSIFIERS = families("autoencoder"), families("small_cnn"), families("imagenette")


def call(folder, *command, check=True):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{RECORDER}",
        "RECORDED": str(folder.parent / "recorded"),
        "DVC_NO_ANALYTICS": "1",
    }
    (folder.parent / "recorded").mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return done


def sweep_command(*options):
    return [sys.executable, "-m", "replication", "sweep", "--family", "autoencoder-mnist", *options]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of the working tree as git sees it, committed, with a tiny demo grid."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    without = [word for pattern in RESULTS for word in ("-x", pattern)]
    listed = call(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard", *without).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith("reports/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    for family in AUTOENCODERS:
        params["scales"]["demo"][family] |= {
            "widths": [8, 120],
            "test_width": 8,
            "replicates": 2,
            "max_epochs": 9,
            "unstopped_widths": [8],
            "variant_widths": [120],
        }
    params["scales"]["demo"]["profiles"]["vgg16"]["weights"] = ["random"]
    params["scales"]["demo"]["unet-coco"] |= {"lambdas": [0.0, 1.0], "max_epochs": 1}
    params["variants"] = {name: params["variants"][name] for name in ("float64", "exact-base")}
    for family in CNNS:
        params["scales"]["demo"][family] |= {"widths": [4], "replicates": 2, "smallest_replicates": 2, "epochs": 1}
    for family in CLASSIFIERS:
        params["scales"]["demo"][family] |= {"max_epochs": 1}
    params["scales"]["demo"]["rivals-cifar10"] |= {"width": 4, "replicates": 1, "epochs": 1}
    params["scales"]["demo"]["norms-cifar10"] |= {"width": 2, "replicates": 1, "epochs": 1}
    params["scales"]["demo"]["cnn_calibration"] |= {"widths": [4], "epochs": 1, "lengths": [1]}
    params["scales"]["demo"]["calibration"] |= {"widths": [8], "batch_sizes": [512], "max_epochs": 3}
    params["calibration"]["max_epochs"] = 3
    yaml.dump(params, folder / "params.yaml")
    call(folder, "git", "init", "-q")
    call(folder, "git", "config", "user.email", "test@example.org")
    call(folder, "git", "config", "user.name", "test")
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "clone")
    return folder


def test_repro_makes_the_report_and_then_nothing_more(clone):
    call(clone, "dvc", "repro")
    report = clone / "reports" / "demo"
    text = (report / "appendix.md").read_text()
    assert "Stand-in data, not comparable" in text and "21 of the 21 runs" in text
    html = (report / "appendix.html").read_text()
    said = (report / "report.html").read_text()
    assert "9 epochs become 8" in said and "9 epochs stay 9 (stand-in data)" in said
    drawn = {kind: {path.stem for path in (report / "figures").glob(f"*.{kind}")} for kind in ("png", "svg")}
    assert drawn["png"] == drawn["svg"]
    assert drawn["png"] >= {f"figure{k}-autoencoder-mnist" for k in (3, 4)}
    assert drawn["png"] >= {f"figure{k}-autoencoder-cifar10" for k in (5, 6)}
    kinds = ("stopping-epochs", "determinants", "time-to-quality", "along-training")
    assert drawn["png"] >= {f"{kind}-{family}" for kind in kinds for family in AUTOENCODERS}
    assert drawn["png"] >= {f"gains-{family}" for family in CNNS} | {"cnn-cifar10-choice", "cnn-cifar10-placebos"}
    assert drawn["png"] >= {"figure2-losses", "theory-formulas", "figure1-vgg16", "h5-weight-scale"}
    assert drawn["png"] >= {"figure9-unet", "figure10-unet-coco", "histories-unet-coco"}
    assert drawn["png"] >= {f"published-audit-table{k}" for k in (1, 2)} | {"table2-classifiers"}
    # the guided empirical run is described by what the unguided ones leave
    assert "`resnet50-imagenette`: 4 of the 4 runs" in text
    assert html.count("data:image/png;base64,") == len(drawn["png"] - {"forest"})
    assert "figures/" not in html.split("<body>")[1].split("src=")[0]
    claims = {claim["id"]: claim for claim in json.loads((report / "claims.json").read_text())["claims"]}
    assert len(claims) == 13 and "stand-in" in claims["C4"]["verdict"] and "stand-in" in claims["C7"]["verdict"]
    assert claims["C1"]["verdict"] == "partly"  # its layers are drawn, not data

    again = call(clone, "dvc", "repro")
    assert "up to date" in again.stdout and "Running stage" not in again.stdout


def test_stages_depend_on_all_that_they_read(clone):
    """Code that is imported and files of the project that are opened, as the commands of the first test did it."""
    stages = YAML(typ="safe").load(clone / "dvc.lock")["stages"]
    read = recorded(clone)
    assert read.keys() == stages.keys()
    missing = {}
    for name, stage in stages.items():
        known = [entry["path"] for part in ("deps", "outs") for entry in stage[part]]
        for source in [path for path in known if path.startswith("data/sources/") and path.endswith(".json")]:
            known += [f"src/{path}" for path in json.loads((clone / source).read_text())["code"]]
        always = {path for path in read[name] if ALWAYS.fullmatch(path) and path != DATA_SETS}
        found = {path for path in read[name] - always if not path.startswith(UNSEEN)}
        if left := sorted(path for path in found if not any(is_within(path, entry) for entry in known)):
            missing[name] = left
    assert missing == {}


def test_a_variant_shows_its_effect_beside_the_grid_and_apply_brings_it_back(clone):
    report, stage = clone / "reports/demo", "runs@autoencoder-cifar10"
    pages = ("report.html", "report.md", "appendix.html", "claims.json", "figures/forest.png")

    def contents(folder):
        return {name: (folder / name).read_bytes() for name in pages}

    def metrics():
        return json.loads((report / "metrics.json").read_text())

    def run(name, lambda_):
        settings = ["-S", f"lambda={lambda_}", "-S", "train=autoencoder-mnist"]
        return call(clone, "dvc", "exp", "run", "-n", name, *settings).stdout

    grid, results = contents(report), metrics()
    assert results["C4_epochs"] is not None and not (report / "variant").exists()
    said = run("weak", 0.001)
    assert "Changed: lambda: null -> 0.001.\n" in said and f"Stage '{stage}' didn't change, skipping" in said
    assert re.search(r"^C4 Early stopping on MNIST +9 epochs become 8 +not available$", said, flags=re.M)
    weak = contents(report / "variant")
    assert b"lambda: null -&gt; 0.001" in weak["report.html"] and metrics()["C4_epochs"] is None
    run("strong", 1.0)
    assert metrics()["C4_epochs"] == results["C4_epochs"]
    assert contents(report) == grid

    call(clone, "dvc", "exp", "apply", "weak")
    assert contents(report / "variant") == weak and contents(report) == grid and metrics()["C4_epochs"] is None
    assert {record["run"]["lambda"] for record in read_table(clone / TABLE)} == {0, 1e-3}
    shown = call(clone, "dvc", "metrics", "diff", "strong", "weak").stdout
    assert re.search(rf"C4_epochs +{results['C4_epochs']} +- ", shown), shown
    # DVC leaves figures of the other variant there, which the report takes away; nothing else is to be done.
    again = call(clone, "dvc", "repro").stdout
    assert set(re.findall("Running stage '(.*)'", again)) <= {"report"} and contents(report / "variant") == weak

    call(clone, "git", "checkout", "-q", "params.yaml")
    call(clone, "dvc", "repro")
    assert metrics() == results and not (report / "variant").exists()


def recorded(clone):
    """The files that the processes of each stage have read."""
    found = {}
    for path in (clone.parent / "recorded").glob("*.txt"):
        stage, *files = path.read_text().splitlines()
        found.setdefault(stage, set()).update(files)
    return found


def is_within(path, entry):
    return path == entry or path.startswith(f"{entry}/")


def test_a_variant_trains_only_what_is_new(clone):
    call(clone, "dvc", "repro", "runs@autoencoder-mnist")
    before = {record["key"] for record in read_table(clone / TABLE)}
    # One stage: the whole pipeline with a variant differs only in training the other families too.
    done = call(clone, "dvc", "exp", "run", "-S", "lambda=0.00001", "runs@autoencoder-mnist")
    # {0, 1e-5}: 2 widths x 2 replicates baselines, 2 to the epoch limit and one in float64 are known; 4 guided and 2
    # controls are new
    assert "13 runs: 7 known already, 6 trained now" in done.stdout
    records = read_table(clone / TABLE)
    assert {record["run"]["lambda"] for record in records} == {0, 1e-5}
    assert {r["key"] for r in records if r["run"]["lambda"] == 0} <= before
    call(clone, "git", "checkout", "-q", "params.yaml")

    done = call(clone, "dvc", "exp", "run", "--temp", "-S", "lambda=[0.00001,0.1]", "runs@autoencoder-mnist")
    assert "19 runs: 13 known already, 6 trained now" in done.stdout


def test_a_fresh_store_is_filled_from_the_table(clone):
    call(clone, "dvc", "repro", "runs@autoencoder-mnist")
    shutil.rmtree(clone / ".runs")
    done = call(clone, *sweep_command())
    assert "21 runs: 21 known already, 0 trained now" in done.stdout


KILLED = """
import os, sys
from replication.__main__ import main
from replication.core.store import Store

def put_and_die_after_two(store, record):
    put(store, record)
    if len(store.keys()) == 2:
        os.kill(os.getpid(), int(sys.argv[1]))

if __name__ == "__main__":
    put, Store.put = Store.put, put_and_die_after_two
    sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_sweep_loses_no_finished_run(clone, tmp_path, number):
    shutil.rmtree(clone / ".runs", ignore_errors=True)
    (clone / TABLE).unlink(missing_ok=True)
    (tmp_path / "killed.py").write_text(KILLED)
    arguments = sweep_command()[3:]
    stopped = call(clone, sys.executable, str(tmp_path / "killed.py"), str(int(number)), *arguments, check=False)
    assert len(list((clone / ".runs").glob("*.json"))) == 2
    if number == signal.SIGTERM:
        assert stopped.returncode == 130 and "the same command goes on from here" in stopped.stderr
    else:
        assert stopped.returncode == -signal.SIGKILL
    done = call(clone, *sweep_command())
    assert "21 runs: 2 known already, 19 trained now" in done.stdout


def test_shards_and_merge_add_up(clone, tmp_path):
    tables = []
    for part in ("1/2", "2/2"):
        shutil.rmtree(clone / ".runs", ignore_errors=True)
        (clone / TABLE).unlink(missing_ok=True)
        call(clone, *sweep_command("--shard", part))
        tables.append(tmp_path / f"{part[0]}.jsonl")
        shutil.copy(clone / TABLE, tables[-1])
    shutil.rmtree(clone / ".runs")
    (clone / TABLE).unlink()
    call(clone, sys.executable, "-m", "replication", "runs", "merge", *map(str, tables))
    done = call(clone, *sweep_command("--minutes", "0"))
    assert "21 known already, 0 trained now" in done.stdout
    listing = call(clone, sys.executable, "-m", "replication", "runs", "list").stdout
    assert "21 of 21 runs finished" in listing
    key = listing.split()[0]
    assert json.loads(call(clone, sys.executable, "-m", "replication", "runs", "show", key[:10]).stdout)["key"] == key


def test_minutes_bound_a_sweep(clone):
    shutil.rmtree(clone / ".runs", ignore_errors=True)
    (clone / TABLE).unlink(missing_ok=True)
    done = call(clone, *sweep_command("--minutes", "0"))
    assert "21 runs: 0 known already, 0 trained now, 21 still missing" in done.stdout
    # and the report says so instead of failing
    call(clone, sys.executable, "-m", "replication", "report")
    assert "0 of the 21 runs" in (clone / "reports/demo/appendix.md").read_text()


def test_data_that_cannot_be_had_is_one_message(clone):
    params = (clone / "params.yaml").read_text()
    environment = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-m", "replication", "prepare", "mnist", "--scale", "paper"],
        cwd=clone,
        env={**os.environ, **environment, "PYTHONPATH": str(clone / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "could not download train-images-idx3-ubyte.gz" in done.stderr and "Traceback" not in done.stderr
    assert "data/raw/MNIST/raw yourself" in done.stderr
    assert (clone / "params.yaml").read_text() == params
