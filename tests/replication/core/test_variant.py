"""What a variant's report says beside the grid's."""

import json
import subprocess

import pytest

from replication.core import board, paths, variant

PARAMS = "scale: demo\nlambda: null  # the paper's\nautoencoder: {monitor: total, batch_size: 512}\n"


def claims(text, after="24 epochs stay 24"):
    measure = {"text": text}
    one = {"id": "C4", "title": "Early stopping", "ours": measure, "after_control": after and {"text": after}}
    return {"version": board.VERSION, "claims": [one, {"id": "C5", "title": "x", "ours": None, "after_control": None}]}


def shown(text, **named):
    folder = paths.reports("demo")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claims.json").write_text(json.dumps(claims(text, **named)))
    return variant.report("demo")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    paths.PARAMS.write_text(PARAMS)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)


def change(before, after):
    paths.PARAMS.write_text(paths.PARAMS.read_text().replace(before, after))


def test_a_variant_ends_with_what_it_changes():
    assert shown("24 epochs become 8") == ""
    change("lambda: null  # the paper's", "lambda: 0.01")
    assert shown("24 epochs become 19").splitlines() == [
        "Changed: lambda: null -> 0.01.",
        "C4 Early stopping",
        "  the grid 24 epochs become 8; after the control 24 epochs stay 24",
        "  variant  24 epochs become 19; after the control 24 epochs stay 24",
    ]
    assert "24 epochs become 8;" in shown("24 epochs become 20")  # the grid's results stay the grid's


def test_another_layout_comment_or_scale_is_no_variant():
    shown("24 epochs become 8")
    change("autoencoder: {monitor: total, batch_size: 512}", "autoencoder:\n  batch_size: 512\n  monitor: total")
    change("  # the paper's", "")
    change("scale: demo", "scale: paper")
    assert list(variant.changes()) == []


def test_a_nested_value_has_its_dotted_name():
    shown("24 epochs become 8")
    change("monitor: total", "monitor: base")
    assert shown("24 epochs become 8") == "Changed: autoencoder.monitor: total -> base.\nNo claim's number changes."


def test_without_a_report_of_the_grid_there_is_nothing_to_compare():
    change("null", "0.01")
    assert shown("24 epochs become 19").endswith("make one without the change first.")


def test_the_commits_results_stand_for_the_grids():
    shown("24 epochs become 8")
    (paths.store() / "results-demo.json").unlink()
    subprocess.run(["git", "add", "-f", "reports"], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "y"], check=True)
    change("null", "0.01")
    assert "  the grid 24 epochs become 8;" in shown("24 epochs become 19")


def test_outside_of_git_nothing_is_a_variant(monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    change("null", "0.01")
    assert shown("24 epochs become 19") == ""
