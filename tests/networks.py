"""Random quantized networks as ONNX files, in the three forms, for tests that must hold for every network.

``random_network(seed)`` draws a form and builds a small network; ``Coverage`` counts what was drawn, so that a test can
insist that every operator and every awkward case has occurred.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
FORMS = ("qdq", "qoperator", "qonnx")
QUANTIZED_DOMAIN = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Activation:
    """A tensor under construction. ``name``: the float tensor (qdq, qonnx) or the integers (qoperator)."""

    name: str
    shape: tuple[int, ...]  # without the batch axis: (C, H, W), (C, W) or (K,)
    scale: float
    zero_point: int
    dtype: str  # "int8", "uint8", ..., or QONNX's bits as "s4", "u8", "bipolar"
    spread: float  # typical magnitude of the real values

    @property
    def channels(self) -> int:
        return self.shape[0]


@dataclass
class Coverage:
    """What has been drawn, by name."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, *names: str) -> None:
        self.counts.update(names)


class NetworkBuilder:
    """Grows one network node by node. All randomness comes from ``rng``."""

    def __init__(self, rng: np.random.Generator, form: str, coverage: Coverage) -> None:
        self.rng, self.form, self.coverage = rng, form, coverage
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._count = 0
        self.power_of_two = bool(rng.random() < 0.25)
        self.dtype = str(rng.choice(["int8", "uint8"]))
        coverage.note(form, "power-of-two scales" if self.power_of_two else "free scales")

    # ---- small things -----------------------------------------------------------------------------------------------

    def fresh(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"

    def constant(self, stem: str, array: Any) -> str:
        name = self.fresh(stem)
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op_type: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        output = self.fresh(op_type.lower())
        self.nodes.append(
            helper.make_node(op_type, inputs, [output], name=self.fresh("node"), domain=domain, **attributes)
        )
        self.coverage.note(op_type)
        return output

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def choose(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def step(self, value: float) -> float:
        """A scale near ``value``: float32, a power of two when the network has such scales."""
        value = max(value, 1e-6)
        return (
            float(2.0 ** np.round(np.log2(value)))
            if self.power_of_two
            else float(np.float32(value * self.rng.uniform(0.7, 1.4)))
        )

    # ---- quantizers -------------------------------------------------------------------------------------------------

    def zero_point_for(self, dtype: str, positive: bool) -> int:
        lo, hi = (-128, 127) if dtype == "int8" else (0, 255)
        if self.chance(0.3):
            return 0 if dtype == "int8" else 128
        if positive:
            return lo
        self.coverage.note("free zero point")
        return int(self.rng.integers(lo + 60, hi - 60))

    def quantize(self, real: str, shape: tuple[int, ...], spread: float, positive: bool = False) -> Activation:
        """Close an island: float tensor ``real`` with values of magnitude ``spread`` becomes an activation."""
        if self.form == "qonnx":
            return self._quant(real, shape, spread, positive)
        dtype = self.dtype
        wide = self.chance(0.06)
        if wide:
            dtype, zero = "int16", 0
            scale = self.step(spread / 9000)
            self.coverage.note("16-bit activation")
        else:
            scale, zero = self.step(spread * self.choose(3.5, 3.5, 1.2) / 128), self.zero_point_for(dtype, positive)
            self.coverage.note("saturation")
        operands = [self.constant("scale", np.float32(scale)), self.constant("zero_point", np.array(zero, dtype))]
        domain = "com.microsoft" if wide else ""
        integers = self.node("QuantizeLinear", [real, *operands], domain)
        if not wide and self.chance(0.08):
            lo, hi = (-8, 7) if dtype == "int8" else (0, 15)
            lo, hi = (lo + zero, hi + zero) if dtype == "int8" else (lo, hi)
            bounds = [
                self.constant("bound", np.array(np.clip(b, *((-128, 127) if dtype == "int8" else (0, 255))), dtype))
                for b in (lo, hi)
            ]
            integers = self.node("Clip", [integers, *bounds])
            self.coverage.note("integer Clip")
        return Activation(
            self.node("DequantizeLinear", [integers, *operands], domain), shape, scale, zero, dtype, spread
        )

    def _quant(self, real: str, shape: tuple[int, ...], spread: float, positive: bool) -> Activation:
        if self.chance(0.1):
            scale = self.step(1.0)
            name = self.node("BipolarQuant", [real, self.constant("scale", np.float32(scale))], QUANTIZED_DOMAIN)
            return Activation(name, shape, scale, 0, "bipolar", scale)
        bits = int(self.choose(2, 3, 4, 4, 6, 8, 8))
        signed = not positive or self.chance(0.3)
        scale = self.step(spread * 3 / 2 ** (bits - signed))
        zero = 0 if self.chance(0.7) else int(self.rng.integers(0, 2 ** (bits - 1)))
        mode = str(self.choose("ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "HALF_UP", "HALF_DOWN", "UP", "DOWN"))
        self.coverage.note(f"rounding {mode}", *(["odd zero point inside the rounding"] if zero % 2 else []))
        operands = [np.float32(scale), np.float32(zero), np.float32(bits)]
        name = self.node(
            "Quant",
            [real, *(self.constant("q", o) for o in operands)],
            QUANTIZED_DOMAIN,
            signed=int(signed),
            narrow=int(self.chance(0.3)),
            rounding_mode=mode,
        )
        return Activation(name, shape, scale, zero, f"{'s' if signed else 'u'}{bits}", spread)

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[list[str], Array, float]:
        """Quantized weights as operand names (x, scale, zero point), their scales and typical magnitude."""
        per_channel = self.chance(0.7)
        count = shape[axis] if per_channel else 1
        bits = int(self.choose(2, 4, 8, 8)) if self.form == "qonnx" else 8
        scale = np.array([self.step(0.02) for _ in range(count)], np.float32)
        if self.power_of_two:
            scale[:] = scale[0]
        broadcast = [-1 if i == axis and per_channel else 1 for i in range(len(shape))]
        if self.form == "qonnx":
            if self.chance(0.2):
                name = self.constant("weight", self.rng.normal(size=shape).astype(np.float32))
                out = self.node("BipolarQuant", [name, self.constant("scale", np.float32(scale[0]))], QUANTIZED_DOMAIN)
                self.coverage.note("bipolar weights")
                return [out], scale[:1], float(scale[0])
            real = (self.rng.normal(size=shape) * 2 ** (bits - 2)).astype(np.float32) * scale.reshape(broadcast)
            operands = [scale.reshape(broadcast), np.zeros(1, np.float32), np.float32(bits)]
            out = self.node(
                "Quant",
                [self.constant("weight", real.astype(np.float32)), *(self.constant("q", o) for o in operands)],
                QUANTIZED_DOMAIN,
                signed=1,
                narrow=int(self.chance(0.5)),
                rounding_mode="ROUND",
            )
            return [out], scale, float(scale.mean()) * 2 ** (bits - 2)
        dtype = "uint8" if self.dtype == "uint8" and self.chance(0.2) else "int8"
        integers = np.clip(np.rint(self.rng.normal(size=shape) * 40), -128, 127).astype(np.int64)
        if self.chance(0.5):
            integers.ravel()[int(self.rng.integers(integers.size))] = -128
            self.coverage.note("weight -128")
        zero = 128 if dtype == "uint8" else 0
        if dtype == "int8" and self.chance(0.1) and not per_channel:
            zero = int(self.rng.integers(-20, 20))
        if zero:
            self.coverage.note("weight zero point")
        zeros = np.full(scale.shape, zero)
        integers = np.clip(integers + zero, *((0, 255) if dtype == "uint8" else (-128, 127)))
        if not per_channel:
            scale, zeros = scale.reshape(()), zeros.reshape(())
        names = [
            self.constant("weight", integers.astype(dtype)),
            self.constant("scale", scale),
            self.constant("zero_point", zeros.astype(dtype)),
        ]
        if self.form == "qdq":
            axes: dict[str, Any] = {"axis": axis} if per_channel else {}
            names = [self.node("DequantizeLinear", names, **axes)]
        return names, np.atleast_1d(scale), float(np.mean(scale)) * 40

    def bias(self, outputs: int, product: Array, spread: float) -> tuple[list[str], str]:
        """An optional bias: operand names and its kind (none, int32, float)."""
        if self.chance(0.25):
            return [], "none"
        values = self.rng.normal(size=outputs) * spread
        if self.form == "qoperator" or (self.form == "qdq" and self.chance(0.6)):
            integers = np.clip(np.rint(values / product), -(2**20), 2**20).astype(np.int32)
            name = self.constant("bias", np.broadcast_to(integers, outputs).copy())
            if self.form == "qoperator":
                return [name], "int32"
            scale = product.astype(np.float32)
            zero = self.constant("zero_point", np.zeros(scale.shape if scale.size > 1 else (), np.int32))
            scale_name = self.constant("scale", scale if scale.size > 1 else scale.reshape(()))
            axes: dict[str, Any] = {"axis": 0} if scale.size > 1 else {}
            return [self.node("DequantizeLinear", [name, scale_name, zero], **axes)], "int32"
        self.coverage.note("float bias")
        return [self.constant("bias", values.astype(np.float32))], "float"

    # ---- layers -----------------------------------------------------------------------------------------------------

    def conv(self, x: Activation) -> tuple[str, tuple[int, ...], float] | Activation:
        """Conv on (C, H, W) or (C, W): the open island, or the closed activation in QOperator form."""
        rank = len(x.shape) - 1
        groups = int(self.choose(1, 1, 1, x.channels, *([2] if x.channels % 2 == 0 else [])))
        multiplier = int(self.choose(1, 1, 2)) if groups == x.channels else 0
        outputs = x.channels * multiplier if multiplier else groups * int(self.rng.integers(1, 5))
        kernel = [int(min(self.choose(1, 2, 3, 3), size + 1)) for size in x.shape[1:]]
        strides = [int(self.choose(1, 1, 2))] * rank
        dilations = [
            2 if k > 1 and size >= 5 and self.chance(0.15) else 1 for k, size in zip(kernel, x.shape[1:], strict=True)
        ]
        pads = [int(self.rng.integers(0, k)) for k in kernel * 2]
        attributes: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": strides,
            "group": groups,
            "dilations": dilations,
            "pads": pads,
        }
        if self.chance(0.2) and max(dilations) == 1:
            attributes.pop("pads")
            attributes["auto_pad"] = self.choose("SAME_UPPER", "SAME_LOWER")
            shape = [-(-size // s) for size, s in zip(x.shape[1:], strides, strict=True)]
            self.coverage.note("auto_pad")
        else:
            shape = [
                (size + pads[i] + pads[i + rank] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
                for i, size in enumerate(x.shape[1:])
            ]
            if any(s > 1 for s in strides) and pads[:rank] != pads[rank:]:
                self.coverage.note("stride 2 with asymmetric padding")
        if min(shape) < 1:
            return self.conv(x)
        if x.dtype == "bipolar" and any(attributes.get("pads", [1])):
            self.coverage.note("padded bipolar input")
        if multiplier:
            self.coverage.note("depthwise" if multiplier == 1 else "channel multiplier")
        else:
            self.coverage.note("groups" if groups > 1 else "dense convolution")
        self.coverage.note(*(["dilation"] if max(dilations) > 1 else []), *(["1-D"] if rank == 1 else []))
        weight, w_scale, w_spread = self.weights((outputs, x.channels // groups, *kernel), 0)
        taps = int(np.prod(kernel)) * x.channels // groups
        spread = x.spread * w_spread * taps**0.5
        product = (np.float32(x.scale) * w_scale).astype(np.float32)
        bias, _ = self.bias(outputs, product, spread * 0.3)
        if self.form == "qoperator":
            return self._qlinear("QLinearConv", x, weight, bias, (outputs, *shape), spread, attributes)
        return self.node("Conv", [x.name, *weight, *bias], **attributes), (outputs, *shape), spread

    def dense(self, x: Activation) -> tuple[str, tuple[int, ...], float] | Activation:
        """Gemm or MatMul on (K,)."""
        inputs, outputs = x.shape[-1], int(self.rng.integers(2, 9))
        spread = x.spread * inputs**0.5  # times that of the weights
        transposed = self.form != "qoperator" and self.chance(0.5)
        if transposed:
            weight, w_scale, w_spread = self.weights((outputs, inputs), 0)
            product = (np.float32(x.scale) * w_scale).astype(np.float32)
            bias, _ = self.bias(outputs, product, spread * w_spread * 0.3)
            return self.node("Gemm", [x.name, *weight, *bias], transB=1), (outputs,), spread * w_spread
        weight, _, w_spread = self.weights((inputs, outputs), 1)
        if self.form == "qoperator":
            return self._qlinear("QLinearMatMul", x, weight, [], (outputs,), spread * w_spread, {})
        return self.node("MatMul", [x.name, *weight]), (outputs,), spread * w_spread

    def _operands(self, x: Activation) -> list[str]:
        return [
            x.name,
            self.constant("scale", np.float32(x.scale)),
            self.constant("zero_point", np.array(x.zero_point, x.dtype)),
        ]

    def _qlinear(
        self,
        op_type: str,
        x: Activation,
        weight: list[str],
        bias: list[str],
        shape: tuple[int, ...],
        spread: float,
        attributes: dict[str, Any],
    ) -> Activation:
        y = self._result(shape, spread)
        name = self.node(op_type, [*self._operands(x), *weight, *self._operands(y)[1:], *bias], **attributes)
        return Activation(name, shape, y.scale, y.zero_point, y.dtype, spread)

    def _result(self, shape: tuple[int, ...], spread: float) -> Activation:
        scale = self.step(spread * float(self.choose(3.5, 3.5, 1.2)) / 128)
        return Activation("", shape, scale, self.zero_point_for(self.dtype, False), self.dtype, spread)

    def activation(
        self, real: str, spread: float, channels: int, rank: int, accumulator: bool
    ) -> tuple[str, float, bool]:
        """Elementwise operators between a layer and its quantizer: (tensor, magnitude, whether non-negative)."""
        shape = (1, channels) + (1,) * rank
        if self.chance(0.3):
            gamma = self.rng.normal(size=channels).astype(np.float32)
            self.coverage.note("negative gamma")
            operands = [
                gamma,
                self.rng.normal(size=channels) * spread * 0.2,
                self.rng.normal(size=channels) * spread * 0.2,
                self.rng.uniform(0.5, 2, channels),
            ]
            real = self.node(
                "BatchNormalization", [real, *(self.constant("bn", np.asarray(o, np.float32)) for o in operands)]
            )
        if self.chance(0.2):
            op_type = str(self.choose("Mul", "Add", "Sub", "Div"))
            values = self.rng.uniform(0.5, 1.5, shape).astype(np.float32) * (spread if op_type in ("Add", "Sub") else 1)
            values = values if self.chance(0.5) else values.ravel()[0].reshape(())
            real = self.node(op_type, [real, self.constant("operand", np.asarray(values, np.float32))])
        kind = self.choose(
            "none", "Relu", "Relu", "Clip", *([] if accumulator else ["Sigmoid", "Tanh", "LeakyRelu", "HardSwish"])
        )
        if kind == "Relu":
            return self.node("Relu", [real]), spread, True
        if kind == "Clip":
            return (
                self.node(
                    "Clip",
                    [real, self.constant("lower", np.float32(0)), self.constant("upper", np.float32(2 * spread))],
                ),
                spread,
                True,
            )
        if kind in ("Sigmoid", "Tanh"):
            return self.node(kind, [real]), 0.5, kind == "Sigmoid"
        if kind in ("LeakyRelu", "HardSwish"):
            return self.node(kind, [real]), spread, False
        return real, spread, False

    def layer(self, x: Activation) -> Activation:
        """A convolution or dense layer, closed by a quantizer."""
        opened = self.conv(x) if len(x.shape) > 1 else self.dense(x)
        if isinstance(opened, Activation):
            return opened
        real, shape, spread = opened
        real, spread, positive = self.activation(real, spread, shape[0], len(shape) - 1, True)
        if len(shape) > 1 and min(shape[1:]) > 1 and self.chance(0.15):
            self.coverage.note("maximum before the quantizer")
            real = self.node("MaxPool", [real], kernel_shape=[2] * (len(shape) - 1))
            shape = (shape[0], *(size - 1 for size in shape[1:]))
        return self.quantize(real, shape, spread, positive)

    def table(self, x: Activation) -> Activation:
        """A unary function between two quantizers."""
        if self.form == "qoperator":
            y = Activation(
                "", x.shape, self.step(x.spread * 3 / 128), self.zero_point_for(self.dtype, False), self.dtype, x.spread
            )
            name = self.node(
                "QLinearLeakyRelu", [*self._operands(x), *self._operands(y)[1:]], "com.microsoft", alpha=0.1
            )
            return Activation(name, x.shape, y.scale, y.zero_point, y.dtype, x.spread)
        real, spread, positive = self.activation(x.name, x.spread, x.channels, len(x.shape) - 1, x.dtype == "int16")
        return self.quantize(real, x.shape, spread, positive)

    def pool(self, x: Activation) -> Activation:
        """MaxPool, AveragePool or a global mean."""
        rank = len(x.shape) - 1
        kind = self.choose("MaxPool", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean")
        if self.form == "qonnx" and kind == "GlobalAveragePool":
            kind = "AveragePool"
        if kind in ("GlobalAveragePool", "ReduceMean"):
            shape = (x.channels,) + (1,) * rank
            if self.form == "qoperator":
                y = self._result(shape, x.spread)
                name = self.node(
                    "QLinearGlobalAveragePool",
                    [*self._operands(x), *self._operands(y)[1:]],
                    "com.microsoft",
                    channels_last=0,
                )
                return Activation(name, shape, y.scale, y.zero_point, y.dtype, x.spread)
            axes: dict[str, Any] = {"axes": list(range(2, rank + 2)), "keepdims": 1} if kind == "ReduceMean" else {}
            return self.quantize(self.node(kind, [x.name], **axes), shape, x.spread)
        kernel = [int(min(self.choose(2, 3), size)) for size in x.shape[1:]]
        strides = [int(self.choose(1, 2, k)) for k in kernel]
        pads = [int(self.rng.integers(0, k)) if self.chance(0.3) else 0 for k in kernel * 2]
        shape = tuple(
            (size + pads[i] + pads[i + rank] - kernel[i]) // strides[i] + 1 for i, size in enumerate(x.shape[1:])
        )
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        if kind == "MaxPool":
            name = self.node("MaxPool", [x.name], **attributes)
            return Activation(name, (x.channels, *shape), x.scale, x.zero_point, x.dtype, x.spread)
        attributes["count_include_pad"] = int(self.chance(0.5))
        if any(pads) and not attributes["count_include_pad"]:
            self.coverage.note("average without padding")
        if self.form == "qoperator":
            y = self._result((x.channels, *shape), x.spread)
            name = self.node(
                "QLinearAveragePool",
                [*self._operands(x), *self._operands(y)[1:]],
                "com.microsoft",
                channels_last=0,
                **attributes,
            )
            return Activation(name, y.shape, y.scale, y.zero_point, y.dtype, x.spread)
        return self.quantize(self.node("AveragePool", [x.name], **attributes), (x.channels, *shape), x.spread)

    def residual(self, x: Activation) -> Activation:
        """Sum of two branches: tensors, an accumulator and a tensor, or two accumulators."""
        first = self._same_shape(x)
        second = x if first.shape == x.shape and self.chance(0.6) else self._like(x, first)
        if self.form == "qoperator":
            y = self._result(first.shape, first.spread + second.spread)
            name = self.node(
                "QLinearAdd", [*self._operands(first), *self._operands(second), *self._operands(y)[1:]], "com.microsoft"
            )
            return Activation(name, y.shape, y.scale, y.zero_point, y.dtype, y.spread)
        op_type = str(self.choose("Add", "Add", "Add", "Sub"))
        operands, spread = [], 0.0
        for tensor in (first, second):
            opened = self._pointwise(tensor) if self.chance(0.3) else None
            operands.append(opened[0] if opened else tensor.name)
            spread += opened[2] if opened else tensor.spread
            self.coverage.note("accumulator operand" if opened else "tensor operand")
        real = self.node(op_type, operands)
        positive = self.chance(0.5)
        if positive:
            real = self.node("Relu", [real])
        return self.quantize(real, first.shape, spread, positive)

    def _pointwise(self, x: Activation) -> tuple[str, tuple[int, ...], float]:
        """A 1x1 convolution (or dense layer) of the same width, left open."""
        rank = len(x.shape) - 1
        shape = (x.channels, x.channels) + (1,) * rank
        if rank:
            weight, _, spread = self.weights(shape, 0)
            return (
                self.node("Conv", [x.name, *weight], kernel_shape=[1] * rank),
                x.shape,
                x.spread * spread * x.channels**0.5,
            )
        weight, _, spread = self.weights(shape, 1)
        return self.node("MatMul", [x.name, *weight]), x.shape, x.spread * spread * x.channels**0.5

    def _same_shape(self, x: Activation) -> Activation:
        if self.form == "qoperator":
            return self.table(x)
        real, shape, spread = self._pointwise(x)
        return self.quantize(real, shape, spread)

    def _like(self, x: Activation, other: Activation) -> Activation:
        return self._same_shape(x) if other.shape == x.shape else other

    def constant_sum(self, x: Activation) -> Activation:
        """Sum of a tensor and a quantized constant per channel."""
        integers = self.rng.integers(-100, 100, (1, x.channels) + (1,) * (len(x.shape) - 1))
        zero = 128 if self.dtype == "uint8" else 0
        operands = [
            self.constant("operand", (integers + zero).astype(self.dtype)),
            self.constant("scale", np.float32(x.spread / 60)),
            self.constant("zero_point", np.array(zero, self.dtype)),
        ]
        y = self._result(x.shape, x.spread * 2)
        if self.form == "qoperator":
            name = self.node("QLinearAdd", [*self._operands(x), *operands, *self._operands(y)[1:]], "com.microsoft")
            return Activation(name, x.shape, y.scale, y.zero_point, y.dtype, y.spread)
        real = self.node("Add", [x.name, self.node("DequantizeLinear", operands)])
        return self.quantize(real, x.shape, x.spread * 2)

    def concatenate(self, x: Activation) -> Activation:
        """Channels of two branches side by side."""
        other = self.table(x)
        shape = (2 * x.channels, *x.shape[1:])
        spread = max(x.spread, other.spread)
        if self.form == "qoperator":
            y = self._result(shape, spread)
            name = self.node(
                "QLinearConcat",
                [*self._operands(y)[1:], *self._operands(x), *self._operands(other)],
                "com.microsoft",
                axis=1,
            )
            return Activation(name, shape, y.scale, y.zero_point, y.dtype, spread)
        if self.form == "qonnx" and "bipolar" in (x.dtype, other.dtype):
            return other
        return self.quantize(self.node("Concat", [x.name, other.name], axis=1), shape, spread)

    def flatten(self, x: Activation) -> Activation:
        """To a vector, in one of the ways exporters do it."""
        size = int(np.prod(x.shape))
        kind = self.choose("Flatten", "Reshape", "channels last")
        name = x.name
        if kind == "channels last" and len(x.shape) == 3:
            name = self.node("Transpose", [name], perm=[0, 2, 3, 1])
        if kind == "Flatten":
            name = self.node("Flatten", [name], axis=1)
        else:
            name = self.node(
                "Reshape", [name, self.constant("shape", np.array(self.choose([1, size], [1, -1]), np.int64))]
            )
        return Activation(name, (size,), x.scale, x.zero_point, x.dtype, x.spread)

    def start(self) -> Activation:
        """The model's input and its quantizer."""
        shape: tuple[int, ...] = self.choose(
            (int(self.rng.integers(1, 5)), int(self.rng.integers(3, 9)), int(self.rng.integers(3, 9))),
            (int(self.rng.integers(1, 5)), int(self.rng.integers(3, 9)), int(self.rng.integers(3, 9))),
            (int(self.rng.integers(1, 4)), int(self.rng.integers(6, 16))),
            (int(self.rng.integers(4, 20)),),
        )
        self.input = helper.make_tensor_value_info("input", TensorProto.FLOAT, [self.choose(1, "batch"), *shape])
        if self.form != "qoperator":
            return self.quantize("input", shape, 1.0)
        x = self._result(shape, 1.0)
        operands = self._operands(x)[1:]
        return Activation(self.node("QuantizeLinear", ["input", *operands]), shape, x.scale, x.zero_point, x.dtype, 1.0)

    def finish(self, x: Activation, open_end: bool) -> onnx.ModelProto:
        """The model whose output is ``x``, or an unquantized last layer's accumulators."""
        name = x.name
        if open_end and self.form != "qoperator":
            opened = self.conv(x) if len(x.shape) > 1 else self.dense(x)
            assert not isinstance(opened, Activation)
            name = opened[0]
            self.coverage.note("accumulator output")
        elif self.form == "qoperator":
            name = self.node("DequantizeLinear", self._operands(x))
        graph = helper.make_graph(
            self.nodes,
            "random",
            [self.input],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
            self.initializers,
        )
        opsets = [
            helper.make_opsetid("", 17),
            helper.make_opsetid("com.microsoft", 1),
            helper.make_opsetid(QUANTIZED_DOMAIN, 1),
        ]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def random_network(seed: int, coverage: Coverage | None = None, form: str | None = None) -> onnx.ModelProto:
    """A small random quantized network; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    builder = NetworkBuilder(rng, form or FORMS[seed % len(FORMS)], coverage or Coverage())
    x = builder.layer(builder.start())
    for _ in range(int(rng.integers(2, 6))):
        spatial = len(x.shape) > 1 and min(x.shape[1:]) > 1
        moves = [builder.layer, builder.table, builder.residual, builder.concatenate]
        if spatial:
            moves += [builder.pool, builder.pool, builder.layer]
        if builder.form != "qonnx" and x.dtype in ("int8", "uint8"):
            moves.append(builder.constant_sum)
        if builder.form != "qoperator" and x.dtype == "bipolar":
            moves = [builder.layer]
        if len(x.shape) > 1 and builder.chance(0.2):
            x = builder.flatten(x)
            continue
        x = moves[int(rng.integers(len(moves)))](x)
        if x.channels > 24:
            break
    if len(x.shape) > 1 and builder.chance(0.5):
        x = builder.flatten(x)
    return builder.finish(builder.layer(x), builder.chance(0.3))


class Int8Network:
    """An int8 QDQ network of 3 x 32 x 32 images with random weights; ``x`` is the tensor it has got to."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.count = 0
        self.x = self._quantize("image", "input", 1 / 127, 0)

    def layer(self, outputs: int, inputs: int, kernel: int = 1, *, relu: bool = True, **attributes: Any) -> None:
        """A convolution (``inputs`` per group) with a quantized result; a dense layer where ``kernel`` is 0."""
        name = f"layer{self.count}"
        self.count += 1
        shape = (outputs, inputs, kernel, kernel) if kernel else (outputs, inputs)
        weight = np.clip(np.rint(self.rng.normal(size=shape) * 40), -127, 127).astype(np.int8)
        scales = self.rng.uniform(0.01, 0.02, outputs).astype(np.float32) / np.float32(np.prod(shape[1:]) ** 0.5)
        operands = [self._const(f"{name}_w", weight), self._const(f"{name}_ws", scales)]
        operands.append(self._const(f"{name}_wz", np.zeros(outputs, np.int8)))
        self.nodes.append(helper.make_node("DequantizeLinear", operands, [f"{name}_wdq"], axis=0))
        options = {"transB": 1} if not kernel else {"pads": [kernel // 2] * 4}
        op_type = "Conv" if kernel else "Gemm"
        self.nodes.append(
            helper.make_node(op_type, [self.x, f"{name}_wdq"], [name], name=name, **options, **attributes)
        )
        if relu:
            self.nodes.append(helper.make_node("Relu", [name], [f"{name}_relu"]))
        self.x = self._quantize(f"{name}_relu" if relu else name, name, 0.013, -128 if relu else 3)

    def add(self, other: str) -> None:
        """The sum with the tensor ``other``, rectified."""
        name = f"sum{self.count}"
        self.nodes.append(helper.make_node("Add", [other, self.x], [name], name=f"{name}_add"))
        self.nodes.append(helper.make_node("Relu", [name], [f"{name}_relu"]))
        self.x = self._quantize(f"{name}_relu", f"{name}_result", 0.021, -128)

    def classify(self, channels: int) -> onnx.ModelProto:
        """Global average, a dense layer to 10 classes, and the finished model."""
        self.nodes.append(helper.make_node("GlobalAveragePool", [self.x], ["mean"], name="mean"))
        self.x = self._quantize("mean", "average", 0.008, -128)
        self.nodes.append(helper.make_node("Flatten", [self.x], ["vector"]))
        self.x = "vector"
        self.layer(10, channels, 0, relu=False)
        graph = helper.make_graph(
            self.nodes,
            "int8_network",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])],
            [helper.make_tensor_value_info(self.x, TensorProto.FLOAT, [1, 10])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)

    def _const(self, name: str, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _quantize(self, x: str, name: str, scale: float, zero: int) -> str:
        operands = [self._const(f"{name}_scale", np.float32(scale)), self._const(f"{name}_zero", np.int8(zero))]
        self.nodes.append(helper.make_node("QuantizeLinear", [x, *operands], [f"{name}_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *operands], [f"{name}_dq"]))
        return f"{name}_dq"


def cnn() -> onnx.ModelProto:
    """The 13 k-weight int8 CNN other tools were measured on, with random weights: 3.3 M MACs on 3 x 32 x 32.

    conv3x3x16 - conv3x3x32 stride 2 - depthwise 3x3 - 1x1x64 - 1x1x64 + residual - global average - dense 10.
    """
    net = Int8Network()
    net.layer(16, 3, 3)
    net.layer(32, 16, 3, strides=[2, 2])
    net.layer(32, 1, 3, group=32)
    net.layer(64, 32)
    skip = net.x
    net.layer(64, 64, relu=False)
    net.add(skip)
    return net.classify(64)


def plain_cnn() -> onnx.ModelProto:
    """conv3x3x16 - conv3x3x32 stride 2 - conv3x3x32 - global average - dense 10 on 3 x 32 x 32, random weights."""
    net = Int8Network()
    net.layer(16, 3, 3)
    net.layer(32, 16, 3, strides=[2, 2])
    net.layer(32, 32, 3)
    return net.classify(32)


def resnet20() -> onnx.ModelProto:
    """ResNet-20 for 3 x 32 x 32 images (three stages of three blocks, 16 to 64 channels) with random weights."""
    net = Int8Network()
    net.layer(16, 3, 3)
    channels = 16
    for outputs in (16, 32, 64):
        for _ in range(3):
            skip, stride = net.x, outputs // channels
            net.layer(outputs, channels, 3, strides=[stride, stride])
            net.layer(outputs, outputs, 3, relu=False)
            if stride > 1:
                body, net.x = net.x, skip
                net.layer(outputs, channels, strides=[stride, stride], relu=False)
                skip, net.x = net.x, body
            net.add(skip)
            channels = outputs
    return net.classify(64)
