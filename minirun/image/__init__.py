"""Images: what a container is made from, on disk and on its way there.

Layer ``image``, beside ``network`` and ``isolation``; only ``linux`` is below.
In the order of reading:

    reference    what an image is called
    config       what it says of itself
    records      the little that a start needs to know, ready to read
    store        the files, and the way from a name to an image
    archive      load: an archive of `docker save`, of podman, of OCI
    layout         the JSON documents in it
    import_      a tar of a root file system becomes an image
    intake       all of it or nothing; the chain from the archive to the disk
    streams, compression, tar
                   the links of that chain
    unpack       a layer becomes a directory for overlayfs
    tree, attributes
                   places in that directory, and what files have beside bytes
    temporary, changes
                   what a crash may leave, and how names change
    remove       untag, remove, collect
    save         an image becomes an archive
    merged       a file in the layers, without mounting them
    lookup       who is USER
"""
