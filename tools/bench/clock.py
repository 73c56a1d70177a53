"""Measures the nodes of a run: their time, their outputs and their memory."""

from __future__ import annotations

import time

from tools.bench import memory


class Clock:
    """Times each node by wrapping the executor's call of it, until `close`.

    inside: seconds spent in all nodes. by_class: seconds of each call, by node class.
    watched: None, or a list that collects (node class, outputs).
    peaks: None, or a dict that collects the largest increase of memory in GB, by node class.
    """

    def __init__(self):
        import execution

        self.inside, self.by_class, self.watched, self.peaks = 0.0, {}, None, None
        self.call, self.execution = execution.get_output_data, execution
        execution.get_output_data = self.timed

    async def timed(self, prompt_id, node_id, node, *args, **options):
        if self.peaks is not None:
            memory.forget_peak()
            before = memory.resident()[0]
        began = time.perf_counter()
        result = await self.call(prompt_id, node_id, node, *args, **options)
        seconds = time.perf_counter() - began
        kind = type(node).__name__ if not isinstance(node, type) else node.__name__
        if self.watched is not None:
            self.watched.append((kind, result[0]))
        if self.peaks is not None:
            increase = memory.resident()[1] - before
            self.peaks[kind] = max(increase, self.peaks.get(kind, 0.0))
        self.inside += seconds
        self.by_class.setdefault(kind, []).append(seconds)
        return result

    def close(self):
        """Restores the executor."""
        self.execution.get_output_data = self.call

    def reset(self):
        """Sets the times to zero."""
        self.inside, self.by_class = 0.0, {}


def canvas_sized(outputs, elements: int) -> list:
    """The tensors with at least that many elements among a node's outputs.

    outputs: one value or list of values for each output socket; None if there are none.
    """
    import torch

    values = [
        value
        for socket in outputs or []
        for value in (socket if isinstance(socket, (list, tuple)) else [socket])
    ]
    return [v for v in values if isinstance(v, torch.Tensor) and v.numel() >= elements]
