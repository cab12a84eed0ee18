"""The QONNX form: Quant and BipolarQuant on float tensors, under any domain.

``y = (round(clamp(x / scale + zero_point)) - zero_point) * scale``: the zero point stands inside the rounding.
"""

from __future__ import annotations

import numpy as np

from hlsgen.errors import UnsupportedError
from hlsgen.frontend import qdq
from hlsgen.frontend.model import Node
from hlsgen.frontend.tracer import Handler, Tracer
from hlsgen.frontend.values import (
    ConcatView,
    Constant,
    ConstantJoinView,
    FloatView,
    HostValue,
    JoinView,
    NotHardwareError,
    QuantConstant,
    Quantized,
    Quantizer,
)
from hlsgen.graph.reference import Rounding
from hlsgen.graph.types import BIPOLAR, QuantType

_ROUNDINGS = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "CEIL": Rounding.CEIL,
    "FLOOR": Rounding.FLOOR,
    "UP": Rounding.UP,
    "DOWN": Rounding.DOWN,
    "HALF_UP": Rounding.HALF_UP,
    "HALF_DOWN": Rounding.HALF_DOWN,
    "ROUND_TO_ZERO": Rounding.DOWN,
}


def quant(tracer: Tracer, node: Node) -> None:
    """Quant(x, scale, zero point, bit width); attributes signed, narrow, rounding_mode."""
    scale, zero_point, width = (tracer.constant(node, i) for i in (1, 2, 3))
    if scale is None or width is None:
        raise UnsupportedError(f"{node}: scale or bit width is missing. The model is damaged.")
    zero_point = np.zeros(1, np.float32) if zero_point is None else zero_point
    bits = float(width.ravel()[0])
    if width.size != 1 or bits != int(bits) or not 1 <= bits <= 32:
        raise UnsupportedError(
            f"{node}: a bit width of {bits:g} is not supported; it must be one whole number from 1 to 32."
        )
    if (scale <= 0).any() or (zero_point != np.rint(zero_point)).any():
        raise UnsupportedError(f"{node}: its scale must be positive and its zero point a whole number.")
    mode = str(node.attribute("rounding_mode", "ROUND")).upper()
    if mode not in _ROUNDINGS:
        raise UnsupportedError(f"{node}: rounding mode {mode!r} is unknown. QONNX has {', '.join(sorted(_ROUNDINGS))}.")
    signed, narrow = bool(node.attribute("signed", 1)), bool(node.attribute("narrow", 0))
    if signed and bits == 1:
        _quantize(tracer, node, scale, np.zeros(1), BIPOLAR, Rounding.SIGN)
    else:
        _quantize(tracer, node, scale, zero_point, QuantType(int(bits), signed, narrow and bits > 1), _ROUNDINGS[mode])


def bipolar_quant(tracer: Tracer, node: Node) -> None:
    """BipolarQuant(x, scale): +scale where x >= 0, else -scale."""
    scale = tracer.constant(node, 1)
    if scale is None or (scale <= 0).any():
        raise UnsupportedError(f"{node}: its scale must be positive.")
    _quantize(tracer, node, scale, np.zeros(1), BIPOLAR, Rounding.SIGN)


def _quantize(
    tracer: Tracer, node: Node, scale: np.ndarray, zero_point: np.ndarray, type: QuantType, rounding: Rounding
) -> None:
    value = tracer.value(node, 0)
    output = node.outputs[0]
    scale = scale.astype(np.float32)
    if isinstance(value, Constant | QuantConstant):
        array = (value.floats if isinstance(value, QuantConstant) else value.array).astype(np.float32)
        zeros = zero_point.astype(np.int64)
        quantizer = Quantizer(scale, 0, type, "", rounding, True)
        if zeros.any():
            if (zeros != zeros.ravel()[0]).any():
                raise UnsupportedError(f"{node}: zero points that differ per channel are not supported.")
            quantizer = Quantizer(scale, int(zeros.ravel()[0]), type, "", rounding, True)
        integers, _ = quantizer.quantize(array)
        rank = array.ndim
        tracer.values[output] = QuantConstant(
            integers,
            scale.reshape((1,) * (rank - scale.ndim) + scale.shape),
            zeros.reshape(-1)[:1].reshape((1,) * rank),
            "",
        )
        return
    step, zero = qdq.scalar(node, scale, zero_point.astype(np.int64))
    if isinstance(value, HostValue):
        if value.cause is not None:
            raise NotHardwareError(tracer.why_not(value))
        integer_name = f"{output}:integers"
        tracer.host.add_input_quantizer(node, integer_name, step, zero, type, rounding)
        entered = tracer.enter(integer_name, "", type, value.sample.shape[1:])
        tracer.record(integer_name, entered, np.array([step]), zero, False)
        tracer.record(output, entered, np.array([step]), zero, True)
    else:
        if not isinstance(value, FloatView | JoinView | ConstantJoinView | ConcatView):
            raise NotHardwareError(tracer.why_not(value))
        qdq.refuse_tail_table(tracer, value)
        quantizer = Quantizer(np.array([step], np.float32), zero, type, "", rounding, True)
        entered = tracer.close(value, quantizer, output, qdq.island_name(tracer, node, value))
        tracer.record(output, entered, np.array([step]), zero, True)
    tracer.values[output] = FloatView(entered.tensor, entered.layout, Quantized(step, zero, ""))


def unsupported(tracer: Tracer, node: Node) -> None:
    """FloatQuant and Trunc."""
    raise UnsupportedError(
        f"{node}: {node.op_type} is not supported. Use integer quantizers (Quant, BipolarQuant) for weights and "
        "activations."
    )


HANDLERS: dict[str, tuple[str, Handler]] = {
    "Quant": ("qonnx", quant),
    "IntQuant": ("qonnx", quant),
    "BipolarQuant": ("qonnx", bipolar_quant),
    "FloatQuant": ("qonnx", unsupported),
    "Trunc": ("qonnx", unsupported),
}
