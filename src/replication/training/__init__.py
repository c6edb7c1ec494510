"""Training: which module trains which family."""

from replication.training.trainers import Trainer


def trainer(family: str) -> Trainer:
    """The trainer of a family."""
    from replication.training import replicas, single, small_cnn

    kinds: dict[str, Trainer] = {
        "autoencoder": replicas,
        "cnn": small_cnn,
        "inputs": replicas,
        "unet": single,
        "vgg16": single,
        "resnet50": single,
    }
    return kinds[family.partition("-")[0]]
