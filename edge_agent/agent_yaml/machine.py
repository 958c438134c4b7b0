"""The machine a configuration is for: its board and HATs, the disk under its data, its clock."""

from __future__ import annotations

import os
from pathlib import Path

from edge_agent.agent_yaml import boards, forms
from edge_agent.agent_yaml.boards import Stack
from edge_agent.agent_yaml.checks import serial_devices
from ground.problems import Report, nearest

MODEL = Path("/proc/device-tree/model")
"""Where a Pi's kernel says what it runs on."""

FLEETING = ("tmpfs", "ramfs")

BUILT_IN = (f"{boards.DEVICES}serial-", f"{boards.DEVICES}rs485-hat-", "/dev/ttyAMA", "/dev/ttySC", "/dev/serial0")
"""Prefixes of ports that are not USB adapters."""


def stack_of(form: forms.AgentForm, report: Report, board: str | None = None) -> Stack | None:
    """The board and HATs of the file; ``board`` replaces the file's. None if the board has no profile."""
    hats = []
    taken: dict[int, str] = {}
    for n, name in enumerate(form.hats):
        if name not in boards.hat_names():
            report.error(f"hats[{n}]", f"there is no profile of a HAT {name!r}", nearest(name, boards.hat_names()))
            continue
        hat = boards.hat(name)
        pins = {pin for each in hat.uses for pin in each.pins} | set(hat.relays.pins if hat.relays else ())
        for pin in sorted(pins & taken.keys()):
            report.error(f"hats[{n}]", f"it and the {taken[pin]} both need pin {pin}", "leave one of the two off")
        taken |= dict.fromkeys(pins, name)
        hats.append(hat)
    chosen = board or form.board
    if chosen is None:
        report.warn("board", "is not given: no pin is checked against a board", "add 'board: pi-4', say, or 'custom'")
        return None
    if report.broken("board") or chosen == boards.CUSTOM:
        return None
    if chosen not in boards.board_names():
        known = [*boards.board_names(), boards.CUSTOM]
        report.error("board", f"there is no profile of a board {chosen!r}", nearest(chosen, known))
        return None
    return Stack(boards.board(chosen), tuple(hats))


def check_model(report: Report, stack: Stack, model_file: Path = MODEL) -> None:
    """Warn if this is a Pi, and another board than the file's."""
    try:
        model = model_file.read_text("utf-8", errors="replace").rstrip("\0\n ")
    except OSError:
        return  # not a Pi: a laptop may check a Pi's file
    if model.startswith("Raspberry Pi") and not model.startswith(stack.board.model):
        known = [name for name in boards.board_names() if model.startswith(boards.board(name).model)]
        cure = f"write 'board: {known[0]}'" if known else f"write 'board: {boards.CUSTOM}'"
        report.warn("board", f"the file is for a {stack.board.title}, and this is a {model}", cure)


def check_serial(form: forms.AgentForm, report: Report, stack: Stack) -> None:
    """Report built-in serial ports that neither this board nor its HATs have."""
    there = [device for serial in stack.board.serial for device in serial.devices]
    there += [device for hat in stack.hats for device in hat.serial]
    for field, device in serial_devices(form):
        if device.startswith(BUILT_IN) and device not in there:
            ports = sorted({each for each in there if each.startswith(boards.DEVICES)})
            report.error(
                field,
                f"a {stack.board.title} with its HATs has no {device}",
                f"write one of {', '.join(ports)}, add the HAT to 'hats', or name a USB adapter",
                of=["hats"],
            )


def check(form: forms.AgentForm, at: Path, report: Report) -> None:
    """Check the data folder on this machine, and the clock."""
    if not report.broken("data"):
        _data(at / form.data, report)
    if form.clock is not None and not form.clock.require_sync:
        report.warn(
            "clock.require_sync",
            "a clock that no time server has set is believed: expired badges may open after a power cut",
            "leave it out, except on a machine without any time server",
        )


def _data(data: Path, report: Report) -> None:
    if os.path.exists(data) and not os.path.isdir(data):  # noqa: PTH110, PTH112 - Path's raise PermissionError
        report.error("data", f"{data} is a file", "name a folder; the agent makes it")
        return
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if os.path.exists(folder))  # noqa: PTH110
    if not os.access(there, os.W_OK | os.X_OK):
        report.warn(
            "data", f"{there} cannot be written to by this user", "run the check as the agent's user, or chown it"
        )
    if _filesystem(there.resolve()) in FLEETING:
        report.warn(
            "data",
            f"{there} is in memory: a power cut would lose events and declarations",
            "name a folder on the disk",
        )


def _filesystem(folder: Path) -> str:
    """The kind of filesystem under a folder; empty where the kernel does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    kinds: dict[Path, str] = {}
    for line in lines:
        left, _, right = line.partition(" - ")
        kinds[Path(left.split()[4])] = right.split()[0]
    return next((kinds[each] for each in (folder, *folder.parents) if each in kinds), "")
