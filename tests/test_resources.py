import pytest

from hlsgen.resources import resource


def test_finds_folders_and_files_of_a_checkout() -> None:
    assert resource("boards", "pynq-z2.yaml").read_text().startswith("title: TUL PYNQ-Z2")
    assert resource("templates", "hls").is_dir()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"templates/hls/nothing\.hpp is missing"):
        resource("templates", "hls", "nothing.hpp")
