"""What each layer can be folded into, what it costs, and how the layers hang together.

A layer has up to two *places* whose foldings are chosen on their own: its body (window and sums, or a join, pool or
concat) and the function that closes the sum. *Edges* carry tensors from place to place; where the lanes at the two ends
differ, ``width`` kernels stand on the edge. All costs are estimates of the very kernels that ``lower`` makes, forks and
boundary included; only FIFOs, whose depths need the whole design, are not among them, and of several
outputs each counts as its part of the one pack, nearly. ``fold`` checks the sum on the finished design.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from itertools import pairwise, product
from math import gcd
from typing import ClassVar

import numpy as np

from hlsgen.board import Family
from hlsgen.graph.graph import Graph
from hlsgen.graph.ops import Conv, Op, Requantize, Reshape
from hlsgen.graph.types import UINT8, QuantType
from hlsgen.kernels.base import Kernel
from hlsgen.kernels.fork import Fork
from hlsgen.kernels.pack import Pack
from hlsgen.kernels.unpack import Unpack
from hlsgen.kernels.width import Width
from hlsgen.lower.folding import Folding, Units, conflict, legal
from hlsgen.lower.layers import Layer, layers
from hlsgen.lower.parts import Parts, closing_op
from hlsgen.plan.limits import Amounts
from hlsgen.plan.plan import LayerPlan
from hlsgen.plan.resources import estimate

CLOSING = ("requant_lanes", "unit", "passes", "requant_mac", "requant_memory")
"""Fields of the function that closes a sum."""

Fields = dict[str, int | str]
"""Some fields of a layer's entry in a plan."""


@dataclass(frozen=True)
class Option:
    """One way to build a place.

    ``fields``: of the plan, in its order; ``cycles``: per image, of its slowest kernel; ``exit_cycles``: what it adds
    to those of the final ``pack``, whose inputs come one after the other.
    """

    fields: tuple[tuple[str, int | str], ...]
    lanes_in: int
    lanes_out: int
    cycles: int
    exit_cycles: int
    amounts: Amounts


@dataclass(frozen=True, eq=False)
class Edge:
    """A tensor, or a sum within a layer, on its way between two places. ``rigid``: the lanes must be equal."""

    writer: int
    reader: int
    type: QuantType
    elements: int
    rigid: bool = False


class Costs:
    """Estimates for one device family."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._widths: dict[tuple[QuantType, int, int, int], tuple[Amounts, int]] = {}
        self._known: dict[tuple[object, ...], tuple[Amounts, int]] = {}

    def of(self, kernels: Sequence[Kernel]) -> tuple[Amounts, int]:
        """What the kernels take together, and the cycles of the slowest."""
        priced = [self._priced(kernel) for kernel in kernels]
        return sum((amounts for amounts, _ in priced), Amounts()), max((cycles for _, cycles in priced), default=0)

    def _priced(self, kernel: Kernel) -> tuple[Amounts, int]:
        """Amounts and cycles of a kernel; known if one has been seen whose fields are the same, and no arrays."""
        assert is_dataclass(kernel)
        key = (type(kernel), *(getattr(kernel, item.name) for item in fields(kernel)))
        if any(isinstance(value, np.ndarray) for value in key):
            return Amounts.of(estimate(kernel, self.family)), kernel.cycles
        if key not in self._known:
            self._known[key] = Amounts.of(estimate(kernel, self.family)), kernel.cycles
        return self._known[key]

    def width(self, edge: Edge, lanes_in: int, lanes_out: int) -> tuple[Amounts, int]:
        """Amounts and cycles of what ``lower`` puts between these lanes: no, one or two ``width`` kernels."""
        key = (edge.type, edge.elements, lanes_in, lanes_out)
        if key not in self._widths:
            common = gcd(lanes_in, lanes_out)
            stations = dict.fromkeys((lanes_in, common, lanes_out)) if common < min(lanes_in, lanes_out) else key[2:]
            kernels = [Width(edge.type, a, b, edge.elements // a) for a, b in pairwise(stations) if a != b]
            self._widths[key] = self.of(kernels)
        return self._widths[key]


@dataclass(frozen=True, eq=False)
class Leaving:
    """A tensor that a place writes: ``copies`` readers, of which ``outputs`` are the accelerator's outputs.

    ``alone``: the accelerator has one output only; ``first``: its first output is among these.
    """

    type: QuantType
    elements: int
    copies: int
    outputs: int
    alone: bool
    first: bool

    def forks(self, lanes: int) -> list[Kernel]:
        """The fork to several readers."""
        if self.copies == 1:
            return []
        return [Fork(self.type, lanes, self.elements // lanes, self.copies)]

    def packs(self, lanes: int, axi_bits: int) -> list[Pack]:
        """A ``pack`` for every output, with its part of the one that there will be.

        Of several outputs the word and the window are chosen for each, so it has a second part, of one word.
        """
        others = () if self.alone else (_one_word(axi_bits),)
        return [Pack(axi_bits, ((self.elements, lanes, self.type), *others))] * self.outputs

    def common(self, axi_bits: int) -> list[Kernel]:
        """What these ``packs`` have of the one besides their parts, except for the first output's."""
        return [Pack(axi_bits, (_one_word(axi_bits),))] * (self.outputs - self.first)


