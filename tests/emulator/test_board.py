"""The emulated board: the shipped driver and notebook on real pynq, its DMA and memory, faults, and the way there."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlsgen.board import load, names
from hlsgen.board_emulator.config import VARIABLE, Config
from hlsgen.emit import hwh
from hlsgen.errors import FolderError, OptionError, ToolError, VerificationError
from hlsgen.resources import PACKAGE
from hlsgen.sim import board_python, emulated_board
from hlsgen.sim.emulated_board import Options, Workplace
from hlsgen.system import ACCEL, DMA, System
from tests.conftest import find_board_python
from tests.emulator import on_board
from tests.emulator.conftest import BOARDS, VERSIONS, Built, build, environment

IMAGES = 24

BUILD_ID = "0000000000000120"
"""All digits and zeros in front: it must not become a number anywhere."""

Digits = Callable[[str], Built]


def python(place: Workplace, *words: str | Path, code: int = 0) -> str:
    """What a Python program prints in the workplace."""
    done = subprocess.run(
        [place.python, *words],
        cwd=place.folder,
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def failures(built: Built, version: str, images: int = IMAGES) -> dict[str, str]:
    """The checks of ``on_board.py`` that fail."""
    with built.place(version) as place:
        data, results = place.folder.parent / "data.npz", place.folder.parent / "results.json"
        built.vectors(images, data)
        python(place, Path(on_board.__file__), place.environment[VARIABLE], data, results)
        outcome = json.loads(results.read_text())["checks"]
    assert list(outcome) == list(on_board.CHECKS)
    return {name: text for name, text in outcome.items() if text}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("board", BOARDS)
def test_on_board(digits: Digits, board: str, version: str) -> None:
    failed = failures(digits(board), version)
    assert failed == {}, "\n".join(failed.values())


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("model", "board", "images"),
    [
        ("qonnx_tfc_1w1a.onnx", "kv260", 24),
        ("mlperf_kws_qdq.onnx", "pynq-z2", 7),
        ("mlperf_resnet8_qdq.onnx", "pynq-z2", 7),
    ],
)
def test_real_models(
    model_path: Callable[[str], Path], tmp_path: Path, model: str, board: str, images: int, version: str
) -> None:
    """Batches of three sizes through the driver, equal to golden."""
    built = build(model_path(model), board, tmp_path / Path(model).stem)
    with built.place(version) as place:
        data = place.folder.parent / "data.npz"
        built.vectors(images, data)
        python(place, "-c", BATCHES, str(data))


BATCHES = """
import sys
import numpy as np
from driver import Accelerator

data = np.load(sys.argv[1])
with Accelerator() as accelerator:
    for images in (1, 3, len(data["x"])):
        assert np.array_equal(accelerator.predict(data["x"][:images]), data["y"][:images]), images
        assert np.array_equal(accelerator.run_words(data["words"][:images]), data["leaving"][:images]), images
"""


@pytest.mark.slow
def test_a_thousand_images_without_growth(digits: Digits) -> None:
    built = digits("pynq-z2")
    with built.place("4.0.0") as place:
        data = place.folder.parent / "data.npz"
        built.vectors(1000, data)
        python(place, "-c", THOUSAND, str(data))


THOUSAND = """
import resource, sys
import numpy as np
from driver import Accelerator

data = np.load(sys.argv[1])
x, y = data["x"], data["y"]
with Accelerator() as accelerator:
    peaks = []
    for _ in range(3):
        assert np.array_equal(accelerator.predict(x), y)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
