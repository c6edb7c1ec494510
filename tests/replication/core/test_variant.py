"""What a variant's report says beside the grid's."""

import json
import subprocess

import pytest

from replication.core import board, paths, variant
from replication.core.errors import UserError
from replication.core.settings import load
from replication.core.variant import Comparison, Row, comparison

PARAMS = paths.PARAMS.read_text()
CHANGE = ("\nlambda:\n", "\nlambda: 0.01\n")
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b")


def claims(ours="24 epochs become 8", after="24 epochs stay 24"):
    """One that two runs decide, one of another family, and one that no run does."""

    def claim(name, families, ours, after=None):
        texts = {"ours": ours, "after_control": after}
        return {"id": name, "title": f"Title {name}", "families": families} | {
            number: text and {"text": text} for number, text in texts.items()
        }

    one = claim("C4", ["autoencoder-mnist"], ours, after)
    other = claim("C8", ["cnn-cifar10", "cnn-mnist"], ours and f"{ours} on MNIST")
    return {"version": board.VERSION, "claims": [one, other, claim("C13", None, "cheap")]}


def write(folder, found):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claims.json").write_text(json.dumps(found))


def compared(now):
    return comparison(load("demo"), now)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    paths.PARAMS.write_text(PARAMS)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*GIT, *words], check=True)
    write(paths.reports("demo"), claims())


def change(*replacements):
    text = PARAMS
    for before, now in replacements:
        assert before in text
        text = text.replace(before, now)
    paths.PARAMS.write_text(text)


def test_the_grid_has_its_pages_in_the_reports_folder_and_nothing_beside_it():
    assert compared(claims("24 epochs become 19")) is None
    assert variant.folder("demo") == paths.reports("demo")


def test_a_variant_has_a_folder_of_its_own_and_ends_with_what_it_changes():
    change(CHANGE)
    assert variant.folder("demo") == paths.reports("demo") / "variant"
    assert str(compared(claims("24 epochs become 19"))).splitlines() == [
        "Changed: lambda: null -> 0.01.",
        "             the grid                     this variant",
        "-----------  ---------------------------  ----------------------------",
        "C4 Title C4  24 epochs become 8           24 epochs become 19",
        "C8 Title C8  24 epochs become 8 on MNIST  24 epochs become 19 on MNIST",
    ]


def test_numbers_after_the_control_have_rows_of_their_own():
    change(CHANGE)
    assert compared(claims(after=None)).table == [
        ("C4 Title C4, after the control", "24 epochs stay 24", "not available")
    ]


def test_families_that_are_left_out_are_not_compared():
    change(CHANGE, ("\ntrain:\n", "\ntrain: [cnn-mnist]\n"))
    assert [row.what for row in compared(claims("24 epochs become 19")).rows] == ["C8 Title C8"]


def test_a_variant_that_changes_no_number_says_so():
    change(CHANGE)
    assert str(compared(claims())) == "Changed: lambda: null -> 0.01.\nNo claim's number changes."


def test_without_a_report_of_the_grid_the_variants_own_numbers_are_told():
    change(CHANGE)
    (paths.reports("demo") / "claims.json").unlink()
    told = compared(claims("24 epochs become 19"))
    assert told.headings == ("", "this variant") and not told.compared
    assert told.table == [
        ("C4 Title C4", "24 epochs become 19"),
        ("C4 Title C4, after the control", "24 epochs stay 24"),
        ("C8 Title C8", "24 epochs become 19 on MNIST"),
    ]
    assert str(told).splitlines()[-1].startswith("There is no report of the grid to compare with: `dvc repro` ")


def test_claims_of_another_version_are_no_report_to_compare_with():
    write(paths.reports("demo"), claims() | {"version": 0})
    change(CHANGE)
    assert not compared(claims()).compared


def test_a_damaged_report_of_the_grid_is_named():
    change(CHANGE)
    (paths.reports("demo") / "claims.json").write_text("xx")
    with pytest.raises(UserError, match=r"reports/demo/claims\.json is damaged .* without the variant makes it anew"):
        compared(claims())


def test_the_committed_report_stands_for_one_that_is_not_there():
    subprocess.run([*GIT, "add", "reports"], check=True)
    subprocess.run([*GIT, "commit", "-qm", "y"], check=True)
    (paths.reports("demo") / "claims.json").unlink()
    change(CHANGE)
    assert compared(claims("24 epochs become 19")).rows[0].grid == "24 epochs become 8"


def test_a_temporary_experiment_is_compared_with_the_project_that_it_came_from(tmp_path, monkeypatch):
    (paths.reports("demo") / "claims.json").unlink()
    change(CHANGE)
    write(tmp_path / "project" / paths.reports("demo"), claims("24 epochs become 7"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    assert compared(claims("24 epochs become 19")).rows[0].grid == "24 epochs become 7"


def test_of_many_changes_the_first_are_told():
    changes = tuple(f"s{number}: 0 -> 1" for number in range(9))
    said = str(Comparison(changes, (Row("C4", "a", "b"),), compared=True)).splitlines()[0]
    assert said.endswith("s5: 0 -> 1 and 3 more.") and "s6" not in said


def test_long_texts_keep_the_table_within_a_terminal():
    row = Row("C5 Its price on MNIST, after the control", "at the same epoch the MSE is the same, " * 3, "long " * 30)
    assert max(map(len, str(Comparison(("a: 0 -> 1",), (row,), compared=True)).splitlines())) <= 130
