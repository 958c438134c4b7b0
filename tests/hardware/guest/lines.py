"""The header's GPIO lines as the outside world has them: what is wired to them, and what they drive.

Made by the kernel's gpio-sim. The agent sees an ordinary /dev/gpiochip0 and never learns of this side.
"""

from pathlib import Path

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
LABEL = "pinctrl-bcm2711"  # a Pi 4's
HEADER_LINES = 28
PERSIST = Path("/sys/module/gpio_sim/parameters/persist_gpio_outputs")


class HeaderLines:
    """/dev/gpiochip0 with a Pi's 28 header lines, made once in the guest's life."""

    def __init__(self) -> None:
        bank = CONFIGFS / "pi" / "header"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(HEADER_LINES))
        (bank / "label").write_text(LABEL)
        (CONFIGFS / "pi" / "live").write_text("1")
        device = (CONFIGFS / "pi" / "dev_name").read_text().strip()
        self.chip = (bank / "chip_name").read_text().strip()
        self._lines = Path("/sys/devices/platform") / device / self.chip
        # Opened once: a Wiegand pulse is a write of its own.
        self._pulls = [self._line(pin).joinpath("pull").open("wb", buffering=0) for pin in range(HEADER_LINES)]

    def close(self) -> None:
        """Touch the lines no more."""
        for pull in self._pulls:
            pull.close()

    def ground(self, *pins: int) -> None:
        """Join lines to ground: a closed switch, a low pulse. Outweighs the pin's own pull-up."""
        for pin in pins:
            self._pulls[pin].write(b"pull-down")

    def let_go(self, *pins: int) -> None:
        """Leave lines to the pull-up: an open switch, a cut wire, an idle data line."""
        for pin in pins:
            self._pulls[pin].write(b"pull-up")

    def high(self, pin: int) -> bool:
        """The level on a line now, whoever drives it."""
        return self._line(pin).joinpath("value").read_bytes()[:1] == b"1"

    @staticmethod
    def keep_freed_outputs(keep: bool) -> None:
        """Whether an output stays as driven when its process is gone: as under Raspberry Pi OS, or as upstream."""
        PERSIST.write_text("Y" if keep else "N")

    def _line(self, pin: int) -> Path:
        return self._lines / f"sim_gpio{pin}"
