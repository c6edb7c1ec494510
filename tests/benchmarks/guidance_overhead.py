"""What guidance adds to a training step of ResNet-50: `python tests/benchmarks/guidance_overhead.py`.

Steps with and without guidance alternate, so that both meet the same load of the machine; the table gives medians and
the median of the paired ratios.
"""

import argparse
import platform
import time

import numpy as np
import torch
from torchvision.models import resnet50

from entropy_guidance import EntropyGuidance, selection
from replication.core.run import Run
from replication.training.trainer import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    prepare(device, Run("resnet50", {"precision": "float32"}))
    torch.manual_seed(0)
    model = resnet50(num_classes=10).to(device)
    convolutions = selection.convolutions(model)
    images = torch.randn(options.batch, 3, options.size, options.size, device=device)
    labels = torch.randint(0, 10, (options.batch,), device=device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    guidances = {
        "none": None,
        "first convolution": EntropyGuidance(model, {convolutions[0]: 1e-3}, form="reciprocal"),
        f"all {len(convolutions)} convolutions": EntropyGuidance(
            model, dict.fromkeys(convolutions, 1e-6), form="reciprocal"
        ),
    }

    def step(guidance: EntropyGuidance | None) -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        if guidance is not None:
            loss = loss + guidance()
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for guidance in guidances.values():
        step(guidance)
    seconds = np.array([[step(guidance) for guidance in guidances.values()] for _ in range(options.repeats)])
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()} CPU"
    print(
        f"ResNet-50, batch {options.batch}, {options.size} px, SGD, float32, n = {options.repeats} alternating steps;"
    )
    print(f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| guidance | seconds a step | ratio |\n|---|---|---|")
    for column, guided in enumerate(guidances):
        ratio = np.median(seconds[:, column] / seconds[:, 0])
        print(f"| {guided} | {np.median(seconds[:, column]):.3f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
