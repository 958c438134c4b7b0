"""The agent's unit under a real systemd: its sandbox lets it hold doors, and its watchdog bites.

systemd runs as process 1 of a machine of its own (namespaces and an overlay). The agent there is the real one, but
for the pin factory: no GPIO chip is to be found.
"""

import shutil
from pathlib import Path

import pytest

from tests.firmware_config.test_samples import with_keys
from tests.support.overlay import REPOSITORY, may_make_one, run_in_overlay

SAMPLE = REPOSITORY / "firmware_config" / "samples" / "small-school" / "agent.yaml"

PROGRAM = (
    "import sys; from gpiozero.pins.mock import MockFactory; "
    "from edge_agent import cli; from doorward.main import main; "
    "cli._pi_pins = MockFactory; sys.exit(main(sys.argv[1:]))"
)

BOOT = """
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs none "$root/run"
mount -t tmpfs none "$root/tmp"
mkdir "$root/told"
mount --bind "$work/told" "$root/told"
: >"$root/etc/fstab"
units=$root/etc/systemd/system
rm -rf "$units"
mkdir -p "$units"
for group in gpio dialout spi; do chroot "$root" groupadd --system --force "$group"; done
chroot "$root" useradd --system --no-create-home doorward
cp -r "$work/etc" "$root/etc/doorward"
chroot "$root" chown -R doorward:doorward /etc/doorward
# Stricter than in a school, where a forbidden call is refused: here it ends the agent.
sed 's/^WatchdogSec=.*/WatchdogSec=2/; /^SystemCallErrorNumber/d' \\
    "$repository/firmware_config/systemd/doorward-agent.service" >"$units/doorward-agent.service"
# What else a Pi's agent does, in the same sandbox: there is no GPIO chip to hold and no device behind these nodes.
sed '/^Restart/d; s/^Type=.*/Type=oneshot/; s#^ExecStart=.*#ExecStart=/opt/doorward/bin/python /opt/probe.py#' \\
    "$units/doorward-agent.service" >"$units/probe.service"
sed 's#-c .* "\\$@"#"\\$@"#' "$root/opt/doorward/bin/doorward" >"$root/opt/doorward/bin/python"
chmod 755 "$root/opt/doorward/bin/python"
for major in 4 153 166 188 3000; do mknod -m 666 "$root/dev/char-$major" c $major 250; done
cp "$work/watch.sh" "$work/probe.py" "$root/opt"
cat >"$units/watch.service" <<END
[Unit]
DefaultDependencies=no
After=doorward-agent.service
Wants=doorward-agent.service
[Service]
Type=oneshot
ExecStart=/bin/sh /opt/watch.sh
END
cat >"$units/default.target" <<END
[Unit]
Requires=watch.service
END
container=unshare exec chroot "$root" /lib/systemd/systemd --system --log-target=journal --show-status=false
"""

WATCH = """
show() { systemctl show -p ActiveState -p NRestarts -p StatusText -p Result doorward-agent >/told/$1; }
pid() { systemctl show -p MainPID --value doorward-agent; }
show up
first=$(pid)
grep -E 'Seccomp:|NoNewPrivs:|CapBnd:' "/proc/$first/status" >/told/closed
kill -STOP "$first"
for try in $(seq 100); do
    now=$(pid)
    [ "$now" = 0 ] || [ "$now" = "$first" ] || ! systemctl is-active -q doorward-agent || break
    sleep 0.1
done
show bitten
systemctl stop doorward-agent
show stopped
systemctl start probe
journalctl --no-pager -o cat -u probe >/told/probe
journalctl --no-pager -u doorward-agent >/told/journal
systemctl exit 0
"""

# lgpio's pipe and thread, a function that C calls back, an exclusive write-ahead file, a look-up without netlink.
PROBE = """
import ctypes, errno, os, socket, sqlite3
from pathlib import Path
from edge_agent.host.clock import kernel_synchronised
for major in (4, 153, 166, 188, 3000):
    try:
        os.open(f"/dev/char-{major}", os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        print("device", major, errno.errorcode[error.errno])
import lgpio
print("lgpio's pipe", [path.name for path in Path.cwd().glob(".lgd-nfy*")])
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 3)(3, 1, 2)
ctypes.CDLL(None).qsort(numbers, 3, 4, compare(lambda a, b: a[0] - b[0]))
print("called back", list(numbers))
database = sqlite3.connect("/tmp/probe.db")
print("journal", database.execute("PRAGMA journal_mode=WAL").fetchone()[0])
database.execute("CREATE TABLE t (n)")
print("looked up", socket.getaddrinfo("127.0.0.1", 1883, flags=socket.AI_ADDRCONFIG)[0][4])
print("asked the kernel", kernel_synchronised() in (True, False))
"""

FOUND = [
    "device 4 ENXIO",  # allowed, and nothing behind it: a UART
    "device 153 ENXIO",  # SPI
    "device 166 ENXIO",  # a USB adapter plugged in after the agent started
    "device 188 ENXIO",
    "device 3000 EPERM",  # any other
    "lgpio's pipe ['.lgd-nfy0']",
    "called back [1, 2, 3]",
    "journal wal",
    "looked up ('127.0.0.1', 1883)",
    "asked the kernel True",
]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("/lib/systemd/systemd") is None or not may_make_one(), reason="needs systemd and root to run it"
)
def test_the_agent_holds_its_doors_in_its_sandbox_and_is_restarted_when_it_falls_silent(tmp_path: Path) -> None:
    told = tmp_path / "told"
    for folder in (told, tmp_path / "etc"):
        folder.mkdir()
    with_keys(SAMPLE, tmp_path / "etc")
    (tmp_path / "watch.sh").write_text(WATCH)
    (tmp_path / "probe.py").write_text(PROBE)
    ran = run_in_overlay(BOOT, tmp_path, namespaces="-p -f -m -u -i -C -n", program=PROGRAM, timeout=60)
    said = {path.name: path.read_text() for path in told.iterdir()}
    journal = said.get("journal", f"no journal: {ran.stderr}")
    assert "StatusText=4 doors held\n" in said["up"], journal
    assert "NRestarts=0\n" in said["up"], journal
    assert {line.split()[0]: line.split()[1] for line in said["closed"].splitlines()} == {
        "CapBnd:": "0000000000000000",
        "NoNewPrivs:": "1",
        "Seccomp:": "2",
    }
    assert "NRestarts=1\n" in said["bitten"], journal
    assert "StatusText=4 doors held\n" in said["bitten"], journal
    assert "Watchdog timeout (limit 2s)!" in journal
    assert "Result=success\nNRestarts=1\n" in said["stopped"].replace("ActiveState=inactive\n", ""), journal
    assert "stopped; the doors are locked" in journal
    assert "cannot be asked" not in journal
    assert [line for line in said["probe"].splitlines() if "probe.service" not in line] == FOUND, said["probe"]
