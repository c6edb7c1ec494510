"""What the library does where torch is the only package: guidance, entropy changes and selection; run as a script."""

import importlib.util
import math

import torch
from torch import nn

from entropy_guidance import (
    EntropyGuidance,
    __version__,
    conv_entropy_change,
    dense_entropy_change,
    exact_conv_entropy_change,
    exact_dense_entropy_change,
    penalty,
    selection,
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 4)

    def forward(self, x):
        y = self.stem(x)
        return self.head((y + self.block(y)).mean((2, 3)))


def main():
    torch.manual_seed(0)
    model, x = Net(), torch.randn(2, 3, 8, 8)
    assert selection.by_role(model, "pre-skip", x) == ["stem"]
    assert selection.by_order(model, [2]) == ["block"] and selection.by_name(model, "he*") == ["head"]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for form in ("log", "reciprocal", "exact"):
        guidance = EntropyGuidance(
            model, {"stem": 1e-3, "head": 1e-3}, form=form, epsilon=1e-2, image_size=(8, 8) if form == "exact" else None
        )
        before = guidance().item()
        optimizer.zero_grad()
        (model(x).square().mean() + guidance()).backward()
        optimizer.step()
        assert math.isfinite(before) and model.head.weight.grad.any()
    matrix = torch.diag(torch.tensor([2.0, 3.0]))
    assert math.isclose(dense_entropy_change(matrix).exp().item(), 6, rel_tol=1e-6)
    assert math.isclose(exact_dense_entropy_change(torch.tensor([[3.0, 4.0]])).exp().item(), 5, rel_tol=1e-6)
    kernel = matrix[:, :, None, None]
    assert math.isclose(exact_conv_entropy_change(kernel, (2, 2)).item(), 4 * math.log(6), rel_tol=1e-6)
    assert math.isclose(penalty(conv_entropy_change(kernel), 1.0, form="log")[0, 0].item(), -math.log(2), rel_tol=1e-6)

    if importlib.util.find_spec("pandas") is None:
        for look in ("from entropy_guidance import profile", "selection.describe(model)"):
            try:
                exec(look, {"selection": selection, "model": model})
            except ImportError as error:
                assert "pip install 'entropy-guidance[profile]'" in str(error), error
            else:
                raise AssertionError(f"{look} ran without pandas")
    print(f"entropy_guidance {__version__} runs with torch {torch.__version__} alone")


if __name__ == "__main__":
    main()
