"""Reads the key files that a configuration names, before any door is touched; says what is wrong with each."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from protocol.signing import SigningKey


def read_secret(path: Path, length: int) -> bytes:
    """The bytes of a key file, written as hex digits. ValueError says what is wrong, never what is in it."""
    with _reading(path, f"make one: (umask 077; openssl rand -hex {length} > {path})"):
        found = _file_status(path)
        try:
            text = path.read_text(encoding="ascii").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} cannot be read as text: {type(error).__name__}; check what it is") from None
    _refuse_open(path, found)
    if not re.fullmatch(f"[0-9A-Fa-f]{{{2 * length}}}", text):
        raise ValueError(
            f"{path}: expected {length} bytes as {2 * length} hex digits, found {len(text)} characters; "
            f"openssl rand -hex {length} makes such a key"
        )
    return bytes.fromhex(text)


def read_signing_key(path: Path) -> SigningKey:
    """This agent's own key. ValueError says what is wrong and what to do."""
    cure = f"make one with 'doorward agent keygen {path.parent}'"
    with _reading(path, cure):
        _file_status(path)
        try:
            return SigningKey.load(path)
        except ValueError as error:
            if "; " in str(error):  # it has a cure
                raise
            problem = str(error).partition(": ")[2].partition(": ")[0]
            raise ValueError(f"{path}: {problem}; {cure}") from None


def readable_file(path: Path, *, secret: bool) -> Path:
    """The path, if this user can read the file. ValueError says what is wrong and what to do."""
    with _reading(path, "correct the path, or copy the file there"):
        found = _file_status(path)
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read by this user; {_chown(path)}")
    if secret:
        _refuse_open(path, found)
    return path


@contextlib.contextmanager
def _reading(path: Path, if_missing: str) -> Iterator[None]:
    """Turn what the system refuses into a ValueError that says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}; {if_missing}") from None
    except PermissionError:
        raise ValueError(f"{path} cannot be read by this user; {_chown(path)}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; check what it is") from None


def _file_status(path: Path) -> os.stat_result:
    """A file's mode and owner. OSError if they cannot be read, ValueError if it is no file."""
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise ValueError(f"{path} is a folder; name the file in it")
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is a device or a pipe; name a file")
    return found


def _refuse_open(path: Path, found: os.stat_result) -> None:
    if found.st_mode & 0o077:
        raise ValueError(f"{path}: mode {found.st_mode & 0o777:04o} lets others read it; chmod 600 {path}")


def _chown(path: Path) -> str:
    """The cure: the file to its folder's owner."""
    return f"sudo chown --reference={path.parent} {path}"
