import os
from contextlib import closing
from pathlib import Path

import pytest

from hlsgen.errors import FolderError
from hlsgen.folder import MANIFEST, STATE, Workspace, read_manifest


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
    assert list(again.done) == ["import"]
    assert (again.path / "import.txt").exists()
    other = Workspace.open(target, "b")
    assert list(other.done) == []
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
    assert list(workspace.done) == ["import"]
    assert not (workspace.path / MANIFEST).exists(), "what is not finished must not look like a build"
    assert read_manifest(target), "the finished build stays until the new one is whole"


def test_a_finished_build_of_other_inputs_is_not_adopted(tmp_path: Path) -> None:
    finished(tmp_path / "out", "a")
    workspace = Workspace.open(tmp_path / "out", "b")
    workspace.adopt()
    assert list(workspace.done) == []


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
    os.rename(target, tmp_path / ".out.replaced")  # what a kill at the worst moment leaves
    Workspace.open(target, "a")
    assert content(target) == "first"


def test_begun_work_is_recognized_before_its_first_step_is_done(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "out", "a")
    workspace.begin()
    (workspace.path / "half.txt").write_text("kil")
    workspace.close()
    assert list(Workspace.open(tmp_path / "out", "a").done) == []
    Workspace.open(tmp_path / "out", "b")


def test_a_begin_cut_short_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / f"{STATE}.new").write_text('{"mak')
    finished(tmp_path / "out", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("fingerprint", ["a", "b"])
def test_two_builds_do_not_share_a_folder(tmp_path: Path, fingerprint: str) -> None:
    at_work = Workspace.open(tmp_path / "out", "a")
    late = Workspace.open(tmp_path / "out", fingerprint)
    at_work.begin()
    work(at_work, "import")
    with pytest.raises(FolderError, match=r"Another build is at work in .*out\.partial"):
        Workspace.open(tmp_path / "out", fingerprint)
    with pytest.raises(FolderError, match="Another build is at work"):
        late.begin()
    at_work.close()
    assert list(Workspace.open(tmp_path / "out", "a").done) == ["import"]


def test_a_replacement_under_way_is_not_undone(tmp_path: Path) -> None:
    finished(tmp_path / "out", "a")
    with closing(Workspace.open(tmp_path / "out", "b")) as at_work:
        at_work.begin()
        (tmp_path / "out").rename(tmp_path / ".out.replaced")  # publish is between its renames
        with pytest.raises(FolderError, match="Another build is at work"):
            Workspace.open(tmp_path / "out", "a")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_needs_a_name(name: str) -> None:
    with pytest.raises(FolderError, match="is no name for a new folder"):
        Workspace.open(Path(name), "a")


class Killed(BaseException):
    """Stands for a kill: nothing may clean up after it."""


def killed(*_: object, **__: object) -> None:
    raise Killed


def test_a_removal_cut_short_leaves_nothing_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work(Workspace.open(tmp_path / "out", "a"), "import")

    def cut_short(folder: Path, ignore_errors: bool = False) -> None:
        if (folder / STATE).exists():
            (folder / STATE).unlink()
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", cut_short)
        with pytest.raises(Killed):
            Workspace.open(tmp_path / "out", "b")
    finished(tmp_path / "out", "b")
    Workspace.open(tmp_path / "out", "c").remove()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_adoption_cut_short_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(tmp_path / "out", "a")
    cut_short = Workspace.open(tmp_path / "out", "a")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copytree", killed)
        with pytest.raises(Killed):
            cut_short.adopt()
    cut_short.close()
    workspace = Workspace.open(tmp_path / "out", "a")
    workspace.adopt()
    assert list(workspace.done) == ["import", "csim"]
    workspace.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["out.old", "out.copy"])
@pytest.mark.parametrize("finish", [False, True])
def test_a_build_kept_under_another_name_stays(tmp_path: Path, name: str, finish: bool) -> None:
    """Somebody renamed a build to keep it: it is neither taken back nor removed."""
    target = tmp_path / "out"
    finished(target, "a", "kept")
    target.rename(tmp_path / name)
    if finish:
        finished(target, "b", "new")
        with closing(Workspace.open(target, "b")) as workspace:
            workspace.adopt()
    finished(target, "c", "newer")
    assert content(target) == "newer"
    assert content(tmp_path / name) == "kept"


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
