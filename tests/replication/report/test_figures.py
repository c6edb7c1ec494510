"""What the figures' tables of tests say."""

import pandas as pd
from matplotlib import pyplot as plt

from replication.report import figures
from replication.statistics.t_tests import pairwise_tests


def test_the_table_of_tests_says_what_was_found():
    samples = {0.0: [9, 9, 9], 0.1: [8, 8, 8], 1.0: [1, 2, 3]}
    runs = pd.DataFrame(
        [{"width": 20, "lambda": k, "stopping_epoch": n} for k, values in samples.items() for n in values]
    )
    figure = figures.curves_and_tests(runs, pairwise_tests(samples), value="stopping_epoch", label="x", test_width=20)
    texts = [text.get_text() for text in figure.axes[1].texts]
    shaded = [patch for patch in figure.axes[1].patches if patch.get_facecolor()[2] < 0.8]  # moccasin
    plt.close(figure)
    assert sorted(texts) == ["+", "+", "no\nvariance", "no\nvariance", "\N{MINUS SIGN}", "\N{MINUS SIGN}"]
    assert len(shaded) == 4