assert peaks[2] - peaks[0] < 1024, peaks  # KiB
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_notebook_runs_with_its_plots(digits: Digits, version: str) -> None:
    with digits("pynq-z2").place(version) as place:
        place.environment["HLSGEN_SECONDS"] = "0.5"  # of each measurement
        python(place, "-c", NOTEBOOK)
        cells = json.loads((place.folder / "run.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert [output["output_type"] for output in outputs if output["output_type"] == "error"] == []
    plots = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(plots) >= 2
    assert min(map(len, plots)) > 2000, "a plot with something on it"


NOTEBOOK = """
import nbclient, nbformat

book = nbformat.read("notebook.ipynb", 4)
nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
nbformat.write(book, "run.ipynb")
"""


# -- the way there


def test_run_is_golden(digits: Digits) -> None:
    built = digits("kv260")
    entering, leaving = built.words(built.feeds(6, seed=3))
    with environment("4.0.0"):
        received = emulated_board.run(built.folder, built.manifest, built.system, entering, cache=_cache())
    np.testing.assert_array_equal(received, leaving)
    assert received.dtype == leaving.dtype


def test_run_reports_what_the_driver_says(digits: Digits) -> None:
    built = digits("pynq-z2")
    entering, _ = built.words(built.feeds(2))
    arguments = (built.folder, built.manifest, built.system, entering)
    with environment("4.0.0"):
        with pytest.raises(VerificationError, match=r"The bitstream is of build"):
            emulated_board.run(*arguments, Options(faults=("wrong-build-id",)), cache=_cache())
        with pytest.raises(VerificationError, match=r"accel\.hwh has no .*: it is not of this build\."):
            emulated_board.run(*arguments, Options(faults=("other-hwh",)), cache=_cache())
        own = built.manifest["build_id"][:16]
        with pytest.raises(VerificationError, match=rf"accel\.hwh is of build (?!{own}).{{16}}, but .* build {own}\."):
            emulated_board.run(*arguments, Options(faults=("other-build-hwh",)), cache=_cache())


def test_a_command_in_a_copy_of_the_folder(digits: Digits, capfd: pytest.CaptureFixture[str]) -> None:
    built = digits("pynq-z2")
    before = _files(built.folder)

    def emulate(*command: str) -> int:
        with environment("4.0.0"):
            return emulated_board.emulate(built.folder, built.manifest, built.system, command, cache=_cache())

    assert emulate("python", "driver.py", "--self-test") == 0
    assert "PASS" in capfd.readouterr().out
    assert emulate("sh", "-c", "exit 7") == 7
    assert "Kept" not in capfd.readouterr().out
    assert emulate("sh", "-c", "echo figures > new.csv; echo more >> README.md; mkdir a; touch a/b") == 0
    said = capfd.readouterr().out
    kept = Path(said.split("Kept 3 new or changed files in ")[1].strip())
    assert sorted(_files(kept)) == ["README.md", "a/b", "new.csv"]
    assert (kept / "new.csv").read_text() == "figures\n"
    shutil.rmtree(kept)
    with pytest.raises(ToolError, match=r"^no-such-program cannot be run: No such file or directory\.$"):
        emulate("no-such-program")
    assert _files(built.folder) == before


def test_the_shell(digits: Digits, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    built = digits("pynq-z2")
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setattr(sys, "stdin", None)
    with environment("4.0.0"), open(os.devnull) as nothing:
        stdin = os.dup(0)
        try:
            os.dup2(nothing.fileno(), 0)
            assert emulated_board.emulate(built.folder, built.manifest, built.system, cache=_cache()) == 0
        finally:
            os.dup2(stdin, 0)
            os.close(stdin)
    said = capfd.readouterr().out
    assert said.startswith("This is TUL PYNQ-Z2, emulated")
    assert "python driver.py --self-test" in said


def test_options_without_sense(digits: Digits) -> None:
    built = digits("pynq-z2")

    def describe(**options: Any) -> Config:
        arguments = (built.folder, built.manifest, built.system, Options(**options), Path("library"))
        return emulated_board.describe(*arguments)

    faults = ("no-tlast:always", "other-hwh", "other-build-hwh")
    assert describe(faults=faults).faults == ("no-tlast:always",)
    listed = r"^The faults are no-tlast, .*, wrong-build-id \(each .*\), other-hwh \(.*\) and other-build-hwh \(.*\)\. "
    for wrong in ("?", "no-last", "no-tlast:often", "other-hwh:always"):
        with pytest.raises(OptionError, match=rf"{listed}'{re.escape(wrong)}' is none of them\.$"):
            describe(faults=("no-tlast", wrong))
    with pytest.raises(OptionError, match=r"^stalls is 1\.0, a share of the cycles"):
        describe(stalls=1.0)
    with pytest.raises(OptionError, match=r"buffers of 0 MB"):
        describe(memory_mb=0)


def test_a_build_that_is_not_finished(digits: Digits, tmp_path: Path) -> None:
    built = digits("pynq-z2")
    with (
        pytest.raises(FolderError, match=r"has no deploy/driver\.py: it was not built to the end"),
        emulated_board.workplace(tmp_path, built.manifest, built.system),
    ):
        pass


def test_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(board_python.VARIABLE, raising=False)
    monkeypatch.setattr(board_python, "PACKAGE", tmp_path / "hlsgen")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ToolError, match=r"needs a Python environment like the board's; .* is none\. To make one"):
        board_python.find()
    monkeypatch.setenv(board_python.VARIABLE, "/nowhere/python")
    with pytest.raises(ToolError, match=r"HLSGEN_BOARD_PYTHON=/nowhere/python is none"):
        board_python.find()
    monkeypatch.setenv(board_python.VARIABLE, sys.executable)  # hlsgen's own: no pynq in it
    with pytest.raises(ToolError, match=r"has no pynq, or no NumPy"):
        board_python.find()
    for says, why in (("3 11 4.0.0 2.1.0", "NumPy 2.1.0"), ("3 8 3.0.1 1.26.4", "Python 3.8")):
        fake = tmp_path / "python"
        fake.write_text(f"#!/bin/sh\necho {says}\n")
        fake.chmod(0o755)
        monkeypatch.setenv(board_python.VARIABLE, str(fake))
        with pytest.raises(ToolError, match=why):
            board_python.find()


def test_the_environment_below_the_current_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(board_python.VARIABLE, raising=False)
    monkeypatch.setattr(board_python, "PACKAGE", tmp_path / "elsewhere" / "hlsgen")
    monkeypatch.chdir(tmp_path)
    fake = tmp_path / ".venv-board" / "pynq-4.0.0" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.write_text("#!/bin/sh\necho 3 12 4.0.0 1.26.4\n")
    fake.chmod(0o755)
    assert board_python.find() == fake


# -- what the board's environment sees


@pytest.mark.parametrize("version", VERSIONS)
def test_pynq_reads_the_hwh_of_every_board(version: str, tmp_path: Path) -> None:
    systems = {name: System(load(name), load(name).clock()) for name in names()}
    for name, system in systems.items():
        hwh.write(system, f"{BUILD_ID}0123", tmp_path / f"{name}.hwh")
    with environment(version):
        interpreter = board_python.find()
    done = subprocess.run(
        [interpreter, "-I", "-W", "ignore", "-c", PARSE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(systems)
    for name, system in systems.items():
        parsed = found[name]
        assert {cell: parsed["ip"][cell]["phys_addr"] for cell in (ACCEL, DMA)} == system.addresses
        assert parsed["ip"][DMA]["type"] == "xilinx.com:ip:axi_dma:7.1"
        parameters = parsed["ip"][DMA]["parameters"]
        assert int(parameters["c_sg_length_width"]) == 26
        assert int(parameters["c_m_axi_mm2s_data_width"]) == system.board.axi_bits
        assert int(parameters["c_addr_width"]) == system.address_bits
        assert parsed["ip"][ACCEL]["parameters"]["BUILD_ID"] == BUILD_ID
        assert parsed["ip"][ACCEL]["registers"]["CYCLES_HIGH"]["address_offset"] == 0x14
        clock = parsed["clocks"]["0"]
        assert (clock["enable"], clock["divisor0"], clock["divisor1"]) == (1, *system.clock.dividers)
        assert [parsed["clocks"][str(index)]["enable"] for index in (1, 2, 3)] == [0, 0, 0]
        if clock.get("frequency") is not None:  # pynq 4.0, MPSoC
            assert clock["frequency"] == pytest.approx(system.clock.mhz)
        assert parsed["is_pl"] == "FALSE", "pynq 3.0 knows the processing system by that"


PARSE = """
import json
from pathlib import Path
from xml.etree import ElementTree
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

found = {}
for path in Path().glob("*.hwh"):
    parser = RuntimeMetadataParser(Metadata(input=path))
    module = ElementTree.parse(path).find(f".//MODULE[@INSTANCE='{parser.ps_name}']")
    found[path.stem] = {"ip": parser.ip_dict, "clocks": dict(parser.clock_dict), "is_pl": module.get("IS_PL")}
print(json.dumps(found, default=str))
"""


def test_it_runs_without_the_rest_of_hlsgen() -> None:
    for path in (PACKAGE / "board_emulator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                assert not module.startswith("hlsgen") or module.startswith("hlsgen.board_emulator"), path


def test_the_environments_own_sitecustomize_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hidden')\n")
    site = str(emulated_board.SITE)
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    ask = "import sys; print('hlsgen.board_emulator.hook' in sys.modules, sys.modules['sitecustomize'].__file__)"
    for variables, hooked in (({}, False), ({VARIABLE: "board.json"}, True)):
        done = subprocess.run(
            [sys.executable, "-c", ask],
            env={**kept, **variables, "PYTHONPATH": f"{site}{os.pathsep}{tmp_path}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines() == ["hidden", f"{hooked} {site}/sitecustomize.py"]


def test_a_description_is_read_as_it_was_written(tmp_path: Path, digits: Digits) -> None:
    built = digits("kv260")
    options = Options(faults=("no-tlast",), gaps=0.25, seed=3, memory_mb=7)
    config = emulated_board.describe(built.folder, built.manifest, built.system, options, Path("library"))
    path = tmp_path / "board.json"
    path.write_text(config.text())
    assert Config.read(path) == config
    assert config.memory_bytes == 7 << 20
    for text in ("[]", '{"name": "x"}', '{"nmae": "x"}', "{"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"does not describe an emulated board|Expecting"):
            Config.read(path)


def test_a_board_without_its_description_says_so(digits: Digits) -> None:
    with digits("pynq-z2").place("4.0.0") as place:
        Path(place.environment[VARIABLE]).write_text("{}")
        said = python(place, "driver.py", "--self-test", code=1)
    assert "does not describe an emulated board" in said


def _cache() -> Path:
    from tests.emulator.conftest import CACHE

    return CACHE


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_makefile_makes_both_environments() -> None:
    """``board_python.find`` and these tests look where the Makefile puts them."""
    folder = PACKAGE.parent / "board-env"
    assert sorted(path.stem for path in folder.glob("*.txt")) == [f"pynq-{version}" for version in VERSIONS]
    for version in VERSIONS:
        assert f"pynq=={version}\n" in (folder / f"pynq-{version}.txt").read_text()
    assert find_board_python(VERSIONS[-1]).parts[-4:-2] == board_python.ENVIRONMENT.parts