def _one_word(axi_bits: int) -> tuple[int, int, QuantType]:
    """A part of a ``pack``: a word of bytes in two beats."""
    return axi_bits // 8, axi_bits // 16, UINT8


class Place(ABC):
    """Base of the places.

    ``layer``: identifier, "" for the entrance. ``fields``: those chosen here, with their legal values. ``sized``: the
    one that is made no larger than an interval needs.
    """

    def __init__(
        self,
        layer: str,
        fields: Mapping[str, tuple[int | str, ...]],
        sized: str,
        leaving: Sequence[Leaving],
        axi_bits: int,
        costs: Costs,
    ) -> None:
        self.layer, self.fields, self.sized = layer, dict(fields), sized
        self.leaving, self.axi_bits, self.costs = leaving, axi_bits, costs
        self._exits: dict[int, tuple[Amounts, int]] = {}
        self._known: dict[object, tuple[Amounts, int]] = {}
        self._options: dict[int, list[Option]] = {}
        self._made: dict[int, Option] = {}

    @abstractmethod
    def lanes(self, fields: Fields) -> tuple[int, int]:
        """Lanes at the input and at the output."""

    @abstractmethod
    def cycles(self, fields: Fields) -> int:
        """Cycles per image of the slowest kernel (forks have their writer's)."""

    @abstractmethod
    def own(self, fields: Fields) -> Amounts:
        """What the place's kernels take, without what leaves it."""

    def conflict(self, fields: Fields) -> str | None:
        """See ``lower.folding.conflict``."""
        return None

    @cached_property
    def intervals(self) -> frozenset[int]:
        """Cycles per image of all its foldings."""
        return frozenset(self.cycles(fields) for fields in self._sizes())

    def widths(self, end: int) -> set[int]:
        """Lanes at the input (0) or the output (1) of all its foldings."""
        return {self.lanes(fields)[end] for fields in self._sizes()}

    def _sizes(self) -> Iterator[Fields]:
        """All combinations of the fields that are numbers."""
        return _combinations({name: values for name, values in self.fields.items() if isinstance(values[0], int)})

    def options(self, interval: int) -> list[Option]:
        """Options that take at most ``interval`` cycles.

        ``sized`` is as small as it can be, for a larger number is taken to cost no less.
        """
        if interval not in self._options:
            found = (next((fields for cycles, fields in sizes if cycles <= interval), None) for sizes in self._choices)
            self._options[interval] = [self._option(fields) for fields in found if fields is not None]
        return self._options[interval]

    @cached_property
    def _choices(self) -> list[list[tuple[int, Fields]]]:
        """All foldings with their cycles: for each combination of the other fields, by rising ``sized``."""
        rest = {name: values for name, values in self.fields.items() if name != self.sized}
        choices = []
        for others in _combinations(rest):
            sizes: list[Fields] = [{**others, self.sized: size} for size in self.fields[self.sized]]
            choices.append([(self.cycles(chosen), chosen) for chosen in sizes if self.conflict(chosen) is None])
        return choices

    def _option(self, fields: Fields) -> Option:
        """``option`` of one of ``_choices``, made once."""
        if id(fields) not in self._made:
            self._made[id(fields)] = self.option(fields)
        return self._made[id(fields)]

    def option(self, fields: Fields) -> Option:
        """The option with these fields."""
        lanes_in, lanes_out = self.lanes(fields)
        amounts, exit_cycles = self._exit(lanes_out)
        ordered = tuple((name, fields[name]) for name in LayerPlan.model_fields if name in fields)
        return Option(ordered, lanes_in, lanes_out, self.cycles(fields), exit_cycles, self.own(fields) + amounts)

    @property
    def exit_cycles(self) -> int:
        """Most cycles of the packs behind the place."""
        return max(self._exit(lanes)[1] for lanes in self.widths(1))

    def _exit(self, lanes: int) -> tuple[Amounts, int]:
        """Amounts of the forks and packs behind the place, and the packs' cycles."""
        if lanes not in self._exits:
            forks = [kernel for leaving in self.leaving for kernel in leaving.forks(lanes)]
            packs = [kernel for leaving in self.leaving for kernel in leaving.packs(lanes, self.axi_bits)]
            common = [kernel for leaving in self.leaving for kernel in leaving.common(self.axi_bits)]
            amounts = self.costs.of([*forks, *packs])[0] - self.costs.of(common)[0]
            self._exits[lanes] = amounts, sum(kernel.steps[0] for kernel in packs)
        return self._exits[lanes]

    def _once(self, key: object, kernels: Callable[[], Sequence[Kernel]]) -> tuple[Amounts, int]:
        """Amounts and most cycles of some kernels, made once per ``key``."""
        if key not in self._known:
            self._known[key] = self.costs.of(kernels())
        return self._known[key]


