"""Files of trained weights that are known here by name, beside those of packages. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KerasFile:
    """An official weights file of Keras, without the dense layers."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


KERAS = {
    "vgg16": KerasFile(
        "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "resnet50": KerasFile(
        "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
}

EDGES_PART = "vgg16_hed_bsds500_notop.h5"  # of the file of vgg16-edges, VGG16's part alone
