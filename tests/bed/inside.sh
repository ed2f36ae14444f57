#!/bin/bash
# Runs in the test bed, as the guest's only program: inside.sh PYTHON PYTEST-ARGUMENTS
# The root file system is the host's, read-only below a layer in memory; what an
# overlay may be made on is the first disk.
set -euo pipefail
python=$1
shift

# Nothing in here would load them on demand.
modprobe -a ext4 loop bridge veth nf_tables nft_chain_nat nft_ct nft_fib_inet nft_masq nft_nat
mount -t ext4 /dev/vda /var/tmp
chmod 1777 /var/tmp
mount -t tmpfs -o mode=755 tmpfs /run
ulimit -n 65536

# The leaves that systemd would make on a host: v2 has no processes beside groups
# that pass controllers on, so this shell goes into one of its own.
mkdir /sys/fs/cgroup/bed
echo $$ > /sys/fs/cgroup/bed/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control || true
done

export PYTHONDONTWRITEBYTECODE=1 TMPDIR=/var/tmp
exec "$python" -m pytest -p no:cacheprovider -rfEs "$@"
