"""Train one image classifier in a plain loop: for the demo's small network, a few seconds."""

from collections.abc import Iterator

import torch
from torch import nn

from replication.data.images import ImageSet


def train(model: nn.Module, images: ImageSet, *, epochs: int, batch_size: int, seed: int) -> Iterator[float]:
    """Train with Adam (learning rate 0.001) and cross-entropy; yields the validation accuracy after each epoch."""
    optimizer = torch.optim.Adam(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(images.train_images), generator=generator).split(batch_size):
            optimizer.zero_grad()
            scores = model(images.train_images[batch].float() / 255)
            nn.functional.cross_entropy(scores, images.train_labels[batch].long()).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            predicted = model(images.validation_images.float() / 255).argmax(dim=1)
        yield (predicted == images.validation_labels).float().mean().item()
