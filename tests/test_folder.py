import os
from pathlib import Path

import pytest

from hlsgen.errors import FolderError
from hlsgen.folder import MANIFEST, Workspace, read_manifest


def work(workspace: Workspace, step: str, text: str = "") -> None:
    """Do a step that leaves one file."""
    workspace.path.mkdir(parents=True, exist_ok=True)
    (workspace.path / f"{step}.txt").write_text(text or step)
    workspace.finish(step)


def finished(target: Path, fingerprint: str, text: str = "") -> Workspace:
    """A whole build."""
    workspace = Workspace.open(target, fingerprint)
    work(workspace, "import", text)
    (workspace.path / MANIFEST).write_text('{"maker": "hlsgen"}')
    workspace.finish("csim")
    workspace.publish()
    return workspace


def content(target: Path) -> str:
    return (target / "import.txt").read_text()


def test_opening_makes_nothing(tmp_path: Path) -> None:
    Workspace.open(tmp_path / "out", "a")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_build_goes_on_and_another_starts_anew(tmp_path: Path) -> None:
    target = tmp_path / "out"
    work(Workspace.open(target, "a"), "import")
    again = Workspace.open(target, "a")
    assert again.done == ["import"]
    assert (again.path / "import.txt").exists()
    other = Workspace.open(target, "b")
    assert other.done == []
    assert not other.path.exists()


def test_a_build_replaces_its_predecessor(tmp_path: Path) -> None:
    target = tmp_path / "out"
    finished(target, "a", "first")
    finished(target, "b", "second")
    assert content(target) == "second"
    assert read_manifest(target) == {"maker": "hlsgen"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    finished(tmp_path / "out", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_adopting_a_finished_build(tmp_path: Path) -> None:
    target = tmp_path / "out"
    finished(target, "a")
    workspace = Workspace.open(target, "a")
    workspace.adopt()
    workspace.rewind(["csim"])
    assert workspace.done == ["import"]
    assert not (workspace.path / MANIFEST).exists(), "what is not finished must not look like a build"
    assert read_manifest(target), "the finished build stays until the new one is whole"


def test_a_finished_build_of_other_inputs_is_not_adopted(tmp_path: Path) -> None:
    finished(tmp_path / "out", "a")
    workspace = Workspace.open(tmp_path / "out", "b")
    workspace.adopt()
    assert workspace.done == []


def test_a_failing_replacement_leaves_the_old_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    finished(target, "a", "first")
    workspace = Workspace.open(target, "b")
    work(workspace, "import", "second")
    rename = Path.rename

    def failing(self: Path, other: Path) -> Path:
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        workspace.publish()
    assert content(target) == "first"


def test_a_replacement_cut_short_between_its_renames_is_undone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    finished(target, "a", "first")
    os.rename(target, tmp_path / "out.old")  # what a kill at the worst moment leaves
    Workspace.open(target, "a")
    assert content(target) == "first"


@pytest.mark.parametrize("name", ["out", "out.partial"])
def test_a_foreign_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("mine")
    with pytest.raises(FolderError, match="did not make"):
        Workspace.open(tmp_path / "out", "a")
    assert (tmp_path / name / "thesis.tex").exists()


def test_a_folder_that_became_foreign_meanwhile_is_left_alone(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "out", "a")
    work(workspace, "import")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(FolderError, match="did not make"):
        workspace.publish()


def test_a_file_or_a_link_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(FolderError, match="is not a folder"):
            Workspace.open(tmp_path / name, "a")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"maker": "other"}', '{"maker": "hlsgen"'])
def test_a_manifest_that_is_not_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(FolderError):
        read_manifest(tmp_path)


def test_an_unfinished_build_is_pointed_out(tmp_path: Path) -> None:
    work(Workspace.open(tmp_path / "out", "a"), "import")
    with pytest.raises(FolderError, match=r"An unfinished build is in .*out\.partial"):
        read_manifest(tmp_path / "out")
