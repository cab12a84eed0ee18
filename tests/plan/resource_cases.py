"""Kernels whose estimated resources are compared with those that Yosys finds.

For each kind a designed set, from which ``scripts/calibrate_resources.py`` fits the coefficients, and another one of
shapes in between, on which the estimates are judged. Contents of memories are random, the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hlsgen.graph.types import INT8, UINT8, QuantType
from hlsgen.kernels.add import Add
from hlsgen.kernels.base import Kernel, RamStyle
from hlsgen.kernels.concat import Concat
from hlsgen.kernels.depthwise import Depthwise
from hlsgen.kernels.dot_array import Mac
from hlsgen.kernels.fifo import Fifo
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.matvec import Matvec
from hlsgen.kernels.maxpool import MaxPool
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.requant import Requant
from hlsgen.kernels.sumpool import SumPool
from hlsgen.kernels.table import Table
from hlsgen.kernels.unpack import Unpack
from hlsgen.kernels.width import Width
from hlsgen.kernels.window import Window
from tests.plan.resource_kernels import add, depthwise, matvec, requant, table, window
from tests.plan.resource_samples import samples

Cases = Callable[[], Sequence[Kernel | Fifo]]


def _fifo_train() -> list[Fifo]:
    shapes = [(8, depth) for depth in (3, 4, 5, 8, 9, 16, 17, 32, 33, 40, 64, 65, 100, 128, 129, 200, 256)]
    shapes += [(36, 12), (72, 40), (8, 600), (8, 1024), (8, 2048), (8, 2500), (8, 5000), (36, 1500), (100, 700)]
    return [Fifo(*shape) for shape in [*shapes, (20, 3000), (64, 512), (36, 100)]]


def _fork_train() -> list[Fork]:
    return [Fork(INT8, lanes, 64, copies) for lanes, copies in ((1, 2), (2, 2), (4, 2), (8, 2), (1, 3), (4, 3), (2, 4))]


def _width_train() -> list[Width]:
    lanes = [(1, 2), (1, 4), (1, 8), (1, 16), (4, 8), (4, 12), (1, 3), (2, 1), (4, 1), (8, 1), (16, 1), (32, 1)]
    lanes += [(64, 1), (8, 4), (12, 4), (3, 1), (6, 1), (10, 2), (24, 1), (16, 2)]
    return [Width(INT8, a, b, 8 * b) for a, b in lanes]


INT4, UINT4, BIPOLAR = QuantType(4, True), QuantType(4, False), QuantType(1, True, bipolar=True)
BLOCK, LUTS = RamStyle.BLOCK, RamStyle.DISTRIBUTED


def _matvec_train() -> list[Matvec]:
    return [
        *(matvec(16, 144, 4, 9, Mac.DSP2), matvec(32, 96, 2, 6, Mac.DSP2, UINT8), matvec(10, 64, 2, 1, Mac.DSP2)),
        *(matvec(16, 48, 8, 3, Mac.DSP2), matvec(64, 64, 2, 4, Mac.DSP2), matvec(16, 27, 2, 9, Mac.DSP2, memory=LUTS)),
        *(matvec(128, 32, 2, 4, Mac.DSP2), matvec(16, 27, 2, 27, Mac.DSP2), matvec(8, 36, 4, 12, Mac.DSP2)),
        *(matvec(32, 96, 1, 6, Mac.DSP, UINT8), matvec(10, 64, 1, 1, Mac.DSP), matvec(16, 48, 4, 3, Mac.DSP)),
        *(
            matvec(16, 27, 1, 9, Mac.DSP, memory=LUTS),
            matvec(96, 16, 1, 2, Mac.DSP),
            matvec(8, 32, 2, 4, Mac.DSP, INT4),
        ),
        *(matvec(16, 144, 1, 9, Mac.LUT), matvec(16, 32, 4, 4, Mac.LUT, UINT4, INT4), matvec(10, 64, 1, 1, Mac.LUT)),
        *(matvec(32, 96, 1, 6, Mac.LUT, UINT8), matvec(8, 36, 2, 12, Mac.LUT, INT4, INT4)),
        *(matvec(64, 64, 2, 4, Mac.LUT, UINT8, BIPOLAR), matvec(16, 27, 1, 9, Mac.LUT, INT8, INT4, LUTS)),
        *(matvec(64, 64, 4, 8, Mac.XNOR, BIPOLAR, BIPOLAR), matvec(64, 288, 4, 36, Mac.XNOR, BIPOLAR, BIPOLAR)),
        *(matvec(32, 72, 2, 18, Mac.XNOR, BIPOLAR, BIPOLAR), matvec(16, 64, 8, 64, Mac.XNOR, BIPOLAR, BIPOLAR)),
    ]


def _depthwise_train() -> list[Depthwise]:
    return [
        *(depthwise(32, 9, 1, 9, Mac.DSP), depthwise(64, 9, 2, 3, Mac.DSP), depthwise(16, 9, 4, 1, Mac.DSP)),
        *(depthwise(64, 9, 4, 9, Mac.DSP, UINT8), depthwise(128, 9, 1, 1, Mac.DSP), depthwise(32, 25, 2, 5, Mac.DSP)),
        *(depthwise(8, 9, 1, 3, Mac.DSP, memory=LUTS), depthwise(96, 9, 3, 3, Mac.DSP, UINT8)),
        *(
            depthwise(32, 9, 1, 9, Mac.LUT),
            depthwise(64, 9, 2, 3, Mac.LUT, UINT4, INT4),
            depthwise(16, 9, 1, 1, Mac.LUT),
        ),
        *(depthwise(64, 9, 1, 3, Mac.LUT, UINT8), depthwise(24, 9, 2, 9, Mac.LUT, INT4, INT4)),
    ]


def _window_train() -> list[Window]:
    return [
        *(window((32, 32, 16), 3, 1, 1, "all"), window((32, 32, 3), 3, 1, 1, "all", UINT8)),
        *(
            window((16, 16, 32), 3, 2, 1, "all"),
            window((8, 8, 64), 3, 1, 2, "all"),
            window((24, 24, 8), 5, 1, 1, "all"),
        ),
        *(window((28, 28, 1), 3, 1, 1, "all", UINT8), window((16, 16, 8), 2, 2, 1, "all", pad=0)),
        *(window((12, 12, 64), 3, 1, 8, "all", UINT4), window((32, 32, 16), 3, 1, 4, "all", memory=LUTS)),
        *(window((25, 5, 64), 3, 1, 1, "all", groups=64), window((14, 14, 32), 3, 2, 2, "all", groups=16)),
        *(window((48, 48, 3), 3, 2, 3, "all"), window((16, 16, 16), 3, 1, 2, "all", dilation=2)),
        *(
            window((32, 32, 16), 3, 1, 1, "row"),
            window((16, 16, 32), 3, 2, 1, "row"),
            window((8, 8, 64), 3, 1, 2, "row"),
        ),
        *(window((28, 28, 1), 3, 1, 1, "row", UINT8), window((16, 16, 8), 2, 2, 1, "row", pad=0)),
        *(window((24, 24, 8), 5, 1, 1, "row"), window((14, 14, 32), 3, 1, 2, "row", groups=16)),
        *(
            window((32, 32, 16), 3, 1, 1, "one"),
            window((16, 16, 32), 3, 2, 1, "one"),
            window((8, 8, 64), 3, 1, 4, "one"),
        ),
        *(window((28, 28, 1), 3, 1, 1, "one", UINT8), window((16, 16, 8), 2, 2, 1, "one", pad=0)),
        *(window((24, 24, 8), 5, 1, 1, "one"), window((14, 14, 32), 3, 1, 2, "one", groups=16)),
        *(window((10, 10, 8), 3, 1, 1, "one", memory=LUTS), window((10, 10, 8), 3, 1, 1, "row", memory=LUTS)),
        *(window((14, 22, 12), 3, 2, 1, "row"), window((11, 11, 10), 3, 2, 1, "one")),
        *(window((32, 32, 16), 1, 2, 1, "all", pad=0), window((16, 16, 32), 1, 2, 4, "all", pad=0)),
        *(window((8, 8, 64), 1, 2, 2, "all", pad=0), window((15, 15, 8), 1, 2, 1, "all", UINT4, pad=0)),
    ]


def _pool_train() -> list[SumPool | MaxPool]:
    acc = QuantType(14, True)
    shapes = [
        (64, 64, 1, 1),
        (64, 16, 2, 1),
        (4, 32, 1, 4),
        (9, 16, 1, 9),
        (9, 16, 2, 3),
        (25, 128, 4, 1),
        (49, 200, 1, 1),
    ]
    sums = [SumPool(4, taps, channels, lanes, beat, INT8, acc, -8) for taps, channels, lanes, beat in shapes]
    sums += [SumPool(4, 64, 1, 1, 1, UINT8, acc, 0), SumPool(1, 16, 24, 8, 1, UINT4, QuantType(8, True), 0)]
    shapes = [(4, 16, 1, 4), (4, 64, 4, 4), (9, 16, 1, 9), (9, 32, 1, 3), (4, 64, 1, 1), (4, 48, 2, 2), (9, 16, 2, 1)]
    peaks = [MaxPool(16, taps, channels, lanes, beat, INT8) for taps, channels, lanes, beat in shapes]
    return [*sums, *peaks, MaxPool(16, 4, 8, 8, 4, UINT4), MaxPool(16, 4, 1, 1, 2, UINT8)]


def _boundary_train() -> list[Unpack | Pack]:
    unpacks = [
        *(Unpack(64, 3072, 1, INT8), Unpack(64, 3072, 3, INT8), Unpack(64, 784, 1, UINT8), Unpack(32, 640, 4, INT8)),
        *(Unpack(128, 1024, 8, INT8), Unpack(64, 512, 8, INT8), Unpack(64, 512, 16, INT8), Unpack(64, 768, 2, UINT4)),
        *(Unpack(128, 3072, 1, INT8), Unpack(64, 600, 5, INT8), Unpack(64, 512, 2, INT8), Unpack(64, 512, 4, INT8)),
    ]
    packs = [
        *(
            Pack(64, ((10, 1, INT8),)),
            Pack(64, ((640, 1, INT8),)),
            Pack(64, ((100, 2, INT8),)),
            Pack(32, ((64, 4, INT8),)),
        ),
        *(Pack(64, ((12, 1, QuantType(20, True)),)), Pack(128, ((1000, 1, INT8),)), Pack(64, ((512, 16, INT8),))),
        *(Pack(64, ((64, 8, INT8),)), Pack(64, ((30, 3, INT8),)), Pack(64, ((10, 1, INT8), (20, 2, INT8)))),
        *(
            Pack(64, ((10, 1, INT8), (64, 4, UINT4), (30, 1, QuantType(18, True)))),
            Pack(64, ((10, 1, UINT8), (5, 1, INT8))),
        ),
    ]
    return [*unpacks, *packs]


def _few_rows_train() -> list[Matvec | Depthwise]:
    """Of 2 to 8 rows of weights in LUTs, so that many columns are equal."""
    return [
        *(matvec(8, 48, 4, 16, Mac.DSP2, memory=LUTS), matvec(4, 18, 2, 18, Mac.DSP2, UINT8, memory=LUTS)),
        *(matvec(4, 32, 2, 16, Mac.DSP, memory=LUTS), matvec(6, 24, 2, 12, Mac.DSP, memory=LUTS)),
        *(matvec(8, 24, 4, 8, Mac.LUT, memory=LUTS), matvec(4, 48, 2, 24, Mac.LUT, UINT8, memory=LUTS)),
        *(matvec(8, 12, 4, 12, Mac.LUT, INT8, INT4, LUTS), matvec(4, 36, 2, 9, Mac.LUT, memory=LUTS)),
        *(
            matvec(16, 128, 8, 64, Mac.XNOR, BIPOLAR, BIPOLAR, LUTS),
            matvec(8, 108, 4, 36, Mac.XNOR, BIPOLAR, BIPOLAR, LUTS),
        ),
        *(depthwise(8, 9, 2, 9, Mac.LUT, memory=LUTS), depthwise(6, 9, 2, 3, Mac.LUT, UINT8, INT4, LUTS)),
        *(depthwise(6, 9, 2, 9, Mac.DSP, memory=LUTS), depthwise(8, 9, 4, 3, Mac.DSP, UINT8, memory=LUTS)),
    ]


def _dot_train() -> list[Matvec | Depthwise]:
    return [*_matvec_train(), *_depthwise_train(), *_few_rows_train()]  # which are of the same parts


def _requant_train() -> list[Requant]:
    f, t = "float24", "threshold"
    return [
        *(
            requant(f, 16, 1, 150000),
            requant(f, 16, 1, 150000, 2),
            requant(f, 64, 1, 400000, 2),
            requant(f, 64, 4, 60000),
        ),
        *(requant(f, 32, 2, 20000, 2), requant(f, 32, 1, 9000), requant(f, 10, 1, 80000, single=True)),
        *(requant(f, 128, 1, 700000, 2, memory=BLOCK), requant(f, 24, 1, 3000000), requant(f, 8, 8, 50000, 2)),
        *(
            requant(f, 16, 1, 150000, mac=Mac.LUT),
            requant(f, 64, 1, 40000, mac=Mac.LUT),
            requant(f, 16, 2, 9000, mac=Mac.LUT),
        ),
        *(requant(f, 16, 1, 150000, mac=Mac.LUT, single=True), requant(f, 8, 1, 8000, mac=Mac.LUT, single=True)),
        *(requant("scale", 16, 1, 150000), requant("scale", 64, 2, 400000), requant("scale", 32, 1, 9000)),
        *(
            requant(f, 64, 1, 100000),
            requant(f, 40, 1, 30000),
            requant("scale", 64, 1, 30000),
            requant("scale", 12, 1, 9000),
            requant("scale", 16, 4, 50000),
            requant("scale", 64, 1, 80000, 2, memory=BLOCK),
            requant("scale", 8, 1, 2000),
        ),
        *(requant("scale", 10, 1, 30000, single=True), requant("scale", 16, 1, 20000, out=UINT4)),
        *(requant("scale", 16, 1, 150000, mac=Mac.LUT), requant("scale", 64, 1, 9000, mac=Mac.LUT)),
        *(requant("scale", 32, 2, 40000, mac=Mac.LUT), requant("scale", 16, 1, 5000, mac=Mac.LUT, out=UINT4)),
        *(requant("shift", 16, 1, 150000), requant("shift", 64, 4, 400000), requant("shift", 32, 1, 9000)),
        *(requant("shift", 16, 1, 3000, out=UINT4), requant("shift", 10, 2, 30000, single=True)),
        *(requant(t, 16, 1, 5000, out=UINT4, memory=BLOCK), requant(t, 64, 1, 20000, out=UINT4, memory=BLOCK)),
        *(requant(t, 16, 4, 5000, out=UINT4, memory=BLOCK), requant(t, 16, 1, 150000, memory=BLOCK)),
        *(requant(t, 16, 1, 5000, out=UINT4), requant(t, 64, 1, 900, out=UINT4), requant(t, 16, 2, 300, out=UINT4)),
    ]


def _elementwise_train() -> list[Table | Add]:
    return [
        *(table(16, 1), table(16, 4), table(16, 1, False, BLOCK), table(16, 2, True, BLOCK), table(8, 1, x=UINT4)),
        *(table(8, 2, False, x=INT4), table(4, 1, False), table(16, 1, True, x=QuantType(6, True))),
        *(add(16, 1, 0.7), add(16, 4, 0.7), add(16, 1, 0.37), add(16, 2, 1.9), add(16, 1, 1.0), add(32, 2, 1.0)),
        *(add(16, 1, 0.7, Mac.LUT), add(16, 4, 0.7, Mac.LUT), add(16, 1, 1.0, Mac.LUT), add(32, 2, 1.9, Mac.LUT)),
        *(add(16, 1, 1, floats=False), add(64, 2, 1, floats=False), add(16, 1, 1, Mac.LUT, False)),
        *(add(64, 2, 1, Mac.LUT, False), add(16, 1, 0.51), add(16, 1, 0.83, Mac.LUT)),
    ]


def _all_elementwise_train() -> list[Requant | Table | Add]:
    return [*_requant_train(), *_elementwise_train()]  # which are of the same parts


def _concat_train() -> list[Concat]:
    return [
        *(Concat(16, (8, 8), 1, INT8), Concat(16, (8, 16, 8), 4, INT8), Concat(16, (32, 16), 8, INT8)),
        *(
            Concat(16, (4, 4, 4, 4), 1, UINT4),
            Concat(16, (3, 5), 1, QuantType(20, True)),
            Concat(16, (64, 64), 2, INT8),
        ),
    ]


HELD_OUT_SEED = 20_261_122
"""Of the kernels that estimates are judged by. Nobody looks at them while the features are worked on."""

TRAINING_SEED = 1
"""Of kernels that are fitted besides the designed ones."""

_KINDS: dict[str, tuple[Cases, int, int]] = {
    "dot products": (_dot_train, 40, 16),
    "elementwise": (_all_elementwise_train, 240, 24),
    "concat": (_concat_train, 24, 4),
    "window": (_window_train, 120, 10),
    "pool": (_pool_train, 40, 6),
    "boundary": (_boundary_train, 56, 12),
    "fifo": (_fifo_train, 30, 10),
    "fork": (_fork_train, 12, 4),
    "width": (_width_train, 24, 8),
}
"""The designed ones, and how many are drawn: more to fit, and those to judge by."""


def training(kind: str) -> list[Kernel | Fifo]:
    """The kernels of a kind from which coefficients are fitted."""
    designed, drawn, _ = _KINDS[kind]
    return [*designed(), *samples(kind, TRAINING_SEED, drawn)]


def held_out(kind: str) -> list[Kernel | Fifo]:
    """Those by which estimates of the kind are judged; none that is fitted is among them."""
    count = _KINDS[kind][2]
    fitted = [_identity(case) for case in training(kind)]
    drawn = samples(kind, HELD_OUT_SEED, 4 * count)
    return [case for case in drawn if _identity(case) not in fitted][:count]


def _identity(case: Kernel | Fifo) -> object:
    """Kernels with the same are the same circuit."""
    images = [] if isinstance(case, Fifo) else [(image.name, image.words) for image in case.rtl_memories()]
    return type(case), case.rtl_parameters(), images


CASES: dict[str, tuple[Cases, Cases]] = {kind: (partial(training, kind), partial(held_out, kind)) for kind in _KINDS}
"""By kind: those to fit, those to judge by."""
