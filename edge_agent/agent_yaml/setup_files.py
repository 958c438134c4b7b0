"""Renders what one Pi needs beside the program: units, udev names, config.txt, first boot, settings for the card.

The texts are in `firmware_config`; this fills in what differs from Pi to Pi: its board, its HATs, and the serial
lines and converters that its agent.yaml names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template

from drivers.gpio import FailMode
from edge_agent.agent_yaml import forms
from edge_agent.agent_yaml.boards import Stack
from edge_agent.agent_yaml.checks import serial_devices

SYSTEM = "files/etc/systemd/system"

PLAIN = {
    f"{SYSTEM}/doorward-agent.service": "systemd/doorward-agent.service",
    f"{SYSTEM}/tmp.mount.d/doorward.conf": "sd_card/tmp.conf",  # noqa: S108 - systemd's name of a mount
    "files/etc/systemd/journald.conf.d/doorward.conf": "sd_card/journald.conf",
    "files/etc/sysctl.d/90-doorward.conf": "sd_card/sysctl.conf",
    "files/first-boot.sh": "cloud_init/first-boot.sh",
}
"""The same on every Pi."""


def setup_files(form: forms.AgentForm, stack: Stack, usb: Mapping[str, str]) -> dict[Path, str]:
    """{path: text}, to be put into the folder ``doorward`` of the boot partition (cloud-init's three beside it).

    ``usb`` gives adapters names under /dev/doorward: {name: its serial number, or the ID_PATH_TAG of its socket}.
    """
    board = stack.board
    who = {"site": form.site, "agent": form.agent}
    made = {to: _text(source) for to, source in PLAIN.items()}
    made["files/etc/systemd/system.conf.d/doorward.conf"] = _filled(
        "systemd/watchdog.conf.template",
        board=board.title,
        device=board.watchdog.device,
        longest_s=board.watchdog.longest_s,
        watchdog_s=board.watchdog.longest_s - 1,
    )
    made["files/etc/udev/rules.d/99-doorward.rules"] = _filled(
        "udev/99-doorward.rules.template", uarts=_uart_rules(stack), usb=_usb_rules(usb)
    )
    lines = "\n".join(config_lines(form, stack))
    made["files/boot/doorward.txt"] = _filled("boot/doorward.txt.template", title=board.title, lines=lines)
    for name in ("user-data", "meta-data", "network-config"):
        made[name] = _filled(f"cloud_init/{name}.template", **who)
    return {Path(to): text for to, text in made.items()}


def config_lines(form: forms.AgentForm, stack: Stack) -> Sequence[str]:
    """The lines of config.txt: the board's own, its HATs', and the buses and UARTs that are in use."""
    lines = list(stack.board.config)
    if any(adc.pins is None for adc in form.adcs):
        lines += stack.board.spi.config
    for _, device in serial_devices(form):
        serial = stack.board.serial_of(device)
        if serial is not None:
            lines += serial.config
    lines += stack.board.rtc.config
    for hat in stack.hats:
        lines += hat.config
    lines += _locked_at_boot(form)
    return list(dict.fromkeys(lines))


def _locked_at_boot(form: forms.AgentForm) -> list[str]:
    """The firmware keeps a fail-secure lock's relay at rest, and so the door locked, until the agent takes the pin.

    A fail-safe lock is left alone: released until then, as without power.
    """
    secure = [door.lock for door in form.doors if door.lock.fail_mode is FailMode.FAIL_SECURE]
    return [f"gpio={lock.pin}=op,{'dl' if lock.active_high else 'dh'}" for lock in secure]


def _uart_rules(stack: Stack) -> str:
    rules = [
        f'SUBSYSTEM=="tty", KERNELS=="{each.parent}", GROUP="dialout", SYMLINK+="doorward/{each.name}"'
        for each in stack.board.serial
    ]
    devices = [device for hat in stack.hats for device in hat.serial if "/rs485-hat-" in device]
    for number, device in enumerate(devices):
        name = device.removeprefix("/dev/")
        rules.append(f'SUBSYSTEM=="tty", KERNEL=="ttySC{number}", GROUP="dialout", SYMLINK+="{name}"')
    return "\n".join(rules) + "\n"


def _usb_rules(usb: Mapping[str, str]) -> str:
    if not usb:
        return ""
    rules = [
        f'SUBSYSTEM=="tty", ENV{{{field}}}=="{known_by}", SYMLINK+="doorward/{name}"'
        for name, known_by in usb.items()
        for field in ("ID_SERIAL_SHORT", "ID_PATH_TAG")
    ]
    return "\n".join(["", "# The adapters of this Pi.", *rules, ""])


def _text(source: str) -> str:
    return resources.files("firmware_config").joinpath(*source.split("/")).read_text("utf-8")


def _filled(source: str, **values: object) -> str:
    return Template(_text(source)).substitute(values)
