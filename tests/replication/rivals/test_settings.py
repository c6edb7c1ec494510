"""What params.yaml may say of the rivals, and the grid that comes of it."""

import pytest
from rivals_runs import CIFAR10, MNIST, ROOT, paper
from ruamel.yaml import YAML

from replication.core.errors import UserError
from replication.core.family import find
from replication.core.settings import load
from replication.rivals import grid
from replication.rivals.settings import WITHOUT_LAMBDA, read


@pytest.fixture
def changed(tmp_path):
    """Settings of a family after changes of params.yaml, by the path of a parameter."""

    def change(changes, family=CIFAR10, scale="paper"):
        yaml = YAML()
        raw = yaml.load(ROOT / "params.yaml")
        for path, value in changes.items():
            place = raw
            *above, last = path.split("/")
            for name in above:
                place = place[name]
            if value is None and last in place and path.startswith("scales"):
                del place[last]
            else:
                place[last] = value
        yaml.dump(raw, tmp_path / "params.yaml")
        return read(load(scale, tmp_path / "params.yaml"), family)

    return change


ARMS = f"scales/paper/{CIFAR10}/arms"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({f"{ARMS}/unguided": None}, "the baseline is missing"),
        ({f"{ARMS}/unguided": {"blocks": 2}}, "the baseline is missing"),
        ({f"{ARMS}/te": {"form": "feedback", "lambdas": [1.0]}}, "arms.te.lambdas: the form feedback has none"),
        ({f"{ARMS}/penalty": {"form": "penalty"}}, "arms.penalty: missing parameter lambdas"),
        ({f"{ARMS}/penalty": {"form": "penalty", "lambdas": [-0.1]}}, "expected a positive number"),
        ({f"{ARMS}/x": {"form": "penality", "lambdas": [0.1]}}, "got 'penality', choose one of none"),
        ({f"{ARMS}/smoothing": {"form": "smoothing", "lambdas": [1.0]}}, "expected shares below 1"),
        ({f"{ARMS}/many": {"replicates": 10**12}}, "arms.many.replicates are at least 1,000,000,000,000 runs"),
        ({f"{ARMS}/deep": {"blocks": 5}}, "arms.deep.blocks: 5 blocks leave no pixel of 32 x 32"),
        ({"rivals/window": 100}, "rivals.window: 100 images, expected whole batches, a multiple of 32"),
        ({"rivals/smoothing": 1.5}, "rivals.smoothing: expected shares below 1"),
        ({"rivals/penalty": "much"}, "rivals.penalty: expected null or a positive number or a list"),
        ({"rivals/bottleneck": 0}, "rivals.bottleneck: expected"),
        ({"rivals/windows": 3}, "unknown parameter windows"),
    ],
)
def test_mistakes_are_said_with_their_place(changed, changes, message):
    with pytest.raises(UserError) as raised:
        changed(changes)
    assert message in str(raised.value) and len(str(raised.value).splitlines()) <= 3


def test_a_scale_may_lack_a_family():
    assert read(load("demo", ROOT / "params.yaml"), MNIST) is None
    assert find(load("demo", ROOT / "params.yaml"), MNIST).grid == []


def test_the_paper_s_grid_has_every_form_and_ten_paired_seeds():
    settings = paper()
    by_arm = grid.arms(settings)
    smallest = [run for run in grid.grid(settings) if (run["blocks"], run["width"]) == (1, 32)]
    assert len(smallest) == 210 and len({run.key for run in grid.grid(settings)}) == 230
    assert {len({run["replicate"] for run in runs}) for runs in by_arm.values()} == {5, 10}
    for purpose in ("weights", "order", "noise"):
        assert len({run.seed(purpose) for run in smallest}) == 10
    assert {run["form"] for run in smallest} >= set(WITHOUT_LAMBDA) | {"penalty", "smoothing", "bottleneck", "shrink"}
    assert {run["lambda"] for run in by_arm["te"]} == {1.0} and {run["lambda"] for run in by_arm["unguided"]} == {0.0}


def test_a_description_says_what_its_form_uses_and_no_more():
    own = {"window", "bottleneck_width", "epsilon", "anchor"}
    used = {arm: own & runs[0].settings.keys() for arm, runs in grid.arms(paper()).items()}
    assert used["te"] == {"window"} and used["reciprocal"] == {"epsilon", "anchor"}
    assert used["bottleneck"] == used["plain-bottleneck"] == {"bottleneck_width"}
    assert used["unguided"] == used["penalty"] == used["exact"] == used["shrink"] == set()


def test_values_that_a_user_chooses_are_trained_beside_the_unguided_runs_alone(changed):
    plain = {run.key for run in grid.grid(paper())}
    one = changed({"rivals/penalty": 0.5})
    assert set(grid.arms(one)) == {"unguided", "penalty"}
    runs = grid.grid(one)
    assert {run["lambda"] for run in runs} == {0.0, 0.5} and len(runs) == 20
    assert {run.key for run in runs if run["form"] == "none"} < plain
    two = changed({"rivals/penalty": [0.244, 0.5], "rivals/smoothing": 0.1})
    assert set(grid.arms(two)) == {"unguided", "penalty", "smoothing"}
    assert sum(run.key in plain for run in grid.grid(two)) == 30


def test_lambda_replaces_that_of_entropy_guidance_and_decay_alone(changed):
    by_arm = grid.arms(changed({"lambda": 0.01}))
    assert {run["lambda"] for arm in ("reciprocal", "exact", "decay") for run in by_arm[arm]} == {0.01}
    assert by_arm["penalty"] == grid.arms(paper())["penalty"]


def test_keys_do_not_move():
    keys = {arm: runs[0].key for arm, runs in grid.arms(paper()).items()}
    assert (keys["unguided"], keys["te"], keys["penalty"]) == (
        "b094f3fbac07292c",
        "1fb72ce235ed0d36",
        "78188c22ff60356b",
    )
