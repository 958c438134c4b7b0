"""Gives one OSDP reader its first key, so that a power cut at any moment leaves a reader that still can be used.

The key goes to the disk as the candidate (`KEY_FILE.new`) before the reader gets it, and becomes the key file once
the reader's secure channel has come up with it and no other key. After an interruption, run it again: a candidate is
never thrown away. It is for a person with one reader on a line; the agent does not import it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from drivers.osdp import open_serial
from drivers.osdp.config import KEY_BYTES, MAX_ADDRESS, WeakKey, check_key
from drivers.osdp.probe import LineDisturbed, Present, Prober
from drivers.osdp.provisioning import Given, give_key, holds, readdress
from edge_agent.agent_yaml.keys import read_secret
from edge_agent.readers.keys import ReaderKeys
from edge_agent.storage.key_files import move, write_whole


class Outcome(StrEnum):
    """How the provisioning succeeded."""

    KEY_SET = "key_set"
    RECOVERED = "recovered"  # an earlier run had given the key, and was cut short before the key file was in place
    ALREADY = "already"  # it holds the key of its key file: nothing was to be done


class CannotProvision(Exception):  # noqa: N818 - says what it is
    """The reader has not been given a key. The message says why and what to do; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Target:
    """A reader as agent.yaml describes it."""

    reader: str
    device: str
    baud: int
    address: int
    key_file: Path
    data: Path

    @property
    def candidate_file(self) -> Path:
        """Where its key is until the reader is known to hold it."""
        return self.key_file.with_name(self.key_file.name + ".new")


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and with whom."""

    outcome: Outcome
    reader: Present
    key_file: Path


def find_target(path: Path, reader: str) -> Target:
    """A reader of an agent.yaml, whose key files need not be there yet. CannotProvision if it cannot be found."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CannotProvision("config", f"{path}: cannot be read as YAML: {error}") from None
    known: list[str] = []
    try:
        for line in document.get("reader_lines") or []:
            for entry in line["readers"]:
                known.append(str(entry["reader"]))
                if known[-1] == reader:
                    return _target(path.parent, document, line, entry)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CannotProvision(
            "config", f"{path}: reader_lines cannot be made out ({error!r}); see 'doorward agent check {path}'"
        ) from None
    raise CannotProvision(
        "config", f"{path}: no OSDP reader is called {reader!r}; known: {', '.join(known) or 'none'}"
    )


def _target(at: Path, document: dict[str, Any], line: dict[str, Any], entry: dict[str, Any]) -> Target:
    address, baud = int(entry["address"]), int(line.get("baud", 9600))
    if not 0 <= address <= MAX_ADDRESS or baud <= 0:
        raise ValueError(f"address {address}, baud {baud}")
    return Target(
        reader=str(entry["reader"]),
        device=str(line["device"]),
        baud=baud,
        address=address,
        key_file=at / str(entry["key_file"]),
        data=at / str(document.get("data", "data")),
    )


