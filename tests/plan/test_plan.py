"""The plan file: written, read back, and refused with a sentence that says what is legal."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hlsgen.errors import PlanError
from hlsgen.kernels.dot_array import Mac
from hlsgen.lower import lower
from hlsgen.plan import LayerPlan, Plan, apply_depths, load, save, size_fifos, smallest
from tests.lower.graphs import GRAPHS, graph_of, units_of

NAME = "residual"


def plan_of(name: str = NAME) -> Plan:
    return smallest(graph_of(name), units_of(name))


def edited(tmp_path: Path, *path: str, value: object) -> Path:
    """The smallest plan as a file, with the entry at ``path`` set to ``value``."""
    file = tmp_path / "plan.yaml"
    save(plan_of(), file)
    content = yaml.safe_load(file.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file.write_text(yaml.safe_dump(content))
    return file


def message(path: Path) -> str:
    with pytest.raises(PlanError) as caught:
        load(path, graph_of(NAME), units_of(NAME))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_saved_plan_reads_back_equal(name: str, tmp_path: Path) -> None:
    plan = plan_of(name)
    save(plan, tmp_path / "plan.yaml")
    assert load(tmp_path / "plan.yaml", graph_of(name), units_of(name)) == plan
    first = (tmp_path / "plan.yaml").read_bytes()
    save(plan_of(name), tmp_path / "plan.yaml")
    assert (tmp_path / "plan.yaml").read_bytes() == first


def test_a_plan_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(plan_of(), tmp_path / "plan.yaml")
    write = Path.write_text

    def cut_short(path: Path, text: str, **options: str) -> None:
        write(path, text[: len(text) // 2], **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", cut_short)
    with pytest.raises(KeyboardInterrupt):
        save(plan_of().model_copy(update={"streams": {"s": 2}}), tmp_path / "plan.yaml")
    assert load(tmp_path / "plan.yaml", graph_of(NAME), units_of(NAME)) == plan_of()


def test_the_file_explains_itself(tmp_path: Path) -> None:
    save(plan_of(), tmp_path / "plan.yaml")
    text = (tmp_path / "plan.yaml").read_text()
    assert "about: convolution 3x3 pads 1,1,1,1, 6x6x3 -> 6x6x8, int8 -> int8" in text
    for field in LayerPlan.model_fields.keys() - {"about", "node"}:
        assert f"#   {field} " in text


def test_the_smallest_plan_is_all_ones() -> None:
    for entry in plan_of().layers.values():
        assert {value for value in (entry.pe, entry.lanes, entry.taps, entry.requant_lanes) if value is not None} == {1}


def test_the_natural_multiplier_follows_the_operands() -> None:
    def macs(name: str) -> list[str]:
        return [entry.mac for entry in plan_of(name).layers.values() if entry.mac]

    assert set(macs("residual")) == {"dsp"}
    assert macs("bipolar") == ["lut", "lut", "xnor", "xnor", "lut"]


def test_folding_reads_an_entry() -> None:
    plan = plan_of()
    plan.layers["conv1"].pe = 4
    plan.layers["conv1"].mac = "dsp2"
    folding = plan.folding("conv1")
    assert (folding.pe, folding.lanes, folding.mac, folding.unit) == (4, 1, Mac.DSP2, plan.layers["conv1"].unit)


def test_an_illegal_number_is_named_with_the_legal_ones(tmp_path: Path) -> None:
    text = message(edited(tmp_path, "layers", "conv1", "pe", value=3))
    assert text == "Layer conv1: pe cannot be '3'; legal values are 1, 2, 4, 8."
    text = message(edited(tmp_path, "layers", "conv1", "taps", value=2))
    assert text == "Layer conv1: taps cannot be '2'; legal values are 1, 3, 9."


def test_an_inexact_unit_is_named_with_the_exact_ones(tmp_path: Path) -> None:
    text = message(edited(tmp_path, "layers", "conv1", "unit", value="shift"))
    assert text.startswith("Layer conv1: unit cannot be 'shift'; legal values are ")
    assert "float24" in text


def test_dsp2_takes_an_even_pe(tmp_path: Path) -> None:
    text = message(edited(tmp_path, "layers", "conv1", "mac", value="dsp2"))
    assert text == "Layer conv1: dsp2 computes sums in pairs; with it, legal values of pe are 2, 4, 8."


def test_a_field_of_another_kind_of_layer_is_refused(tmp_path: Path) -> None:
    text = message(edited(tmp_path, "layers", "add13", "pe", value=1))
    assert text == "Layer add13 has no pe; its fields are lanes, unit, requant_mac."


def test_unknown_and_missing_layers_are_refused(tmp_path: Path) -> None:
    text = message(edited(tmp_path, "layers", 'x"\n<b>', value={"pe": 1}))
    assert text.startswith("The plan has a layer 'x___b_' that the model does not have. Its layers are conv1, ")
    plan = plan_of()
    del plan.layers["conv1"]
    save(plan, tmp_path / "plan.yaml")
    assert message(tmp_path / "plan.yaml").startswith("The plan lacks layer conv1. Its layers are conv1, ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 7", "has version '7'; this hlsgen reads version 1"),
        ("layers: [", "is not YAML"),
        ("- 1", "is not a mapping"),
        ("version: 1\nlayers: {conv1: {pe: many}}", "layers.conv1.pe: Input should be a valid integer"),
        ("version: 1\nlayers: {conv1: {speed: 1}}", "layers.conv1.speed: Extra inputs are not permitted"),
        ("version: 1\nstreams: {a: x}", "streams.a: Input should be a valid integer"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    assert expected in message(tmp_path / "plan.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in message(tmp_path / "plan.yaml")


def test_depths_come_from_the_plan_or_are_computed() -> None:
    plan = plan_of()
    design = lower(graph_of(NAME), units_of(NAME), plan, 64)
    depths = size_fifos(design)
    name = max(depths, key=lambda stream: depths[stream])
    apply_depths(plan.model_copy(update={"streams": {name: depths[name] + 5}}), design, depths)
    expected = {**depths, name: depths[name] + 5}
    assert {stream: design.streams[stream].depth for stream in depths} == expected


def test_a_depth_that_deadlocks_and_an_unknown_stream_are_refused() -> None:
    plan = plan_of()
    design = lower(graph_of(NAME), units_of(NAME), plan, 64)
    depths = size_fifos(design)
    name = max(depths, key=lambda stream: depths[stream])
    least = depths[name]
    with pytest.raises(PlanError, match=f"Stream {name}: a depth of {least - 1} .* legal values are {least} and more"):
        apply_depths(plan.model_copy(update={"streams": {name: least - 1}}), design, depths)
    with pytest.raises(PlanError, match="a stream 'nowhere' that the design does not have"):
        apply_depths(plan.model_copy(update={"streams": {"nowhere": 2}}), design, depths)
