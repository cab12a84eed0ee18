"""What docs/new_kernel.md says: a kernel is four files, and a copy of them under another name works at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.commands import ROOT

PAGE = ROOT / "docs" / "new_kernel.md"
DATA = ("hlsgen", "templates", "ip_repo", "boards", "tests")


def test_a_copy_of_a_kernel_under_another_name_works(tmp_path: Path) -> None:
    for name in DATA:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    script = re.search(r"^ {4}for file in .*?^ {4}done$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert script is not None
    subprocess.run(["sh", "-c", script[0]], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernels/test_braid.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d+ passed", done.stdout)
    assert "braid" in (tmp_path / "ip_repo" / "braid.sv").read_text()


def test_what_the_page_shows_is_what_the_files_say() -> None:
    """Every line of its Python is in the kernel's files, up to what it leaves out."""
    files = [ROOT / "hlsgen" / "kernels" / "concat.py", ROOT / "tests" / "kernels" / "test_concat.py"]
    known = {line.strip() for path in files for line in path.read_text().splitlines()}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines() if line.strip() and "..." not in line]
    assert lines
    assert [line for line in lines if line not in known] == []
