"""Reads Python sources as trees."""

import ast
import gc
from pathlib import Path


def tree_of(path: Path) -> ast.Module:
    """The tree of a source. Collects no garbage meanwhile: a finalizer may format a traceback, which parses too, and
    Python 3.11 takes a parse within a parse for a fault (cpython#106905).
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        if collecting:
            gc.enable()
