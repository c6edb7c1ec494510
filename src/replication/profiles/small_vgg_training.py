"""Train one image classifier in a plain loop: for the demo's small network, a few seconds."""

from collections.abc import Iterator

import torch
from torch import nn

from replication.data.images import ImageSet
from replication.training.fused_adam import FusedAdam


def train(model: nn.Module, images: ImageSet, *, epochs: int, batch_size: int, seed: int) -> Iterator[float]:
    """Train with Adam (learning rate 0.001) and cross-entropy; yields the validation accuracy after each epoch."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)  # and stays there, as FusedAdam needs it
    adam = FusedAdam(list(model.parameters()), lr=0.001, eps=1e-8)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(images.train_images), generator=generator).split(batch_size):
            model.zero_grad(set_to_none=False)
            scores = model(images.train_images[batch].float() / 255)
            nn.functional.cross_entropy(scores, images.train_labels[batch].long()).backward()
            adam.step()
        model.eval()
        with torch.no_grad():
            predicted = model(images.validation_images.float() / 255).argmax(dim=1)
        yield (predicted == images.validation_labels).float().mean().item()
