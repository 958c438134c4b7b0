"""The first boot of a Pi, run for real: its script, as root, on an overlay of this machine's own files."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.overlay import REPOSITORY, may_make_one, run_in_overlay
from tests.support.samples import filled_copy

SAMPLE = REPOSITORY / "firmware_config" / "samples" / "small-school" / "agent.yaml"
SECRETS = ("credential.key", "main-in.key", "playground-in.key", "kitchen-in.key", "broker.password")

FIRST_BOOT = """
mkdir -p "$root/boot/firmware"
mount --bind "$work/card" "$root/boot/firmware"
printf 'PARTUUID=1-02  /  ext4  defaults,noatime  0  1\\n' >"$root/etc/fstab"
for time in first again; do chroot "$root" sh -eu /boot/firmware/doorward/files/first-boot.sh; done
chroot "$root" sh -c 'stat -c "%n %U %a" /etc/doorward/* /var/lib/doorward'
chroot "$root" sh -c 'echo "groups $(id -nG doorward)"'
chroot "$root" cat /etc/fstab
chroot "$root" systemctl is-enabled doorward-agent.service tmp.mount
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    card = tmp_path / "card"
    sample = filled_copy(SAMPLE, tmp_path / "agent.yaml")
    command = [sys.executable, "-m", "doorward.main", "agent", "setup-files", str(sample), str(card)]
    subprocess.run(command, check=True, capture_output=True)
    (card / "config.txt").write_text("arm_64bit=1\n")
    (card / "cmdline.txt").write_text("console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootwait\n")
    (card / "doorward" / "agent.yaml").write_text(sample.read_text())
    for name in SECRETS:
        (card / "doorward" / name).write_text(secrets.token_hex(32 if name == "credential.key" else 16))
    return tmp_path


@pytest.mark.skipif(not may_make_one(), reason="needs root, or a container that may mount")
def test_first_boot_installs_moves_the_secrets_off_the_card_and_may_run_again(work: Path) -> None:
    ran = run_in_overlay(FIRST_BOOT, work)
    assert ran.returncode == 0, ran.stderr
    lines = [line.split() for line in ran.stdout.splitlines() if line.startswith(("/etc", "/var"))]
    owners = {name: owner for name, *owner in lines}
    for name in (*SECRETS, "agent.jwk"):
        assert owners[f"/etc/doorward/{name}"] == ["doorward", "600"]
    assert owners["/etc/doorward/agent.yaml"] == ["root", "640"]
    [groups] = [line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("groups ")]
    assert {"gpio", "dialout", "spi"} <= set(groups), "whoever runs a test as the agent's user meets closed devices"
    assert owners["/var/lib/doorward"] == ["doorward", "700"]
    assert "agent oak-elementary/office: 4 doors, 3 OSDP readers on 1 line, 1 Wiegand reader" in ran.stdout
    assert ran.stdout.endswith("enabled\nenabled\n")
    assert "defaults,noatime,commit=60  0  1\n" in ran.stdout

    card = work / "card"
    left = {path.name for path in (card / "doorward").iterdir()}
    assert left == {"agent.yaml", "agent-key.txt", "files"}
    assert (card / "doorward" / "agent-key.txt").read_text().startswith("key: {kid: ")
    assert (card / "config.txt").read_text().count("include doorward.txt") == 1
    assert (card / "cmdline.txt").read_text() == "console=tty1 root=PARTUUID=1-02 rootwait\n"
    assert "dtparam=watchdog=on" in (card / "doorward.txt").read_text()
