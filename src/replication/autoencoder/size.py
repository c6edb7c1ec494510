"""How large an autoencoder is; needs no torch."""

from replication.core.run import Run
from replication.core.training_size import TrainingSize
from replication.data.catalogue import Known


def size_of(run: Run, about: Known) -> TrainingSize:
    """Two dense layers; of an image the latent values and the output are kept."""
    pixels, width = about.inputs, run["width"]
    return TrainingSize(2 * pixels * width + width + pixels, width + pixels)
