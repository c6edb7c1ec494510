import pytest
import torch
from torch import nn

from replication.data.images import ImageSet
from replication.profiles import small_vgg_training as classifier


class Watched(nn.Module):
    """Remembers whether it was called in training mode."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        return self.net(x)


def draw(count, generator):
    """Noise with labels: guesses are wrong in every way."""
    labels = torch.randint(0, 4, (count,), generator=generator, dtype=torch.uint8)
    return torch.randint(0, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8), labels


def test_equals_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    images = ImageSet(*draw(50, generator), *draw(20, generator))
    torch.manual_seed(1)
    model, plain = Watched(), nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    plain.load_state_dict(model.net.state_dict())
    found = list(classifier.train(model, images, epochs=3, batch_size=16, seed=7))

    optimizer, order, expected = torch.optim.Adam(plain.parameters()), torch.Generator().manual_seed(7), []
    for _ in range(3):
        for batch in torch.randperm(50, generator=order).split(16):
            scores = plain(images.train_images[batch] / 255)
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores, images.train_labels[batch].long()).backward()
            optimizer.step()
        guessed = plain(images.validation_images / 255).argmax(1)
        expected.append((guessed == images.validation_labels).double().mean().item())
    assert found == pytest.approx(expected)
    for a, b in zip(model.net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert model.modes == [True, True, True, True, False] * 3