class Entrance(Place):
    """``unpack``: the accelerator's input, with the lanes of its first reader. No plan has its field."""

    def __init__(
        self, graph: Graph, choices: Sequence[int], leaving: Sequence[Leaving], axi_bits: int, costs: Costs
    ) -> None:
        super().__init__("", {"lanes": tuple(choices)}, "lanes", leaving, axi_bits, costs)
        self.tensor = graph.tensors[graph.input]

    def options(self, interval: int) -> list[Option]:
        """All that are fast enough, for the reader chooses the lanes."""
        every = (self.option({"lanes": lanes}) for lanes in self.fields["lanes"])
        return [option for option in every if option.cycles <= interval]

    def lanes(self, fields: Fields) -> tuple[int, int]:
        return int(fields["lanes"]), int(fields["lanes"])

    def cycles(self, fields: Fields) -> int:
        return self._unpack(fields)[1]

    def own(self, fields: Fields) -> Amounts:
        return self._unpack(fields)[0]

    def _unpack(self, fields: Fields) -> tuple[Amounts, int]:
        lanes = int(fields["lanes"])
        return self._once(lanes, lambda: [Unpack(self.axi_bits, self.tensor.elements, lanes, self.tensor.type)])


class _LayerPlace(Place):
    """A part of a layer. ``closes``: the one that has the fields of the closing function."""

    closes: ClassVar[bool]

    def __init__(self, parts: Parts, layer: Layer, leaving: Sequence[Leaving], axi_bits: int, costs: Costs) -> None:
        self.legal = legal(layer, parts.graph, parts.types, parts.units)
        closing = CLOSING if closing_op(layer) is not None else ()
        fields = {name: values for name, values in self.legal.items() if (name in closing) == self.closes}
        sized = "requant_lanes" if self.closes else "pe" if isinstance(layer.op, Conv) else "lanes"
        super().__init__(layer.name, fields, sized, leaving, axi_bits, costs)
        self.parts, self.of = parts, layer
        self.units = parts.units.get((closing_op(layer) or layer.op).output, ())

    def conflict(self, fields: Fields) -> str | None:
        return conflict(fields, self.legal, self.units)


