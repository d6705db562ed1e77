"""Segments of an ironweave log that are in archives, as docs/log-format.md specifies them (*Archives*).

It is used by read_log.py, and was written from that page alone. Decompressing needs the package zstandard, or Python 3.14.
"""

import os

from log_format import *

ARCHIVED_MAGIC, ARCHIVE_MAGIC = b"IWARCHIV", b"IWARCSEG"
INDEX_MAGIC = bytes([0x57, 0x2A, 0x4D, 0x18])
SEGMENT_BYTES, ENTRY_BYTES, FOOTER_BYTES = 88, 24, 64
DROPPED = 1


def decompressor():
    """Returns a function that decompresses one frame of Zstandard; None if there is no package for it."""
    try:
        import zstandard

        return lambda data, length: zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
    except ImportError:
        pass
    try:
        from compression import zstd

        return lambda data, length: zstd.decompress(data)
    except ImportError:
        return None


class Archived:
    """The content of the file ARCHIVED."""

    @classmethod
    def read(cls, directory):
        """Returns None if there is no such file."""
        try:
            with open(os.path.join(directory, "ARCHIVED"), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        archived = cls()
        archived.left, archived.kept = (Block.decode(data[at : at + 64], ARCHIVED_MAGIC) for at in (0, 64))
        if archived.left is None or archived.kept is None or xxh3(data[:-8]) != u64(data, len(data) - 8):
            raise Invalid("the file is broken, so that it is not known where the log begins")
        segments, directories, _, _ = struct.unpack_from("<IIII", data, 128)
        at, archived.segments, paths = 144, {}, []
        for _ in range(segments):
            header = Block.decode(data[at : at + 64], SEGMENT_MAGIC)
            length, content, directory_at, flags = struct.unpack_from("<QQII", data, at + 64)
            if header is None or flags & ~DROPPED:
                raise Newer(f"a segment in it has the flags {flags:#x}")
            if not flags & DROPPED:
                archived.segments[header.seq] = (length, content, directory_at)
            at += SEGMENT_BYTES
        for _ in range(directories):
            (length,) = struct.unpack_from("<I", data, at)
            paths.append(data[at + 4 : at + 4 + length].decode())
            at += 4 + length
        if any(directory_at >= directories for _, _, directory_at in archived.segments.values()):
            raise Invalid("a segment in it has a directory that is not there")
        archived.path = lambda seq: os.path.join(directory, paths[archived.segments[seq][2]], f"{seq:020}.log.zst")
        return archived

    def load(self, seq, moved=None):
        """Returns the path of a segment in its archive, and its bytes."""
        path = self.path(seq)
        if moved:
            path = os.path.join(moved, os.path.basename(path))
        with open(path, "rb") as file:
            data = file.read()
        after = min((s for s in self.segments if s > seq), default=self.left.seq)
        length, content, _ = self.segments[seq]
        return path, decompress(data, (self.left.store, seq, after, length, content))


def decompress(data, expected):
    """Returns the bytes of a segment in an archive, which must have the identity that ARCHIVED records."""
    footer = data[-FOOTER_BYTES:]
    if footer[:8] != ARCHIVE_MAGIC:
        raise Invalid("it does not end with the index of an archive")
    version, reserved, count = struct.unpack_from("<HHI", footer, 8)
    start = len(data) - FOOTER_BYTES - ENTRY_BYTES * count - 8
    index = data[start:]
    if start < 0 or index[:4] != INDEX_MAGIC or xxh3(index[:-8]) != u64(index, len(index) - 8):
        raise Invalid("its index is broken")
    if version != 1 or reserved:
        raise Newer(f"it is of version {version} of archives")
    if struct.unpack_from("<QQQQQ", footer, 16) != expected:
        raise Invalid("it has another segment than the log records")
    decode = decompressor()
    if decode is None:
        raise Invalid(
            "it is compressed: install the package zstandard, or decompress it into the directory of the log with "
            "`zstd -d FILE -o STORE/<20 digits>.log`"
        )
    entries = [struct.unpack_from("<QQQ", index, 8 + ENTRY_BYTES * i) for i in range(count)]
    ends = entries[1:] + [(start, expected[3], expected[2])]
    segment = b""
    for (at, offset, _), (end, offset_end, _) in zip(entries, ends):
        if offset != len(segment) or at >= end:
            raise Invalid("the blocks in its index do not follow each other")
        segment += decode(data[at:end], offset_end - offset)
    if len(segment) != expected[3]:
        raise Invalid("its blocks have another length than its index says")
    return segment
