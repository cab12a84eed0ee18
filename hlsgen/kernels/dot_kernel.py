"""What matvec and depthwise share: sums of products with weights on chip."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

from hlsgen.graph.types import IntArray, QuantType
from hlsgen.kernels.base import Kernel, Memory, MemoryImage, RamStyle
from hlsgen.kernels.dot_array import DotArray, Mac


class DotKernel(Kernel):
    """A kernel that computes ``pe`` sums at a time, each of ``weights.shape[-1]`` products and an element of ``bias``.

    These are fields of the subclasses. ``bias``: int64, an element per sum of a pixel, in the order of the sums.
    """

    pe: int
    weights: IntArray
    bias: IntArray
    input_type: QuantType
    weight_type: QuantType
    acc_type: QuantType
    mac: Mac
    memory: RamStyle

    @property
    @abstractmethod
    def rows(self) -> IntArray:
        """The weights as each cycle takes them, int64 (cycles per pixel, pe, products per sum and cycle)."""

    def types(self) -> dict[str, QuantType]:
        return {"input_t": self.input_type, "weight_t": self.weight_type, "acc_t": self.acc_type}

    def memories(self) -> Sequence[Memory]:
        rows = self.rows.transpose(0, 2, 1)
        start = self.bias - (self.weights.shape[-1] if self.mac is Mac.XNOR else 0)
        return (
            Memory("weights", self.weight_type, rows.reshape(len(rows), -1)),
            Memory("start", self.acc_type, start.reshape(-1, self.pe)),
        )

    @cached_property
    def dot_array(self) -> DotArray:
        """The arithmetic of the SystemVerilog form."""
        rows, bias = self.rows, self.bias.reshape(-1, self.pe)
        types = self.input_type, self.weight_type, self.acc_type
        return DotArray(len(rows) // len(bias), rows, bias, *types, self.mac, self.memory)

    def rtl_memories(self) -> Sequence[MemoryImage]:
        return self.dot_array.memories()
