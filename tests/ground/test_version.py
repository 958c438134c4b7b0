"""The version is that of the installed package."""

from importlib import metadata

from ground.version import VERSION


def test_it_is_what_was_installed() -> None:
    assert metadata.version("doorward") == VERSION
