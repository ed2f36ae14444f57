"""A layer's tar becomes a directory that overlayfs can mount.

Layer ``image``. The archive is anybody's, and root unpacks it. So every
directory on the way is opened with openat2(2) as if the layer's directory were
``/`` (linux/path.py), and the last part of a name is made with calls that never
follow a link; an archive can do what it likes inside the layer and nothing
outside. Of two entries with one name the later wins, as in tar(1).

A layer also says what it removes from the layers below (image-spec, layer.md,
"Whiteouts"), and overlayfs says it in other words:

    .wh.NAME        ->  NAME as a character device 0:0
    .wh..wh..opq    ->  the attribute overlay.opaque=y on the directory

The attribute is written as ``trusted.`` and as ``user.``: overlayfs reads the
first, or, mounted inside a user namespace with ``userxattr``, the second.
See kernel Documentation/filesystems/overlayfs.rst. Read ``lookup.py`` next.
"""

from __future__ import annotations

import os
import stat

from minirun.image.attributes import kept_attributes, mtime, owner, set_attributes
from minirun.image.streams import Malformed, write_all
from minirun.image.tar import Archive
from minirun.image.tree import HOST_ERRORS, OPEN_DIRECTORY, Tree, clean, is_whiteout, make_opaque, raw_name
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from tarfile import TarInfo

    from minirun.image.streams import Stream

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"


def unpack(stream: Stream, root: int, trash: int, end_mark: bool = False) -> int:
    """Unpacks the tar ``stream`` into the empty directory ``root``; bytes of the files in it.

    ``root`` and ``trash`` are file descriptors of directories in one file
    system; what an entry replaces is moved to ``trash``. Raises Malformed for
    what the archive did wrong and OSError for what the host could not do.
    """
    tree = Tree(root, trash)
    layer = _Layer(tree)
    archive = Archive(stream, end_mark)
    try:
        for entry in archive:
            try:
                layer.add(entry, archive)
            except Malformed as error:
                raise Malformed(f"entry {entry.name!r}: {error}") from error
            except (OverflowError, ValueError) as error:
                raise Malformed(f"entry {entry.name!r} has an impossible value: {error}") from error
            except OSError as error:
                if error.errno in HOST_ERRORS:
                    raise
                raise Malformed(f"entry {entry.name!r}: {error.strerror}") from error
        tree.finish()
    finally:
        tree.close()
    return layer.size


