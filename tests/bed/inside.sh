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
run() { "$python" -m pytest -o cache_dir=/var/tmp/pytest -rfEs "$@"; }

code=0
run "$@" || code=$?
# The processor is emulated by one that others use as well, and much in here is measured in
# time. As `make test` does, what failed, if it is little, is run once more, and was named.
failed=$(grep -c '": true' /var/tmp/pytest/v/cache/lastfailed 2>/dev/null || true)
if [ "$code" = 1 ] && [ "$failed" -ge 1 ] && [ "$failed" -le 3 ]; then
    code=0
    run --last-failed --last-failed-no-failures=none "$@" || code=$?
fi
exit "$code"
