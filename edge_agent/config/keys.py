"""Reads the key files a configuration names, once, so that a bad one is found before a door is touched."""

from __future__ import annotations

import re
from pathlib import Path

from protocol.signing import SigningKey


def read_secret(path: Path, length: int) -> bytes:
    """The bytes of a key file, written as hex digits. ValueError says what is wrong, never what is in it."""
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        cure = f"make one: (umask 077; openssl rand -hex {length} > {path})"
        raise ValueError(f"there is no file {path}; {cure}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as text: {type(error).__name__}; check what it is") from None
    if mode & 0o077:
        raise ValueError(f"{path}: mode {mode:04o} lets others read a key; chmod 600 it")
    if not re.fullmatch(f"[0-9A-Fa-f]{{{2 * length}}}", text):
        raise ValueError(
            f"{path}: expected {length} bytes as {2 * length} hex digits, found {len(text)} characters; "
            f"openssl rand -hex {length} makes such a key"
        )
    return bytes.fromhex(text)


def read_signing_key(path: Path) -> SigningKey:
    """This agent's own key. ValueError says what is wrong and what to do."""
    try:
        return SigningKey.load(path)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}; make one with 'doorward agent keygen {path.parent}'") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; check its owner and mode") from None
    except ValueError as error:
        if "; " in str(error):
            raise
        problem = str(error).partition(": ")[2].partition(": ")[0]
        raise ValueError(f"{path}: {problem}; make one with 'doorward agent keygen {path.parent}'") from None