class _Layer:
    """The directory as it fills, entry by entry."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.size = 0

    def add(self, entry: TarInfo, archive: Archive) -> None:
        """Makes one entry."""
        path = clean(entry.name)
        above, _, name = path.rpartition(b"/")
        if WHITEOUT in path and self._whiteout(above, name, path):
            return
        if not path:
            self._own_root(entry)
        elif entry.isreg():
            self._file(above, name, entry, archive)
        elif entry.isdir():
            self._directory(path, above, name, entry)
        elif entry.issym():
            target = raw_name(entry.linkname)
            self._special(above, name, entry, lambda at: os.symlink(target, name, dir_fd=at))
        elif entry.islnk():
            self._hard_link(path, above, name, clean(entry.linkname))
        elif entry.isfifo():
            self._special(above, name, entry, lambda at: os.mkfifo(name, 0o600, dir_fd=at))
        elif entry.isdev():
            self._device(above, name, entry)
        else:
            raise Malformed(f"type {entry.type!r} is not supported in a layer")

    # One kind of entry each

    def _own_root(self, entry: TarInfo) -> None:
        if not entry.isdir():
            raise Malformed("the root of a layer must be a directory")
        set_attributes(self.tree.root, entry)
        self.tree.times[b""] = mtime(entry)

    def _file(self, above: bytes, name: bytes, entry: TarInfo, archive: Archive) -> None:
        def create(at: int) -> int:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(name, flags, 0o600, dir_fd=at)

        fd = self.tree.fresh(above, name, create)
        try:
            for offset, piece in archive.data(entry):
                if entry.sparse is not None:
                    os.lseek(fd, offset, os.SEEK_SET)
                write_all(fd, piece)
            if entry.sparse is not None:
                os.ftruncate(fd, entry.size)
            set_attributes(fd, entry)
            moment = mtime(entry)
            os.utime(fd, ns=(moment, moment))
        finally:
            os.close(fd)
        self.size += entry.size

    def _directory(self, path: bytes, above: bytes, name: bytes, entry: TarInfo) -> None:
        at = self.tree.at(above)
        try:
            os.mkdir(name, 0o700, dir_fd=at)
        except FileExistsError:
            there = os.stat(name, dir_fd=at, follow_symlinks=False)
            if not stat.S_ISDIR(there.st_mode):
                self.tree.discard(at, name)
                os.mkdir(name, 0o700, dir_fd=at)
                if is_whiteout(there):
                    self.tree.hide_below(at, name)
        fd = os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        try:
            set_attributes(fd, entry)
        finally:
            os.close(fd)
        self.tree.times[path] = mtime(entry)

    def _hard_link(self, path: bytes, above: bytes, name: bytes, target: bytes) -> None:
        source_above, _, source = target.rpartition(b"/")
        if path == target or not source:
            raise Malformed("it is a hard link to itself or to the root")
        try:
            found = os.stat(source, dir_fd=self.tree.existing(source_above), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Malformed(f"it links to {os.fsdecode(target)!r}, which is not there yet") from error
        if stat.S_ISDIR(found.st_mode):
            raise Malformed(f"it is a hard link to the directory {os.fsdecode(target)!r}")

        def link(at: int) -> None:
            source_at = self.tree.existing(source_above)  # anew: making room closes directories
            try:
                os.link(source, name, src_dir_fd=source_at, dst_dir_fd=at, follow_symlinks=False)
            except FileExistsError:
                # Both are one file already: to make room would remove the target.
                if not os.path.samestat(found, os.stat(name, dir_fd=at, follow_symlinks=False)):
                    raise

        self.tree.fresh(above, name, link)

    def _device(self, above: bytes, name: bytes, entry: TarInfo) -> None:
        number = os.makedev(entry.devmajor, entry.devminor)
        kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
        if kind == stat.S_IFCHR and number == 0:
            raise Malformed("a character device 0:0 is how overlayfs marks a removed file, no device")
        self._special(above, name, entry, lambda at: os.mknod(name, kind | 0o600, number, dir_fd=at))

    def _special(self, above: bytes, name: bytes, entry: TarInfo, make: Callable[[int], None]) -> None:
        """What has no content to open: a symbolic link, a device, a FIFO."""
        self.tree.fresh(above, name, make)
        at = self.tree.at(above)
        os.chown(name, *owner(entry), dir_fd=at, follow_symlinks=False)
        if not entry.issym():
            os.chmod(name, entry.mode & 0o7777, dir_fd=at)
        for attribute, value in kept_attributes(entry):
            if attribute.startswith("user."):
                raise Malformed("only files and directories have user attributes, see xattr(7)")
            # There is no setxattrat(2) before Linux 6.13; procfs gives the directory a path.
            os.setxattr(b"/proc/self/fd/%d/%s" % (at, name), attribute, value, follow_symlinks=False)
        moment = mtime(entry)
        os.utime(name, ns=(moment, moment), dir_fd=at, follow_symlinks=False)

    # Whiteouts

    def _whiteout(self, above: bytes, name: bytes, path: bytes) -> bool:
        """Makes what the entry removes from the layers below; False if it removes nothing."""
        if not any(part.startswith(WHITEOUT) for part in path.split(b"/")):
            return False
        if name == OPAQUE and b"/" + WHITEOUT not in b"/" + above:
            make_opaque(self.tree.at(above))
            return True
        if b"/.wh..wh." in b"/" + path:
            return True  # aufs kept its own books under such names, and old images have them
        target = name[len(WHITEOUT) :]
        if not name.startswith(WHITEOUT) or b"/" + WHITEOUT in b"/" + above or target in (b"", b".", b".."):
            raise Malformed("it is a whiteout of nothing")
        at = self.tree.at(above)
        try:
            os.mknod(target, stat.S_IFCHR, 0, dir_fd=at)
            os.utime(target, ns=(0, 0), dir_fd=at)
        except FileExistsError:
            # A whiteout is about the layers below; what this layer itself has stays.
            there = os.stat(target, dir_fd=at, follow_symlinks=False)
            if stat.S_ISDIR(there.st_mode):
                self.tree.hide_below(at, target)
        return True
