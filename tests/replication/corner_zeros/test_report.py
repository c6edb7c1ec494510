"""The study's table on the page."""

from pathlib import Path

import pytest

from replication.core.family import room
from replication.core.files import write_text
from replication.core.settings import load
from replication.corner_zeros import record

PARAMS = Path(__file__).parents[3] / "params.yaml"
RECORD = (
    '[{"network": "vgg16", "weights": "untrained", "rows": [{"layer": "features.0", "images": 2, "corner": 0.5, '
    '"centre": null, "whole": 0.25, "never": 0.0}]}]\n'
)


@pytest.mark.usefixtures("own_store")
def test_the_section_shows_what_is_recorded(tmp_path):
    shown = room("corner_zeros")
    (part,) = shown.parts(load("demo", PARAMS), [])
    [empty] = shown.sections([part], {part.name: part.statistics()}, tmp_path, "")
    assert empty.tables == [] and "corner-zeros --scale demo" in empty.about
    write_text(record.record_path("demo"), RECORD)
    [section] = shown.sections([part], {part.name: part.statistics()}, tmp_path, "stand-in")
    [entry] = section.tables
    assert entry.path.read_text().splitlines()[1] == "vgg16,untrained,features.0,2,0.5,,0.25,0"
    assert part.stand_in and section.note == "stand-in"