class Body(_LayerPlace):
    """Window and sums, join, pool or concat."""

    closes = False

    def lanes(self, fields: Fields) -> tuple[int, int]:
        if "pe" not in fields:
            return int(fields["lanes"]), int(fields["lanes"])
        return int(fields.get("lanes", fields["pe"])), int(fields["pe"])  # depthwise: no lanes of its own

    def cycles(self, fields: Fields) -> int:
        parallel = int(fields.get("pe", 1)) * int(fields.get("lanes", 1)) * int(fields.get("taps", 1))
        return max(self._prepared(fields)[1], self._work // parallel)

    def own(self, fields: Fields) -> Amounts:
        # what sums cost depends on how many elements come at once, not on how many of those are taps
        relevant: dict[str, object] = {name: value for name, value in fields.items() if name != "line_memory"}
        if isinstance(self.of.op, Conv):
            relevant = {name: value for name, value in relevant.items() if name not in ("lanes", "taps")}
            relevant["simd"] = int(fields.get("lanes", 1)) * int(fields.get("taps", 1))
        key = ("body", frozenset(relevant.items()))
        return self._prepared(fields)[0] + self._once(key, lambda: [self._kernel(fields)])[0]

    @cached_property
    def _work(self) -> int:
        """Cycles of the body with nothing in parallel."""
        return self._kernel({}).cycles

    def _kernel(self, fields: Fields) -> Kernel:
        kernel = self.parts.body(self.of, folding_of(fields))
        assert kernel is not None
        return kernel

    def _prepared(self, fields: Fields) -> tuple[Amounts, int]:
        """Amounts and cycles of windows and conversions."""
        key = ("prepared", self.lanes(fields)[0], fields.get("taps"), fields.get("line_memory"))

        def kernels() -> list[Kernel]:
            folding, inputs = folding_of(fields), range(len(self.of.op.inputs))
            return [kernel for index in inputs for kernel in self.parts.preparing(self.of, folding, index)]

        return self._once(key, kernels)


class Closing(_LayerPlace):
    """The function that closes a sum, or a Requantize by itself."""

    closes = True

    def lanes(self, fields: Fields) -> tuple[int, int]:
        return int(fields["requant_lanes"]), int(fields["requant_lanes"])

    def cycles(self, fields: Fields) -> int:
        return self._elements // int(fields["requant_lanes"]) * int(fields.get("passes", 1))

    def own(self, fields: Fields) -> Amounts:
        def kernels() -> list[Kernel]:
            kernel = self.parts.closing(self.of, folding_of(fields))
            return [] if kernel is None else [kernel]

        return self._once(frozenset(fields.items()), kernels)[0]

    @cached_property
    def _elements(self) -> int:
        return self.parts.graph.tensors[(closing_op(self.of) or self.of.op).output].elements


@dataclass(frozen=True, eq=False)
class Problem:
    """All places and edges of a graph, the entrance first."""

    places: tuple[Place, ...]
    edges: tuple[Edge, ...]
    costs: Costs

    @staticmethod
    def of(graph: Graph, units: Units, family: Family, axi_bits: int) -> Problem:
        """What there is to choose for ``graph``."""
        return _Builder(graph, units, family, axi_bits).problem()

    @cached_property
    def intervals(self) -> list[int]:
        """Numbers of cycles per image at which a design may run, ascending; the first few may be unreachable.

        The slowest kernel decides, so there are no others than the cycles of places and of edges' ``width`` kernels;
        and, with several outputs, some more between them, of which only the largest is here.
        """
        fastest = max(min(place.intervals) for place in self.places)
        found = set().union(*(place.intervals for place in self.places))
        found.add(sum(place.exit_cycles for place in self.places))
        slowest = max(found)
        for edge in self.edges:
            for a, b in product(self.places[edge.writer].widths(1), self.places[edge.reader].widths(0)):
                found.add(edge.elements // gcd(a, b))
        return sorted(interval for interval in found if fastest <= interval <= slowest)


class _Builder:
    """Finds the places and edges of a graph, in the way of ``lower``."""

    def __init__(self, graph: Graph, units: Units, family: Family, axi_bits: int) -> None:
        self.graph, self.axi_bits, self.costs = graph, axi_bits, Costs(family)
        self.parts = Parts.of(graph, units)
        self.consumers = graph.consumers()
        self.layers = {id(layer.op): layer for layer in layers(graph)}

    def problem(self) -> Problem:
        places: list[Place] = [self._entrance()]
        edges: list[Edge] = []
        writer = dict.fromkeys(self._aliases(self.graph.input), 0)
        first = self._first_reader(self.graph.input)
        for layer in self.layers.values():
            tensor = (layer.requantize or layer.op).output
            closes = closing_op(layer) is not None
            for name in layer.op.inputs:
                rigid = writer[name] == 0 and layer.op is first
                edges.append(self._edge(name, writer[name], len(places), rigid))
            if not isinstance(layer.op, Requantize):
                places.append(Body(self.parts, layer, self._leaving("" if closes else tensor), *self._common))
            if closes:
                if not isinstance(layer.op, Requantize):
                    edges.append(self._edge(layer.op.output, len(places) - 1, len(places)))
                places.append(Closing(self.parts, layer, self._leaving(tensor), *self._common))
            writer |= dict.fromkeys(self._aliases(tensor), len(places) - 1)
        return Problem(tuple(places), tuple(edges), self.costs)

    @property
    def _common(self) -> tuple[int, Costs]:
        return self.axi_bits, self.costs

    def _entrance(self) -> Entrance:
        reader = self._first_reader(self.graph.input)
        choices: Sequence[int] = (1,)
        if reader is not None:
            kind = Closing if isinstance(reader, Requantize) else Body
            place = kind(self.parts, self.layers[id(reader)], (), *self._common)
            choices = sorted(place.widths(0))
        return Entrance(self.graph, choices, self._leaving(self.graph.input), *self._common)

    def _first_reader(self, tensor: str) -> Op | None:
        """The operator whose lanes the entrance has."""
        for op in self.consumers[tensor]:
            return self._first_reader(op.output) if isinstance(op, Reshape) else op
        return None

    def _edge(self, tensor: str, writer: int, reader: int, rigid: bool = False) -> Edge:
        return Edge(writer, reader, self.parts.types[tensor], self.graph.tensors[tensor].elements, rigid)

    def _aliases(self, tensor: str) -> list[str]:
        """``tensor`` and what it is reshaped to: tensors written at the same place."""
        shaped = [op.output for op in self.consumers[tensor] if isinstance(op, Reshape)]
        return [tensor, *(name for output in shaped for name in self._aliases(output))]

    def _leaving(self, tensor: str) -> list[Leaving]:
        """What leaves the place that writes ``tensor`` ("" for a sum within a layer, which has one reader)."""
        if not tensor:
            return []
        return [
            Leaving(
                self.parts.types[name],
                self.graph.tensors[name].elements,
                len(self.consumers[name]) + (outputs := self.graph.outputs.count(name)),
                outputs,
                len(self.graph.outputs) == 1,
                name == self.graph.outputs[0],
            )
            for name in self._aliases(tensor)
        ]


def folding_of(fields: Fields) -> Folding:
    """The folding with these fields, the others having their defaults."""
    return LayerPlan.model_validate(fields).folding()


def _combinations(fields: Mapping[str, tuple[int | str, ...]]) -> Iterator[Fields]:
    for values in product(*fields.values()):
        yield dict(zip(fields, values, strict=True))
