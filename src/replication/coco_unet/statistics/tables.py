"""Table 3 as the report prints it, beside ours, and every run against the unguided one."""

import pandas as pd


def beside_published(ours: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """A row a lambda.

    Args:
        ours: one run a lambda, as from `claims.scores`.
        printed: table3.csv.
    """
    own, theirs = ours.set_index("lambda"), printed.set_index("lambda")
    rows = []
    for lambda_ in sorted({*theirs.index, *own.index}):
        line: dict[str, float | str] = {"lambda": lambda_}
        if lambda_ in theirs.index:
            row = theirs.loc[lambda_]
            line |= {
                "epochs, published": row["epochs"],
                "seconds per epoch, published": row["training_seconds"] / row["epochs"],
                "accuracy, published": row["accuracy"],
                "IoU, published": row["iou"],
            }
        if lambda_ in own.index:
            line |= _own(own.loc[lambda_])
        rows.append(line)
    return pd.DataFrame(rows)


def _own(run: pd.Series) -> dict[str, float | str]:
    return {
        "epochs": run["stopping_epoch"],
        "ended by": "early stopping" if run["stopped_early"] else "epoch limit",
        "seconds per epoch": run["seconds_per_epoch"],
        "accuracy": run["accuracy"],
        "accuracy, 95 %": f"{run['accuracy_low']:.3f} to {run['accuracy_high']:.3f}",
        "IoU": run["iou"],
        "IoU, 95 %": f"{run['iou_low']:.3f} to {run['iou_high']:.3f}",
        "image IoU": run["image_iou"],
    }


def gains(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a run. `scores` as from `claims.scores`, with the unguided run of seed 0 among them."""
    base = scores[(scores["lambda"] == 0) & (scores["replicate"] == 0)].iloc[0]
    return pd.DataFrame(
        [
            {
                "layers": run["placement"],
                "lambda": run["lambda"],
                "watched": run["monitor"],
                "seed": run["replicate"],
                "epochs": run["stopping_epoch"],
                "times the unguided": run["stopping_epoch"] / base["stopping_epoch"],
                "best epoch": run["best_epoch"],
                "validation MSE": run["validation_loss"],
                "accuracy gain": run["accuracy_gain"],
                "accuracy gain, equal epochs": run["accuracy_gain_equal_epochs"],
                "accuracy gain, 95 %": f"{run['accuracy_gain_low']:.3f} to {run['accuracy_gain_high']:.3f}",
                "IoU gain": run["iou_gain"],
                "IoU gain, 95 %": f"{run['iou_gain_low']:.3f} to {run['iou_gain_high']:.3f}",
                "images per second": run["images_per_second"],
            }
            for _, run in scores.sort_values(["placement", "monitor", "lambda", "replicate"]).iterrows()
        ]
    )
