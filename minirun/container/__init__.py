"""One container's life: from what was asked to what is left of it.

A file a verb of the lifecycle. This layer decides and remembers; the promises
themselves are kept by ``isolation`` and ``image`` below it. In the order of a
start:

    options.py    what the user asked
    specify*.py   Options and an image -> the OCI Spec (pure)
    plan.py       the Spec -> the list of steps (pure); the table of contents
    prepare.py    takes an id, a name, a lock; writes the record
    create.py     walks the list
    start.py      opens the gate: the program runs
    attach.py     streams, while it runs; logs.py, wait.py, execute.py, kill.py
    after.py      when it has ended; remove.py, gc.py

``state.py`` has where all of it is kept, ``locks.py`` who may touch it.
"""
