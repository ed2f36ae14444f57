"""The machinery behind the tutorial: chapters read, sessions replayed, exercises checked.

Layer ``learn``, under the doors (cli, cri) and above everything that a chapter
talks about. A chapter is a directory of ``tutorials/``; prose is in its
``*.en.md`` and ``*.en.toml``, structure in ``chapter.toml``, and nothing here
knows a sentence of it. In reading order:

    places.py     where the chapters are
    chapter.py    what a chapter consists of
    excerpts.py   regions of scripts, and quotes from minirun's own source
    assemble.py   text.en.md -> README.md (`make tutorials`)
    words.py      the sentences that the machinery says itself
    needs.py      what a session or an exercise cannot do without; is it here?
    sessions.py   a session file: commands, and what they print
    matching.py   is that what was printed? with places that vary
    stores.py     the images that it finds
    materials.py  the files that it finds
    home.py       a store and commands of its own
    classroom.py  a place for all that; sessions are played in it
    fence.py      what holds a learner's program: limits, namespaces, an end
    protection.py the machine's files, read-only
    groups.py     whose is a cgroup?
    looking.py    a process as the kernel tells of it
    streams.py    what a program reads and writes, as files
    attempt.py    one try of a program, for a check.py to look at
    node.py       the pods of a learner's manifest, in an attempt
    checking.py   an exercise's check.py, run; its verdict in words
    learner.py    whose tutorial it is, and how far they have come
    folder.py     the folder that they work in
    reading.py    the text in a terminal
    tidying.py    what experiments have left, taken away
    site/         the chapters as a site (`make docs`)
"""
