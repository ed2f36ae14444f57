cd /sys/fs/cgroup
cat cgroup.controllers
echo "+memory +pids +cpu +io" > cgroup.subtree_control
mkdir shop shop/till
echo $$ > shop/cgroup.procs
cat /proc/self/cgroup
echo +memory > shop/cgroup.subtree_control
echo $$ > shop/till/cgroup.procs
echo +memory > shop/cgroup.subtree_control
echo $$ > shop/cgroup.procs
echo 16M > shop/memory.max
echo max > shop/till/memory.max
tail /dev/zero
grep oom_kill shop/till/memory.events
mkdir slow
echo 16M > slow/memory.high
time sh -c 'echo 0 > slow/cgroup.procs; dd if=/dev/zero of=/dev/null bs=15M count=1 2>/dev/null'
time sh -c 'echo 0 > slow/cgroup.procs; dd if=/dev/zero of=/dev/null bs=17M count=1 2>/dev/null'
grep high slow/memory.events
echo "$(cat /sys/block/vda/dev) rbps=4194304" > slow/io.max
time sh -c 'echo 0 > slow/cgroup.procs; dd if=/dev/vda of=/dev/null bs=1M count=4 iflag=direct 2>/dev/null'
mkdir lent
chown nobody lent lent/cgroup.procs lent/cgroup.subtree_control
echo 64M > lent/memory.max
su -s /bin/sh nobody -c 'mkdir lent/part; ls -d lent/part; echo max > lent/memory.max'
