"""The integer program: one option for every place, so that an interval is met within given amounts, by OR-tools CP-SAT.

The interval is no variable. For a given one, each place offers the options that are fast enough and the cheapest
selection is sought, a knapsack in as many dimensions as there are resources; ``fold`` looks for the least interval that
has a solution. That keeps the programs small (some hundred variables) and their answers independent of luck: a single
worker, a fixed seed and a limit in CP-SAT's deterministic time, so that equal inputs give equal selections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hlsgen.plan.limits import RESOURCES, Amounts
from hlsgen.plan.options import Option, Problem
from hlsgen.plan.pruning import undominated

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

EFFORT = 4.0
"""Most deterministic time for one program; roughly seconds."""

SCALE = 1_000_000
"""The whole of a resource, in units of the objective."""

WEIGHTS = Amounts(lut=4, lutram=1, ff=1, dsp=1, bram18=1, uram=1)
"""What a fraction of a resource counts. LUTs more, for every one has to be placed, routed and meet the clock, while
blocks that a design leaves idle help nobody: so multipliers are DSPs until those run out."""

EXCESS = 1000
"""What exceeding a limit counts, times as much as staying within it."""


@dataclass(frozen=True)
class Selection:
    """An option per place of the problem. ``amounts``: of all kernels. ``cheapest``: proved that none costs less."""

    options: tuple[Option, ...]
    amounts: Amounts
    interval: int
    cheapest: bool


@dataclass(frozen=True)
class Answer:
    """``selection``: None if none was found; ``proved``: and there is none."""

    selection: Selection | None
    proved: bool


def select(problem: Problem, interval: int, limits: Amounts, *, soft: bool = False, any_cost: bool = False) -> Answer:
    """The selection of ``interval`` cycles or fewer within ``limits`` that takes the smallest weighted sum of their
    fractions.

    ``soft``: limits may be exceeded, by the smallest possible sum of fractions. ``any_cost``: the first that is found.
    """
    program = _Program(problem, interval, limits, soft)
    return program.solve(any_cost) if program.possible else Answer(None, proved=True)


class _Program:
    """The model of one problem at one interval."""

    def __init__(self, problem: Problem, interval: int, limits: Amounts, soft: bool) -> None:
        self.problem, self.interval, self.limits, self.soft = problem, interval, limits, soft
        from ortools.sat.python import cp_model  # here, for it takes half a second that most commands do not need

        self.model = cp_model.CpModel()
        self.terms: list[list[tuple[cp_model.IntVar, int]]] = [[] for _ in RESOURCES]
        self.options = [
            [option for option in options if soft or option.amounts.fits(limits)]
            for options in undominated(problem, interval)
        ]
        self.possible = all(self.options)
        self.chosen: list[list[cp_model.IntVar]] = []
        if self.possible:
            self._places()
            self._edges()
            self._resources()

    def solve(self, any_cost: bool) -> Answer:
        from ortools.sat.python import cp_model

        if not any_cost:
            self.model.minimize(self.objective)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.linearization_level = 2
        solver.parameters.max_deterministic_time = EFFORT
        status = solver.solve(self.model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Answer(None, proved=status == cp_model.INFEASIBLE)
        options = tuple(
            next(option for option, variable in zip(options, variables, strict=True) if solver.boolean_value(variable))
            for options, variables in zip(self.options, self.chosen, strict=True)
        )
        cheapest = status == cp_model.OPTIMAL and not any_cost
        return Answer(_selection(self.problem, options, cheapest), proved=True)

    def _places(self) -> None:
        """Exactly one option each; the outputs leave one after the other."""
        exits = []
        for options in self.options:
            variables = [self.model.new_bool_var("") for _ in options]
            self.model.add_exactly_one(variables)
            self.chosen.append(variables)
            for option, variable in zip(options, variables, strict=True):
                self._take(variable, option.amounts)
                exits.append(option.exit_cycles * variable)
        self.model.add(sum(exits) <= self.interval)

    def _edges(self) -> None:
        """Lanes at both ends of each edge; a variable per pair of them, which costs what the ``width`` kernels do."""
        for edge in self.problem.edges:
            writers, readers = self._by_lanes(edge.writer, 1), self._by_lanes(edge.reader, 0)
            pairs: dict[tuple[int, int], cp_model.IntVar] = {}
            for a in writers:
                for b in readers:
                    amounts, cycles = self.problem.costs.width(edge, a, b)
                    if cycles <= self.interval and (a == b or not edge.rigid):
                        pairs[a, b] = self.model.new_bool_var("")
                        self._take(pairs[a, b], amounts)
            for end, groups in enumerate((writers, readers)):
                for lanes, variables in groups.items():
                    at_lanes = [variable for pair, variable in pairs.items() if pair[end] == lanes]
                    self.model.add(sum(at_lanes) == sum(variables))

    def _by_lanes(self, place: int, end: int) -> dict[int, list[cp_model.IntVar]]:
        groups: dict[int, list[cp_model.IntVar]] = {}
        for option, variable in zip(self.options[place], self.chosen[place], strict=True):
            groups.setdefault((option.lanes_in, option.lanes_out)[end], []).append(variable)
        return groups

    def _take(self, variable: cp_model.IntVar, amounts: Amounts) -> None:
        for terms, amount in zip(self.terms, amounts, strict=True):
            if amount:
                terms.append((variable, amount))

    def _resources(self) -> None:
        """Sums within limits; the objective counts them as weighted fractions of the limits."""
        self.objective: cp_model.LinearExprT = 0
        for terms, limit, weight in zip(self.terms, self.limits, WEIGHTS, strict=True):
            total = sum(variable * amount for variable, amount in terms)
            self.objective += total * (_unit(limit) * weight)
            if self.soft:
                most = sum(amount for _, amount in terms)
                excess = self.model.new_int_var(0, max(most - limit, 0), "")
                self.model.add(total <= limit + excess)
                self.objective += excess * (_unit(limit) * EXCESS)
            else:
                self.model.add(total <= limit)


def weighted(amounts: Amounts, limits: Amounts) -> int:
    """What the solver minimises: ``amounts`` as weighted fractions of ``limits``, in millionths."""
    return sum(amount * _unit(limit) * weight for amount, limit, weight in zip(amounts, limits, WEIGHTS, strict=True))


def _unit(limit: int) -> int:
    """What one of a resource of which there are ``limit`` counts."""
    return SCALE // max(limit, 1)


def _selection(problem: Problem, options: tuple[Option, ...], cheapest: bool) -> Selection:
    amounts, interval = Amounts(), sum(option.exit_cycles for option in options)
    for option in options:
        amounts, interval = amounts + option.amounts, max(interval, option.cycles)
    for edge in problem.edges:
        more, cycles = problem.costs.width(edge, options[edge.writer].lanes_out, options[edge.reader].lanes_in)
        amounts, interval = amounts + more, max(interval, cycles)
    return Selection(options, amounts, interval, cheapest)
