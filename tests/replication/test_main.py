"""The command line's own decisions."""

import pytest

from replication import paths
from replication.__main__ import _only, main
from replication.errors import UserError
from replication.experiments.families import grid
from replication.runs import Store, make_record, read_table, write_table
from replication.settings import load

FAMILY = "autoencoder-mnist"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder of the test's own, with the real params.yaml."""
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(text)


def test_only_takes_values_as_the_runs_have_them(make_run):
    runs = [make_run(1e-3, row="1"), make_run(0.0, row="1-2", width=7)]
    assert _only(["lambda=0.001,0", "row=1"], runs) == {"lambda": {0.001, 0.0}, "row": {"1"}}
    assert _only(["lambda=1e-3", "form=none,reciprocal"], runs)["lambda"] == {0.001}
    with pytest.raises(UserError, match=r"--only width=101: no run of the grid has width '101'. It has: 5, 7"):
        _only(["width=101"], runs)
    with pytest.raises(UserError, match="no run of the grid has width ''"):
        _only(["width"], runs)
    with pytest.raises(UserError, match=r"no such setting. Known: batch_size, .*width"):
        _only(["breadth=5"], runs)


@pytest.mark.usefixtures("project")
def test_clear_forgets_runs_that_no_table_has(capsys):
    runs = grid(load("demo"), FAMILY)
    store, table = Store(paths.store()), paths.table("demo", FAMILY)
    in_table, alone = (make_record(run, {}, {}, 1, {}) for run in runs[:2])
    for record in (in_table, alone):
        store.put(record)
    write_table(table, [in_table])
    assert main(["runs", "clear", "--scale", "demo"]) == 0
    assert store.keys() == set() and read_table(table) == []
    assert capsys.readouterr().out.startswith("2 runs of scale demo deleted. `git checkout data/runs`")
