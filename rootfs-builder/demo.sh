# `make demo`: loads the image busybox and runs a few containers, each to see
# one promise kept. Everything it starts is gone when it ends.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
show() { printf '\033[32m$ %s\033[0m\n' "$(words "$@")"; "$@"; }
# For what shall fail: shows the exit code, and stops the demo if it is another one.
fails() {
    local expected=$1 code=0; shift
    show "$@" || code=$?
    echo "(exit code $code)"
    [ "$code" = "$expected" ] || { echo "demo: expected exit code $expected" >&2; exit 1; }
}
# The command as one would type it.
words() {
    local word line=
    for word; do
        case $word in *[!A-Za-z0-9_./:=,@%+-]*) word="'$word'" ;; esac
        line="$line $word"
    done
    echo "${line# }"
}

say 'An image, made on this machine by rootfs-builder/busybox.py'
show minirun load -i output/busybox.tar
show minirun images

say 'A hostname of its own (the uts namespace)'
show minirun run --rm --network none --hostname aquarium busybox hostname

say 'It is process 1, and sees no other (the pid namespace)'
show minirun run --rm --network none busybox ps

say 'Mounts of its own: the root is an overlay, and nothing of the host is left'
show minirun run --rm --network none busybox sh -c 'mount | cut -c -70 | head -n 5; echo /*'

say 'A network of its own, with nothing in it but the loopback'
show minirun run --rm --network none busybox ip address

say 'A limit on processes: ten may live, the shell being one (the pids controller)'
fails 2 minirun run --rm --network none --pids-limit 10 busybox \
    sh -c 'for i in $(seq 20); do echo -n "$i "; sleep 1 & done'

say 'A limit on memory: who takes more is killed, 137 = 128 + SIGKILL'
fails 137 minirun run --rm --network none -m 16m busybox sh -c 'x=drop; while true; do x=$x$x; done'

say 'A read-only root file system'
fails 1 minirun run --rm --network none --read-only busybox touch /etc/motd

say 'Root in here is not root out there: most capabilities are dropped'
show minirun run --rm --network none busybox grep -E '^(CapEff|NoNewPrivs|Seccomp)' /proc/self/status
fails 1 minirun run --rm --network none --cap-drop ALL busybox chown nobody /etc/passwd

say 'A container is a list of system calls. This one, in full: minirun explain busybox true'
steps=$(minirun explain busybox true)
grep -E '^ *[0-9]+ ' <<<"$steps"
echo '...and one of the steps, with its calls and its reason:'
grep -A 5 'init  swap the root' <<<"$steps"

say 'Nothing is left'
show minirun ps -a
printf '\nYour turn: .venv/bin/minirun run --rm -it busybox\n'
