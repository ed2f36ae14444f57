"""compare: one workload as a process, a container, a pod, a virtual machine; measured from outside.

Above ``container`` and ``vm``, below ``cli``. Nothing of minirun's inside is
asked: each rung of the ladder is a command that a user could type, and what is
measured is what the user, and an administrator beside him, can see.

    ladder.py     the rungs: which command each one is
    in_pod.py     the one that takes several commands
    stage.py      the image's files put together, for the rungs that need a directory
    attempt.py    one run: start, the first byte of output, a look, the end
    processes.py  what the host's ps shows of a run, and what memory it takes
    syscalls.py   what the host's kernel was asked, by strace
    kernel.py     which kernel the workload says it is on
    measure.py    all of it, rungs in turn
    report.py     from measurements to rows, a legend and an answer
    chart.py      the same as bars, in a terminal or as SVG

Read ``measure.py`` next, then ``ladder.py``.
"""
