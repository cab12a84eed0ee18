"""The installed package: a wheel, in an environment of its own, used from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.conftest import EXAMPLES


def call(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HLSGEN"))}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs, with hlsgen installed from its wheel.

    hlsgen's dependencies come from the environment that runs the tests, by a .pth file: only hlsgen itself is fresh.
    """
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    call(programs / "python", "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=folder)
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    borrowed = sysconfig.get_path("purelib")
    # an editable hlsgen there is a .pth file, which only counts in a site folder, not in one added by a .pth file
    (site / "dependencies.pth").write_text(f"{borrowed}\n")
    return programs


def test_the_installed_package_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    where = call(installed / "python", "-c", "import hlsgen; print(hlsgen.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed.parent))
    assert Path(where.strip()).with_name("py.typed").is_file()


def test_commands_work_from_another_folder(installed: Path, tmp_path: Path) -> None:
    assert "pynq-z2" in call(installed / "hlsgen", "boards", cwd=tmp_path)
    assert "g++" in call(installed / "hlsgen", "doctor", cwd=tmp_path)
    # no package, but what makes `import pynq` enough on the emulated board
    site = call(installed / "python", "-c", "from hlsgen.sim.emulated_board import SITE; print(SITE)", cwd=tmp_path)
    assert (Path(site.strip()) / "sitecustomize.py").is_file()


def test_the_example_is_built_and_verified(installed: Path, tmp_path: Path) -> None:
    answer = call(installed / "hlsgen", "build", EXAMPLES / "digits_qop.onnx", "-b", "pynq-z2", "--json", cwd=tmp_path)
    manifest = json.loads(answer)["manifest"]
    assert manifest["verify"]["canonical"]["mismatches"] == 0
    assert (tmp_path / "build" / "digits_qop" / "hls" / "top.cpp").is_file()
    assert {"driver.py", "notebook.ipynb"} <= {p.name for p in (tmp_path / "build" / "digits_qop" / "deploy").iterdir()}
    assert (tmp_path / "build" / "digits_qop" / "vivado" / "build.tcl").is_file()
