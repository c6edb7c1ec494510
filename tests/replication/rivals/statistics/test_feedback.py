"""R3, R3c and R3d: the feedback, its placebos, and training images."""

import pytest
from rivals_runs import MNIST, made, paper, runs_of

from replication.rivals.statistics import feedback, frames


@pytest.fixture(scope="module")
def settings():
    return paper()


def of(form, added):
    return lambda run: added if run["form"] == form else {}


def r3(settings, added, form="feedback", **changes):
    runs = runs_of(settings, made(settings, lambda run: added if run["form"].startswith(form) else {}, **changes))
    return feedback.r3(runs, set(settings.arms))


def test_epochs_to_a_target():
    assert frames.epochs_to([0.1, 0.5, 0.6], 0.5) == 2 and frames.epochs_to([0.1, 0.2], 0.5) == 3
    assert str(frames.epochs_to([0.1], None)) == "nan"


def test_the_target_is_the_unguided_run_s_best_of_ten_epochs(settings):
    runs = runs_of(settings, made(settings, of("feedback", {"epochs": -2})))
    epochs = runs.set_index(["arm", "replicate"])["epochs"]
    assert set(epochs["unguided"]) == {7} and set(epochs["te"]) == {5}
    assert epochs["blocks-2"].isna().all()
    seconds = runs.set_index(["arm", "replicate"])["seconds"]
    assert seconds["te"].tolist() == pytest.approx([5 * 60 / 15] * 10)


def test_r3(settings):
    sooner = {"epochs": -2}
    assert (r3(settings, sooner, "feedback").verdict, r3(settings, sooner, "feedback").n) == ("supported", 10)
    assert r3(settings, sooner, "feedback").control == "does not survive"  # the placebos are as soon
    alone = feedback.r3(runs_of(settings, made(settings, of("feedback", sooner))), set(settings.arms))
    assert (alone.verdict, alone.control) == ("supported", "survives")
    assert r3(settings, {}).verdict == "refuted"  # no difference lies above -1
    late = r3(settings, {"epochs": 20, "accuracy": -0.05})
    assert late.verdict == "refuted" and "+9.00" in late.evidence  # never reached: 16 epochs
    nine = r3(settings, sooner, replicates=range(9))
    assert (nine.verdict, nine.control) == ("undecided", "not tested")


def test_r3_compares_with_the_controls_that_are_planned():
    mnist = paper(MNIST)
    found = feedback.r3(runs_of(mnist, made(mnist, of("feedback", {"epochs": -2}))), set(mnist.arms))
    assert found.control == "survives" and "shrink" not in found.control_evidence
    assert "te-diagonal" in found.control_evidence


def test_r3c(settings):
    def r3c(**added):
        return feedback.r3c(runs_of(settings, made(settings, of("feedback", added))))

    assert (r3c(significant=0.069).verdict, r3c(significant=0.071).verdict) == ("supported", "refuted")
    assert r3c(significant=0.02).control == "survives" and r3c(significant=0.05).control == "does not survive"
    assert feedback.r3c(runs_of(settings, made(settings, replicates=range(9)))).verdict == "undecided"
    assert feedback.r3c(runs_of(settings, [])).n == 0


def test_r3d(settings):
    def r3d(value, **changes):
        added = {"on_training_images": value}
        return feedback.r3d(runs_of(settings, made(settings, of("feedback", added), **changes))).verdict

    assert (r3d(0.1), r3d(0.04), r3d(0.1, replicates=range(9))) == ("supported", "refuted", "undecided")


def test_the_table_has_the_feedback_and_its_controls(settings):
    table = feedback.compared(runs_of(settings, made(settings, of("feedback", {"epochs": -2})))).set_index("arm")
    assert list(table.index) == list(feedback.ARMS) and set(table["n"]) == {10}
    assert table.loc["te", "epochs"] == -2 and table.loc["shrink", "epochs"] == 0
    assert table.loc["te", "lost"] == pytest.approx(0.3) and table["significant"].isna()["shrink"]
