"""Training: which module trains which family."""

from replication.training.trainer import Trainer


def trainer(family: str) -> Trainer:
    """The trainer of a family."""
    from replication.autoencoder import train as replicas
    from replication.small_cnn import train as small_cnn
    from replication.training import large_models as single

    kinds: dict[str, Trainer] = {
        "autoencoder": replicas,
        "cnn": small_cnn,
        "inputs": replicas,
        "unet": single,
        "vgg16": single,
        "resnet50": single,
    }
    return kinds[family.partition("-")[0]]
