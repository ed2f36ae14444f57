"""How something new gets into the store: all of it, or nothing.

Layer ``image``. What an ``Intake`` takes in stands under temporary names until
everything was verified; then it is put in its place, the name of the image
last. A layer passes through once, from the archive to the disk:

    archive -> hash (digest) -> blob file
                   '-> decompress -> hash (diff-id) -> tar -> directory

Blob files have no name at all before (O_TMPFILE, open(2)), so they go with the
process. A layer grows in ROOT/layers/.tmp-X, under a flock(2) that goes with
the process too: ``sweep`` removes those that nobody holds. Read ``unpack.py``
next, or ``archive.py`` for who calls this.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from minirun.errors import InvalidInput
from minirun.image import compression, store
from minirun.image.changes import changing, disk_error, locked, prepare, write_name, write_record
from minirun.image.layout import LAYERS, OCI_LAYER, SUFFIXES, Descriptor
from minirun.image.records import LayerRecord, Record
from minirun.image.streams import Malformed, Passing, PutBack, drain, write_all
from minirun.image.temporary import TemporaryDirectory
from minirun.image.tree import OPAQUE_ATTRIBUTES
from minirun.image.unpack import unpack
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from minirun.image.streams import Stream


class Intake:
    """``with Intake(root, "load x.tar") as intake: ...; intake.commit(...)``.

    ``what`` is what the user asked for, for errors. Without ``commit`` nothing
    remains. Errors of the archive come out as InvalidInput.
    """

    def __init__(self, root: str, what: str) -> None:
        self.root = root
        self.what = what
        self._lock = -1
        #: What is verified and waits for its place, by digest and by diff-id.
        self._blobs: dict[str, _Blob] = {}
        self._layers: dict[str, TemporaryDirectory] = {}
        #: Everything that was made on the way, verified or not.
        self._opened: list[_Blob] = []
        self._growing: list[TemporaryDirectory] = []
        #: The layers of images that are here, by blob and diff-id, and by diff-id.
        self._pairs: dict[tuple[str, str], LayerRecord] = {}
        self._unpacked: dict[str, LayerRecord] = {}

    def __enter__(self) -> Intake:
        prepare(self.root)
        # Shared: intakes do not mind each other, but the collector must not take
        # away what one of them has found to be there already.
        self._lock = locked(f"{self.root}/images/intake.lock", fcntl.LOCK_SH)
        for id in store.ids(self.root):
            record = store.read_record(self.root, id)
            for layer in record.layers if record else ():
                self._learn(layer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for blob in self._opened:
            os.close(blob.fd)
        for layer in self._growing:
            layer.remove()
        os.close(self._lock)
        if isinstance(error, Malformed):
            raise InvalidInput(
                f"cannot {self.what}", str(error), "make or fetch the archive again"
            ) from error
        if isinstance(error, OSError):
            raise disk_error(error, f"cannot {self.what}") from error

    def document(self, raw: bytes) -> str:
        """Takes in a manifest or configuration; its digest."""
        import hashlib

        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        blob = self._new_blob()
        blob.write(raw)
        self._blobs.setdefault(digest, blob)
        return digest

    def layer(
        self,
        stream: Stream,
        diff_id: str = "",
        blob: Descriptor | None = None,
        end_mark: bool = False,
    ) -> LayerRecord:
        """Takes in one layer, packed as it comes.

        It must have the digest ``diff_id`` unpacked and be what ``blob``
        describes, where these are given; ``end_mark`` as in tar.Archive.
        """
        if blob is not None and blob.mediaType not in LAYERS:
            raise Malformed(f"media type {blob.mediaType!r} of {blob.digest} is no file system layer")
        known = self._pairs.get((blob.digest, _digits(diff_id))) if blob else None
        if known is not None and self._has(known):
            return known
        head = stream.read(compression.LOOK)
        while len(head) < compression.LOOK and (more := stream.read(compression.LOOK - len(head))):
            head += more
        kind = compression.kind(head)
        if blob is not None and kind not in SUFFIXES:
            raise Malformed(f"layer {blob.digest} is compressed with {kind}, which OCI has not")
        record = self._pass(PutBack(head, stream), kind, diff_id, blob, end_mark)
        self._learn(record)
        return record

    def _pass(
        self, stream: Stream, kind: str, diff_id: str, blob: Descriptor | None, end_mark: bool
    ) -> LayerRecord:
        file = self._new_blob()
        # Kept as it came if OCI has a media type for that, plain otherwise.
        as_it_came = kind in SUFFIXES
        packed = tar = Passing(stream, as_it_came, file.write if as_it_came else None)
        if kind:
            tar = Passing(compression.plain(packed, kind), True, None if as_it_came else file.write)
        kept = packed if as_it_came else tar
        try:
            layer, unpacked = self._unpack(tar, diff_id, end_mark)
            drain(tar)
        except Malformed:
            drain(packed)
            _verify(kept, blob)  # if it is not even what was promised, that says more
            raise
        drain(packed)
        _verify(kept, blob)
        if diff_id and tar.digest != diff_id:
            raise Malformed(f"a layer's diff-id should be {diff_id} and is {tar.digest}")
        name = _digits(tar.digest)
        self._blobs.setdefault(kept.digest, file)
        if layer is not None:
            self._layers.setdefault(name, layer)
        return LayerRecord(
            diff_id=name,
            digest=kept.digest,
            media_type=blob.mediaType if blob else OCI_LAYER + SUFFIXES[kind if as_it_came else ""],
            packed=kept.size,
            unpacked=unpacked,
            opaque=_is_opaque(layer.path("root")) if layer else self._unpacked[name].opaque,
        )

    def _unpack(self, tar: Passing, diff_id: str, end_mark: bool) -> tuple[TemporaryDirectory | None, int]:
        """The layer's new directory and its size; no directory if it is there already."""
        known = self._unpacked.get(_digits(diff_id))
        if known is not None and self._is_unpacked(known.diff_id):
            return None, known.unpacked
        layer = TemporaryDirectory(f"{self.root}/layers")
        self._growing.append(layer)
        root, trash = layer.make("root"), layer.make("trash")
        try:
            return layer, unpack(tar, root, trash, end_mark)
        finally:
            os.close(root)
            os.close(trash)

    def _learn(self, layer: LayerRecord) -> None:
        self._pairs[layer.digest, layer.diff_id] = layer
        self._unpacked[layer.diff_id] = layer

    def _has(self, layer: LayerRecord) -> bool:
        stored = layer.digest in self._blobs or os.path.exists(store.blob_path(self.root, layer.digest))
        return stored and self._is_unpacked(layer.diff_id)

    def _is_unpacked(self, name: str) -> bool:
        return name in self._layers or os.path.isdir(store.layer_path(self.root, name))

    def _new_blob(self) -> _Blob:
        self._opened.append(_Blob(self.root))
        return self._opened[-1]

    def commit(self, images: list[tuple[Record, tuple[str, ...]]]) -> None:
        """Puts everything in its place, the names (in their local form) at the very end."""
        with changing(self.root):
            for digest, blob in self._blobs.items():
                blob.link(store.blob_path(self.root, digest))
            for name, layer in self._layers.items():
                layer.give("root", store.layer_path(self.root, name))
            for record, _ in images:
                write_record(self.root, record)
            for record, names in images:
                for name in names:
                    write_name(self.root, name, record.id)


def _digits(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _verify(packed: Passing, blob: Descriptor | None) -> None:
    if blob is not None and packed.size != blob.size:
        raise Malformed(f"layer {blob.digest} has {packed.size} bytes and should have {blob.size}")
    if blob is not None and packed.digest != blob.digest:
        raise Malformed(f"a layer's digest should be {blob.digest} and is {packed.digest}")


class _Blob:
    """A file without a name in the directory of the blobs."""

    def __init__(self, root: str) -> None:
        self.fd = os.open(f"{root}/images/blobs/sha256", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)

    def write(self, data: bytes) -> None:
        write_all(self.fd, data)

    def link(self, path: str) -> None:
        """Gives it its name, unless a blob has it: then that is the same."""
        # linkat(2) with AT_SYMLINK_FOLLOW; os.link only makes that call with a directory.
        with contextlib.suppress(FileExistsError):
            os.link(f"/proc/self/fd/{self.fd}", path, src_dir_fd=self.fd, follow_symlinks=True)


def _is_opaque(layer: str) -> bool:
    for attribute in OPAQUE_ATTRIBUTES:
        try:
            if os.getxattr(layer, attribute) == b"y":
                return True
        except OSError:
            continue
    return False
