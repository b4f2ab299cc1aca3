"""CUDA graphs for functions that are called many times with tensors of the same shapes."""

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[..., Tensor]
_WARM_UP = 3  # calls before a graph is recorded, as PyTorch's documentation recommends


def replayed(function: Step, *inputs: Tensor) -> Step:
    """Returns a function with the results of `function` that replays its kernels on a GPU.

    The host launches a replay at once. Kernels and their order are the same, so results are bit for
    bit the same. A call overwrites the result of the last one. On a CPU `function` is returned.

    Args:
        function: takes tensors, needs no gradients, and does not wait for the device.
        inputs: examples with the shapes and types of all calls.
    """
    device = inputs[0].device
    if device.type != "cuda":
        return function
    fixed = [x.clone() for x in inputs]
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            function(*fixed)
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function(*fixed)

    def replay(*inputs: Tensor) -> Tensor:
        for own, x in zip(fixed, inputs, strict=True):
            own.copy_(x)
        graph.replay()
        return result

    return replay
