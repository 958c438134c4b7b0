"""The files `doorward agent setup-files` writes for one Pi, judged by the programs that will read them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge_agent.agent_yaml import boards, forms, machine
from edge_agent.agent_yaml.boards import Stack
from edge_agent.agent_yaml.setup_files import config_lines, setup_files
from ground import yaml_forms as reading
from ground.problems import Report
from tests.support.samples import filled_copy

SAMPLES = Path(__file__).parents[2] / "firmware_config" / "samples"
SMALL = SAMPLES / "small-school" / "agent.yaml"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to ask")


def form_of(path: Path) -> tuple[forms.AgentForm, Stack]:
    report = Report(path)
    form = reading.read(path, forms.AgentForm, report)
    stack = machine.stack_of(form, report)
    assert stack is not None
    return form, stack


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The boot partition of the small school's Pi."""
    folder = tmp_path_factory.mktemp("card")
    sample = filled_copy(SMALL, tmp_path_factory.mktemp("sample") / "agent.yaml")
    command = [sys.executable, "-m", "doorward.main", "agent", "setup-files", str(sample), str(folder)]
    subprocess.run([*command, "--usb", "rs485-0=A50285BI"], check=True, capture_output=True)
    return folder


def unit(card: Path) -> Path:
    return card / "doorward/files/etc/systemd/system/doorward-agent.service"


@needs_systemd
@pytest.mark.parametrize("name", ["doorward-agent", "doorward-central"])
def test_systemd_takes_the_units_and_finds_them_well_closed(name: str, tmp_path: Path) -> None:
    text = (SAMPLES.parent / "systemd" / f"{name}.service").read_text()
    there = tmp_path / f"{name}.service"
    there.write_text(text.replace("/opt/doorward/bin/doorward", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(there)]
    subprocess.run(security, check=True, capture_output=True)


def test_the_agent_waits_for_no_network_and_is_started_again_for_ever(card: Path) -> None:
    text = unit(card).read_text()
    assert "network" not in re.sub(r"(?m)^#.*$", "", text)
    for line in ("Type=notify", "WatchdogSec=20", "Restart=always", "StartLimitIntervalSec=0", "RestartSec=1"):
        assert line in text.splitlines()


def test_the_hardware_watchdog_bites_before_it_can_count_no_further(card: Path) -> None:
    text = (card / "doorward/files/etc/systemd/system.conf.d/doorward.conf").read_text()
    assert "RuntimeWatchdogSec=14\n" in text
    assert "WatchdogDevice=/dev/watchdog0\n" in text


def test_every_udev_rule_is_made_of_matches_and_assignments(card: Path) -> None:
    text = (card / "doorward/files/etc/udev/rules.d/99-doorward.rules").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    part = r'[A-Z_]+(\{[A-Za-z_]+\})?(==|\+=|=)"[^"]*"'
    assert [rule for rule in rules if not re.fullmatch(rf"{part}(, {part})*", rule)] == []
    assert 'ENV{ID_SERIAL_SHORT}=="A50285BI", SYMLINK+="doorward/rs485-0"' in text
    assert 'KERNELS=="fe201000.serial", GROUP="dialout", SYMLINK+="doorward/serial-0"' in text


def test_config_txt_turns_on_what_the_wiring_needs_and_nothing_else() -> None:
    small = config_lines(*form_of(SMALL))
    assert "dtoverlay=i2c-rtc,ds3231" in small
    assert {"dtparam=spi=on", "enable_uart=1"}.isdisjoint(small)
    annex = config_lines(*form_of(SAMPLES / "large-school" / "annex.yaml"))
    assert {"dtparam=spi=on", "enable_uart=1", "dtoverlay=disable-bt"} <= set(annex)


def test_a_fail_secure_lock_rests_while_the_pi_boots_and_a_fail_safe_one_is_left_alone() -> None:
    lines = config_lines(*form_of(SMALL))
    assert [line for line in lines if line.startswith("gpio=")] == ["gpio=17=op,dl", "gpio=27=op,dl", "gpio=22=op,dl"]


@pytest.mark.parametrize("name", boards.board_names())
def test_every_board_gets_its_files(name: str) -> None:
    form, _ = form_of(SMALL)
    made = setup_files(form, Stack(boards.board(name), tuple(boards.hat(hat) for hat in boards.hat_names())), {})
    assert [path for path, text in made.items() if "${" in text and path.suffix != ".sh"] == []


def test_first_boot_is_told_to_cloud_init_and_is_a_script_a_shell_can_read(card: Path) -> None:
    user_data = (card / "user-data").read_text()
    assert user_data.startswith("#cloud-config\n")
    document = yaml.safe_load(user_data)
    script = document["runcmd"][0][-1]
    assert (card / Path(script).relative_to("/boot/firmware")).is_file()
    assert yaml.safe_load((card / "meta-data").read_text())["local-hostname"] == "oak-elementary-office"
    assert yaml.safe_load((card / "network-config").read_text())["version"] == 2
    subprocess.run(["sh", "-n", str(card / "doorward/files/first-boot.sh")], check=True)


def test_an_adapter_name_that_would_be_more_than_a_word_in_a_rule_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "doorward.main", "agent", "setup-files", str(SMALL), str(tmp_path)]
    told = subprocess.run(
        [*command, "--usb", 'rs485-0=A", RUN+="reboot'], capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert "is not NAME=ADAPTER" in told.stderr
    assert list(tmp_path.iterdir()) == []
