"""Which values share memory: reshapes are free where nothing has to move."""

from __future__ import annotations

from host_compiler.ir import Graph, Reshape

__all__ = ["Storage", "image_shape"]

Shape4 = tuple[int, int, int, int]


def image_shape(shape: tuple[int, ...]) -> Shape4 | None:
    """A shape as the accelerator's (N, C, H, W): matrices have H = W = 1; None for others."""
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
    if len(shape) == 2:
        return shape[0], shape[1], 1, 1
    return None


class Storage:
    """Groups of values.

    Values that a chain of Reshapes connects hold the same bytes in plain, row-major memory:
    `plain(v)` names their group. Where the accelerator's view of their shapes is the same too,
    they are one blocked tensor: `blocked(v)` names that group.
    """

    def __init__(self, graph: Graph) -> None:
        self._plain: dict[str, str] = {}
        self._blocked: dict[str, str] = {}
        self._reshaped: dict[str, list[str]] = {}
        for node in graph.nodes:
            if not isinstance(node, Reshape):
                continue
            source, result = node.inputs[0], node.outputs[0]
            self._plain[result] = self.plain(source)
            here = image_shape(graph.values[result].shape)
            for other in (source, *self._same_plain(source)):
                if here is not None and here == image_shape(graph.values[other].shape):
                    self._blocked[result] = self.blocked(other)
                    break
            self._reshaped.setdefault(self.plain(source), []).append(result)

    def _same_plain(self, value: str) -> list[str]:
        root = self.plain(value)
        return [root, *self._reshaped.get(root, ())]

    def plain(self, value: str) -> str:
        """The value that stands for all with the same plain memory."""
        return self._plain.get(value, value)

    def blocked(self, value: str) -> str:
        """The value that stands for all with the same blocked memory."""
        return self._blocked.get(value, value)

    def members(self, value: str) -> list[str]:
        """All values with the same plain memory."""
        return self._same_plain(value)
