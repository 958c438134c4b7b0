#!/bin/sh
# Installs the agent of one Pi from its boot partition. May run again: what is there already stays.
set -eu
from=${1:-/boot/firmware/doorward}
boot=$(dirname "$from")

for group in gpio dialout spi; do getent group "$group" >/dev/null || groupadd --system "$group"; done
getent passwd doorward >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin doorward
# The unit brings these by itself; whoever runs a test or provisions a reader as this user needs them, too.
usermod --append --groups gpio,dialout,spi doorward

# The program, from wheels alone (made by hash): a school may have no way out to a package index.
[ -x /opt/doorward/bin/doorward ] || {
    python3 -m venv /opt/doorward
    /opt/doorward/bin/pip install --no-index "$from"/wheels/*.whl
}

# The files of this board: units, udev rules, what spares the card.
cp -r "$from/files/etc/." /etc/
cp "$from/files/boot/doorward.txt" "$boot/doorward.txt"
grep -qx 'include doorward.txt' "$boot/config.txt" || printf '\n[all]\ninclude doorward.txt\n' >>"$boot/config.txt"
# The kernel's own console would speak on the readers' line.
sed -i 's/console=serial0,[0-9]* //; s/console=ttyAMA0,[0-9]* //' "$boot/cmdline.txt"

# Its configuration and keys. A key on the boot partition can be read by whoever takes the card out: it moves.
install -d -o doorward -g doorward -m 0750 /etc/doorward
install -o root -g doorward -m 0640 "$from/agent.yaml" /etc/doorward/agent.yaml
for name in ca.crt; do
    [ ! -e "$from/$name" ] || install -o root -g doorward -m 0640 "$from/$name" "/etc/doorward/$name"
done
for secret in "$from"/*.key "$from/broker.password"; do
    [ -e "$secret" ] || continue
    install -o doorward -g doorward -m 0600 "$secret" "/etc/doorward/$(basename "$secret")"
    shred -u "$secret" 2>/dev/null || rm -f "$secret"
done
[ -e /etc/doorward/agent.jwk ] || {
    /opt/doorward/bin/doorward agent keygen /etc/doorward --kid "$(hostname)" >"$from/agent-key.txt"
    chown doorward:doorward /etc/doorward/agent.jwk
}

# Swap would wear the card. All of this takes effect with the restart that cloud-init makes next.
systemctl disable dphys-swapfile.service 2>/dev/null || true
grep -q 'commit=' /etc/fstab || sed -i 's/\(\sext4\s\+defaults[^ ]*\)/\1,commit=60/' /etc/fstab
ln -sf /usr/share/systemd/tmp.mount /etc/systemd/system/tmp.mount
systemctl enable tmp.mount doorward-agent.service

# Said now, while somebody is there to read it; the agent says it again at every start.
install -d -o doorward -g doorward -m 0700 /var/lib/doorward
setpriv --reuid doorward --regid doorward --init-groups /opt/doorward/bin/doorward agent check /etc/doorward/agent.yaml || true
