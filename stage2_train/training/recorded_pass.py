"""A forward and backward pass as a CUDA graph, recorded once and replayed.

A pass over five modalities launches thousands of kernels, which takes the host longer than they
take the GPU. A recording is launched at once. It fixes every address: what it reads is copied to
where the recorded pass read it, and its results lie where the last ones lay.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn

from stage2_train.stream.join import MiniBatch
from stage2_train.training.step import StepLoss

WARM_UP = 3
"""Passes before one is recorded, in which kernels are compiled and libraries opened."""


def cuda_graph(run: Callable[[], None]) -> Callable[[], None]:
    """Record what `run` does on the GPU; calling the result does it again.

    Other threads may go on using the GPU meanwhile.
    """
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    with _undone(pool), torch.cuda.graph(graph, pool, capture_error_mode="thread_local"):
        run()
    return graph.replay


@contextmanager
def _undone(pool: tuple[int, int]) -> Iterator[None]:
    """End what a recording that fails leaves begun, up to torch 2.11 (pytorch/pytorch#180395).

    Its stream would stay the current one. The allocator would go on as in a recording, in which
    memory that two streams used, as they do every mini-batch's, is never free again.
    """
    device = torch.cuda.current_device()
    with torch.cuda.stream(torch.cuda.current_stream()):
        try:
            yield
        except RuntimeError:
            with suppress(RuntimeError):  # it was ended, and the graph gives its pool back
                torch.cuda.memory._cuda_endAllocateToPool(device, pool)
                torch.cuda.memory._cuda_releasePool(device, pool)
            raise


class RecordedPass:
    """A pass that is recorded as soon as its mini-batches have kept their shapes for a while.

    Where that fails, passes go on as they did and a line says so.

    Args:
        run: of mini-batches: adds to the gradients. It must not wait for the GPU, nor depend on
            anything but the mini-batches' tensors.
        parameters: whose gradients a call leaves behind, and no earlier ones.
        record: see `cuda_graph`.
    """

    def __init__(
        self,
        run: Callable[[list[MiniBatch]], StepLoss],
        parameters: Sequence[nn.Parameter],
        record: Callable[[Callable[[], None]], Callable[[], None]] = cuda_graph,
    ) -> None:
        self._run, self._parameters, self._record = run, parameters, record
        self._shapes: list[torch.Size] = []
        self._passes = 0
        self._held: list[MiniBatch] = []
        self._loss: StepLoss | None = None
        self._replay: Callable[[], None] | None = None

    def __call__(self, batches: list[MiniBatch]) -> StepLoss:
        """Loss and gradients; the next call overwrites them."""
        shapes = [tensor.shape for tensor in _tensors(batches)]
        if shapes != self._shapes:
            self._shapes, self._passes, self._replay = shapes, 0, None
        self._passes += 1
        if self._passes == WARM_UP + 1:
            self._try_to_record(batches)
        if self._replay is None:
            self._clear()
            return self._run(batches)
        for held, given in zip(_tensors(self._held), _tensors(batches)):
            held.copy_(given)
        self._replay()
        assert self._loss is not None
        return self._loss

    def _try_to_record(self, batches: list[MiniBatch]) -> None:
        self._held = [batch.mapped(Tensor.clone) for batch in batches]
        self._clear()
        try:
            self._replay = self._record(self._run_held)
        except RuntimeError as error:
            self._held = []
            reason = str(error).strip().partition("\n")[0]
            print(f"the step could not be recorded as a CUDA graph and runs without: {reason}")

    def _run_held(self) -> None:
        self._loss = self._run(self._held)

    def _clear(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def _tensors(batches: Sequence[MiniBatch]) -> list[Tensor]:
    return [tensor for batch in batches for tensor in batch.tensors]
