"""Fills in what samples and documentation leave to whoever copies them."""

import re
from pathlib import Path

A_PUBLIC_KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""Of RFC 8037, appendix A."""


def filled(text: str) -> str:
    """The YAML with a public key in place of each placeholder."""
    return re.sub(r"\bx: REPLACE[\w-]+", f"x: {A_PUBLIC_KEY}", text)


def filled_copy(sample: Path, to: Path) -> Path:
    """A file of its own with the sample filled in."""
    to.write_text(filled(sample.read_text()))
    return to
