"""How large VGG16 and ResNet-50 with ten classes are; needs no torch."""

from replication.core.run import Run
from replication.core.training_size import TrainingSize
from replication.data.catalogue import Known

# Of torchvision's networks with ten classes: parameters, and what all convolutions give of an image of 224 pixels.
WHOLE = {"vgg16": (134_301_514, 13_547_520), "resnet50": (23_528_522, 11_113_984)}
SIDE = 224


def size_of(run: Run, about: Known) -> TrainingSize:
    """With a fraction of the channels, about its square of the parameters. SGD with momentum."""
    parameters, outputs = WHOLE[run["network"]]
    divisor = run["divisor"]
    return TrainingSize(parameters // divisor**2, outputs * about.side**2 // (SIDE**2 * divisor), moments=1)
