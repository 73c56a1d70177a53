"""Looks over the executor's shoulder: how long each node works, what it gives out,
and how much memory it takes."""

import time

from tools.bench import memory


class Clock:
    """Times each node's own work, by wrapping the executor's call of it."""

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
        took = time.perf_counter() - began
        kind = type(node).__name__ if not isinstance(node, type) else node.__name__
        if self.watched is not None:
            self.watched.append((kind, result[0]))
        if self.peaks is not None:
            more = memory.resident()[1] - before
            self.peaks[kind] = max(more, self.peaks.get(kind, 0.0))
        self.inside += took
        self.by_class.setdefault(kind, []).append(took)
        return result

    def close(self):
        """Leave the executor as it was."""
        self.execution.get_output_data = self.call

    def reset(self):
        self.inside, self.by_class = 0.0, {}


def canvas_sized(outputs, torch, cells: int):
    """Tensors of at least so many elements among a node's outputs, which are lists of values."""
    for values in outputs or []:
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if isinstance(value, torch.Tensor) and value.numel() >= cells:
                yield value
