"""A step as a CUDA graph. Only a GPU tests this module: elsewhere tests put a plain call in the place of `Replay`."""

from collections.abc import Callable

import torch

EAGER_STEPS = 3  # before a graph is captured: libraries choose kernels and workspaces in them


class Replay:
    """Makes a step by one launch instead of operation by operation, from the fourth time on.

    The step reads no number, and works on tensors that stay where they are.
    """

    def __init__(self) -> None:
        self.side = torch.cuda.Stream()  # for capturing and the steps before it: memory stays with a stream
        self.forget()

    def forget(self) -> None:
        """Capture anew: the tensors are others now."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.eager_steps = EAGER_STEPS

    def __call__(self, step: Callable[[], None], *, before_capture: Callable[[], None]) -> None:
        """Args: before_capture: frees what the step makes anew, gradients above all."""
        if self.graph is not None:
            self.graph.replay()
        elif self.eager_steps:
            self.eager_steps -= 1
            self.side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.side):
                step()
            torch.cuda.current_stream().wait_stream(self.side)
        else:
            before_capture()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=self.side):
                step()
            self.graph.replay()  # capturing has run nothing yet
