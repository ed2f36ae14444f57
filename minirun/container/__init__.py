"""One container's life: from what was asked to what is left of it.

A file a verb of the lifecycle. This layer decides and remembers; the promises
themselves are kept by ``isolation`` and ``image`` below it. In the order of a
start:

    options.py    what the user asked
    specify.py    Options and an image -> the OCI Spec (pure)
    plan.py       the Spec -> the list of steps (pure); the table of contents
    create.py     walks the list
    start.py      opens the gate: the program runs

"""