class Provisioning:
    """One reader's provisioning on `device` at `baud`, the speed it has now.

    `say` is called with each step. `replace`: the key file belongs to a reader that is gone; replace it once the new
    reader holds its key. `change_address`: a reader with another address or speed is given the target's.
    """

    def __init__(
        self,
        target: Target,
        *,
        device: str,
        baud: int,
        say: Callable[[str], None],
        replace: bool = False,
        change_address: bool = False,
        window_s: float | None = None,
        addresses: Iterable[int] | None = None,
    ) -> None:
        self._target = target
        self._device = device
        self._baud = baud
        self._say = say
        self._replace = replace
        self._change_address = change_address
        self._scan_options: dict[str, Any] = {} if window_s is None else {"window_s": window_s}
        self._addresses = range(MAX_ADDRESS + 1) if addresses is None else addresses
        self._open = partial(open_serial, device, baud)

    async def run(self) -> Done:
        """Do it. Raises CannotProvision, or OSError if the port or the disk fails."""
        present = await self._only_reader()
        outcome = await self._with_known_key(present)
        if outcome is None:
            await self._give_new_key(present)
            outcome = Outcome.KEY_SET
        key = read_secret(self._target.key_file, KEY_BYTES)
        present = await self._settle_address(present, key)
        return Done(outcome, present, self._target.key_file)

    # --- steps ------------------------------------------------------------------------------------------------

    async def _only_reader(self) -> Present:
        self._say(f"looking for readers on {self._device} at {self._baud} baud")
        line = self._open()
        prober = Prober(line, baud=self._baud, **self._scan_options)
        try:
            present = await prober.scan(self._addresses)
        except LineDisturbed as error:
            raise CannotProvision("line_disturbed", str(error)) from None
        finally:
            prober.close()
            line.close()
        if not present:
            raise CannotProvision(
                "nobody", f"no reader answers on {self._device} at {self._baud} baud: check its power, swap the two "
                "data wires, or try the speed it was set to with --baud (9600 from most factories)"
            )  # fmt: skip
        if len(present) > 1:
            addresses = ", ".join(str(reader.address) for reader in present)
            raise CannotProvision(
                "several", f"{len(present)} readers answer on {self._device} (addresses {addresses}): connect "
                f"{self._target.reader} alone, for anybody who listens on the line now would learn its key"
            )  # fmt: skip
        reader = present[0]
        self._say(
            f"a reader answers at address {reader.address}: vendor {reader.vendor}, model {reader.model}, "
            f"serial {reader.serial}, firmware {reader.firmware}"
        )
        if not reader.secure_channel:
            raise CannotProvision(
                "no_secure_channel", "this reader has no secure channel, and anybody on its cable could send badges: "
                "Doorward does not use such readers"
            )  # fmt: skip
        if reader.address != self._target.address and not self._change_address:
            raise CannotProvision(
                "other_address", f"the reader answers at address {reader.address}, agent.yaml says "
                f"{self._target.address}: correct one of them, or add --set-address to change the reader's"
            )  # fmt: skip
        return reader

    async def _with_known_key(self, present: Present) -> Outcome | None:
        """Whether it holds a key of ours already."""
        target = self._target
        candidate = _key(target.candidate_file)
        if candidate is not None:
            self._say(f"{target.candidate_file} is left of an earlier run: trying it")
            if await self._holds(present, candidate):
                move(target.candidate_file, target.key_file)
                self._say(f"the reader holds it: it is {target.key_file} now")
                return Outcome.RECOVERED
        first = _key(target.key_file)
        if first is None:
            return None
        kept = ReaderKeys(target.data / "reader-keys").load(target.reader, first)
        for key in dict.fromkeys((kept.key, kept.candidate, first)):
            if key is not None and await self._holds(present, key):
                self._say("the reader holds its key already")
                return Outcome.ALREADY
        if not self._replace:
            raise CannotProvision(
                "key_file_exists", f"{target.key_file} is there already, and this reader does not hold that key: if "
                "the reader was exchanged or reset, add --replace"
            )  # fmt: skip
        return None

    async def _give_new_key(self, present: Present) -> None:
        target = self._target
        key = _key(target.candidate_file)
        if key is None:
            key = secrets.token_bytes(KEY_BYTES)
            try:
                write_whole(target.candidate_file, f"{key.hex()}\n".encode())
            except OSError as error:
                raise CannotProvision(
                    "disk", f"{target.candidate_file} cannot be written: {error.strerror}"
                ) from None
        self._say(f"a new key is in {target.candidate_file}; giving it to the reader")
        with contextlib.closing(self._open()) as line:
            given = await give_key(line, present.address, key)
        if given is not Given.TAKEN:
            raise CannotProvision(given.value, _WHY[given])
        self._say("the reader took the key; opening its secure channel with that key alone")
        if not await self._holds(present, key):
            raise CannotProvision(
                "not_verified", f"the reader took the key and does not answer to it; {target.candidate_file} is "
                "kept: restart the reader and run this again"
            )  # fmt: skip
        move(target.candidate_file, target.key_file)
        self._say(f"verified: the key is in {target.key_file}")

    async def _holds(self, present: Present, key: bytes) -> bool:
        with contextlib.closing(self._open()) as line:
            return await holds(line, present.address, key)

    async def _settle_address(self, present: Present, key: bytes) -> Present:
        target = self._target
        if not self._change_address or (present.address, self._baud) == (target.address, target.baud):
            return present
        self._say(f"setting its address to {target.address} and its speed to {target.baud} baud")
        with contextlib.closing(self._open()) as line:
            agreed = await readdress(line, present.address, key, target.address, target.baud)
        with contextlib.closing(open_serial(self._device, target.baud)) as line:
            agreed = agreed and await holds(line, target.address, key)
        if not agreed:
            raise CannotProvision(
                "address_not_set", f"the reader holds its key, and does not answer at address {target.address} and "
                f"{target.baud} baud: set them at the reader (DIP switches or its maker's tool)"
            )  # fmt: skip
        return dataclasses.replace(present, address=target.address)


_WHY = {
    Given.NOT_IN_INSTALL_MODE: "the reader does not accept its default key: it holds another one. Reset it to "
    "install mode (its manual says how: often a button, a DIP switch or a configuration card), then run this again",
    Given.REFUSED: "the reader accepted its default key and refused a new one: see its manual for locked settings",
    Given.SILENT: "the reader stopped answering: check its power and its cable, then run this again",
}


def _key(path: Path) -> bytes | None:
    """The key in a file; None without one. CannotProvision if it is there and of no use."""
    if not path.exists():
        return None
    try:
        key = read_secret(path, KEY_BYTES)
        check_key(path.name, key)
    except (ValueError, WeakKey) as error:
        raise CannotProvision("key_file", f"{error}; remove or mend it first") from None
    return key
