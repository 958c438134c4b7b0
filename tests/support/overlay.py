"""This machine's own files as another machine's: an overlay that takes every change and is gone with its shell.

``run_in_overlay(script, work)`` runs a shell script in namespaces of its own. ``$root`` is the other machine's /,
``$work`` a folder both see, and ``/opt/doorward/bin/doorward`` there is this repository's ``doorward``.
"""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

PROGRAM = "from doorward.main import main; import sys; sys.exit(main(sys.argv[1:]))"

_MOUNT = """
set -eu
work=$1 repository=$2 python=$3 venv=$4 version=$5 program=$6
mkdir -p "$work/layers"
mount -t tmpfs none "$work/layers"
mkdir "$work/layers/upper" "$work/layers/work" "$work/layers/root"
root=$work/layers/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layers/upper,workdir=$work/layers/work" "$root"
show() {  # a folder of this machine at a place there where everybody may look: the overlay's copy, if it has one
    mkdir -p "$root$2"
    from=$1
    if [ -e "$root$1/." ]; then from=$root$1; chmod a+rx "$from"; fi
    mount --bind "$from" "$root$2"
}
show "$python" /opt/python
show "$venv" /opt/venv
show "$repository" /opt/repository
mkdir -p "$root/opt/doorward/bin"
cat >"$root/opt/doorward/bin/doorward" <<END
#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib PYTHONHOME=/opt/python PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=/opt/repository:/opt/venv/lib/$version/site-packages
exec /opt/python/bin/$version -c '$program' "\\$@"
END
chmod 755 "$root/opt/doorward/bin/doorward"
mount -t proc proc "$root/proc"
mount -t tmpfs none "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
"""


def may_make_one() -> bool:
    """Whether this process may mount: root, or a container that allows it."""
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


def run_in_overlay(
    script: str, work: Path, *, namespaces: str = "-m", program: str = PROGRAM, timeout: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run a shell script there. ``program`` is the Python that ``doorward`` is there; whatever is left is killed."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = [str(work), str(REPOSITORY), sys.base_prefix, sys.prefix, version, program]
    shell = ["sh", "-c", _MOUNT + script, "sh", *places]
    limited = ["timeout", "-s", "KILL", str(timeout), "unshare", *namespaces.split(), "--kill-child", *shell]
    return subprocess.run(limited, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
