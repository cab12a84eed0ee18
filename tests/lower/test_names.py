"""Identifiers from untrusted text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlsgen.lower.names import LONGEST, RESERVED, identifiers, printable

IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

HOSTILE = [
    'conv"; system("rm -rf /"); //',
    "a\nb",
    "*/ int x; /*",
    "back\\\nslash",
    "tri??/graph",
    "größe/卷积/свёртка",
    "",
    "___",
    "3x3",
    "module",
    "MODULE",
    "int",
    "in",
    "out",
    "[exec ls]",
    "$::env(HOME)",
    "{{ 7 * 7 }}",
    "<script>",
    "con",
    "x" * 500,
    "x" * 499 + "y",
]


def name_all(texts: list[str]) -> list[str]:
    return identifiers(texts, ["layer"] * len(texts))


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_becomes_an_identifier(text: str) -> None:
    (name,) = name_all([text])
    assert IDENTIFIER.fullmatch(name)
    assert name not in RESERVED
    assert len(name) <= LONGEST


def test_names_are_unique_and_stay_so() -> None:
    names = name_all(HOSTILE * 12)
    assert len(set(names)) == len(names)
    assert names == name_all(HOSTILE * 12)


@given(st.lists(st.text(max_size=60), max_size=8))
def test_random_text(texts: list[str]) -> None:
    names = name_all(texts)
    assert len(set(names)) == len(texts)
    for name in names:
        assert IDENTIFIER.fullmatch(name)
        assert name not in RESERVED
        assert len(name) <= LONGEST


def test_readable_names_stay_readable() -> None:
    assert name_all(["model/conv1/Conv2D", "model/conv2/Conv2D"]) == ["conv1_conv2d", "conv2_conv2d"]
    assert name_all(["/layer1/layer1.0/conv/Conv", "/layer1/layer1.1/conv/Conv"]) == [
        "layer1_0_conv",
        "layer1_1_conv",
    ]
    assert name_all(["/stem/Conv", "/layer1/layer1.0/conv/Conv"]) == ["stem_conv", "layer1_0_conv"]
    assert name_all(["a/b", "a/b"]) == ["b", "b_2"]
    assert name_all(["dense"]) == ["dense"]


def test_text_without_letters_takes_the_fallback() -> None:
    assert identifiers(["", "卷积", "???"], ["conv", "maxpool", "conv"]) == ["conv", "maxpool", "conv_2"]


@given(st.text(max_size=200))
def test_printable_text_cannot_leave_a_comment(text: str) -> None:
    safe = printable(text)
    assert len(safe) <= 72
    assert re.fullmatch(r"[A-Za-z0-9_./:;+-]*", safe)
