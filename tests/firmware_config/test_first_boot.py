"""The first boot of a Pi, run for real: its script, as root, on an overlay of this machine's own files."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "firmware_config" / "samples" / "small-school" / "agent.yaml"
SECRETS = ("credential.key", "main-in.key", "playground-in.key", "kitchen-in.key", "broker.password")

RUN_IN_AN_OVERLAY = """
set -eu
work=$1 repository=$2 python=$3
mount -t tmpfs none "$work/layers"
mkdir "$work/layers/upper" "$work/layers/work" "$work/layers/root"
root=$work/layers/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layers/upper,workdir=$work/layers/work" "$root"
[ -e "$root$repository/pyproject.toml" ] || exit 77  # on another disk than the machine's own
for seen in "$repository" "$(dirname "$(realpath "$python")")"; do
    while [ "$seen" != / ]; do chmod a+rx "$root$seen"; seen=$(dirname "$seen"); done
done
mkdir -p "$root/boot/firmware" "$root/opt/doorward/bin"
mount --bind "$work/card" "$root/boot/firmware"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
program=$root/opt/doorward/bin/doorward
printf '#!/bin/sh\\nPYTHONPATH=%s exec %s -m doorward.main "$@"\\n' "$repository" "$python" >"$program"
chmod 755 "$program"
printf 'PARTUUID=1-02  /  ext4  defaults,noatime  0  1\\n' >"$root/etc/fstab"
for time in first again; do chroot "$root" sh -eu /boot/firmware/doorward/files/first-boot.sh; done
chroot "$root" sh -c 'stat -c "%n %U %a" /etc/doorward/* /var/lib/doorward'
chroot "$root" cat /etc/fstab
chroot "$root" systemctl is-enabled doorward-agent.service tmp.mount
"""
"""In a mount namespace of its own: nothing of it is left when the shell ends."""


def may_mount() -> bool:
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("first-boot")
    card = work / "card"
    (work / "layers").mkdir()
    command = [sys.executable, "-m", "doorward.main", "agent", "setup-files", str(SAMPLE), str(card)]
    subprocess.run(command, check=True, capture_output=True)
    (card / "config.txt").write_text("arm_64bit=1\n")
    (card / "cmdline.txt").write_text("console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootwait\n")
    (card / "doorward" / "agent.yaml").write_text(SAMPLE.read_text())
    for name in SECRETS:
        (card / "doorward" / name).write_text(secrets.token_hex(32 if name == "credential.key" else 16))
    return work


@pytest.mark.skipif(not may_mount(), reason="needs a mount namespace: root, or a container that may mount")
def test_first_boot_installs_moves_the_secrets_off_the_card_and_may_run_again(work: Path) -> None:
    script = ["unshare", "-m", "sh", "-c", RUN_IN_AN_OVERLAY, "sh", str(work), str(REPOSITORY), sys.executable]
    ran = subprocess.run(script, capture_output=True, text=True, check=False)
    if ran.returncode == 77:
        pytest.skip("this repository is on a disk of its own")
    assert ran.returncode == 0, ran.stderr
    owners = {
        line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines() if line.startswith(("/etc", "/var"))
    }
    for name in (*SECRETS, "agent.jwk"):
        assert owners[f"/etc/doorward/{name}"] == ["doorward", "600"]
    assert owners["/etc/doorward/agent.yaml"] == ["root", "640"]
    assert owners["/var/lib/doorward"] == ["doorward", "700"]
    assert "agent oak-elementary/office: 4 doors, 3 OSDP readers on 1 lines, 1 Wiegand readers" in ran.stdout
    assert ran.stdout.endswith("enabled\nenabled\n")
    assert "defaults,noatime,commit=60  0  1\n" in ran.stdout

    card = work / "card"
    left = {path.name for path in (card / "doorward").iterdir()}
    assert left == {"agent.yaml", "agent-key.txt", "files"}
    assert (card / "doorward" / "agent-key.txt").read_text().startswith("key: {kid: ")
    assert (card / "config.txt").read_text().count("include doorward.txt") == 1
    assert (card / "cmdline.txt").read_text() == "console=tty1 root=PARTUUID=1-02 rootwait\n"
    assert "dtparam=watchdog=on" in (card / "doorward.txt").read_text()
