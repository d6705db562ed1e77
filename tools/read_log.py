#!/usr/bin/env python3
"""Reads and checks a log of ironweave, without ironweave: a second implementation of docs/log-format.md, written from that
page alone.

It checks blocks and frames, their order and their checksums, applies all facts, and compares the fingerprint of the graph
with the one in each frame. It changes nothing. The last line is `ok: N frames, M facts`. A problem is reported with file,
offset and frame, and ends the program with exit code 1. It reads segments in archives if the package zstandard is there. It refuses a log
whose first frames were dropped, whose graph is only in checkpoints.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import json
import os
import re

from log_archive import Archived
from log_format import *
from log_graph import Graph
from log_records import read_migration, read_transaction
from log_schema import Schema

SEARCH_SHORT_BYTES, SEARCH_BYTES_MAX = 512, 1 << 30


class Problem(Exception):
    """A log that a reader refuses."""

    def __init__(self, path, offset, seq, what):
        place = path if offset is None else f"{path} at offset {offset}"
        place += "" if seq is None else f", frame {seq}"
        super().__init__(f"{place}: {what}")


class Log:
    """A log that was read, or is being read."""

    def __init__(self, directory, on_transaction, archives=None):
        self.directory, self.on_transaction, self.archives = directory, on_transaction, archives
        self.next, self.epoch, self.fingerprint, self.store = 0, 0, 0, None
        self.facts, self.torn, self.timeline = 0, None, 0
        self.schemas, self.graph, self.time, self.keys = [], Graph(), 0, {}
        self.version = VERSIONS[0]
        # Whether the frame before was in a group and not its last one, and whether it was a schema or a migration.
        self.in_group, self.may_migrate = False, False

    def read(self):
        self.head = self.read_head()
        names = [n for n in os.listdir(self.directory) if re.fullmatch(r"\d{20}\.log", n, re.ASCII)]
        firsts = {n for n in (int(name[:20]) for name in names) if n <= M64}
        self.read_archived()
        if self.archived:
            firsts = {n for n in firsts if n >= self.archived.left.seq}.union(self.archived.segments)
        firsts = sorted(firsts)
        if not firsts:
            if self.head:
                self.refuse(self.segment(0), 0, "the segment is missing: HEAD records a later frame as durable")
            raise Problem(self.directory, None, None, "there is no log: no file is named like a segment")
        for i, first in enumerate(firsts):
            following = firsts[i + 1] if i + 1 < len(firsts) else None
            path, data = self.load(first)
            if not self.enter(path, data, first, following is None):
                return
            end, why = self.read_frames(path, data)
            if following is not None:
                self.check_sealed(path, data, end, why, following)
            else:
                self.check_end(path, data, end, why)

    def segment(self, first):
        return os.path.join(self.directory, f"{first:020}.log")

    def read_archived(self):
        path = os.path.join(self.directory, "ARCHIVED")
        try:
            self.archived = Archived.read(self.directory)
        except (Invalid, struct.error) as e:
            raise Problem(path, 0, None, e)
        if self.archived and self.archived.kept.seq:
            kept = self.archived.kept.seq
            what = f"the frames before {kept} were dropped; the graph is only in checkpoints, which this program does not read"
            raise Problem(path, None, None, what)

    def load(self, first):
        """Returns the path and the bytes of a segment, in the directory or in an archive."""
        path = self.segment(first)
        try:
            with open(path, "rb") as file:
                return path, file.read()
        except FileNotFoundError:
            if not self.archived or first not in self.archived.segments:
                raise
        path = self.archived.path(first)
        try:
            return self.archived.load(first, self.archives)
        except FileNotFoundError as e:
            raise Problem(e.filename, None, first, "the archive of the segment is missing; name its directory with --archives")
        except Exception as e:
            # The packages that decompress have exceptions of their own.
            raise Problem(path, None, first, e)

    def refuse(self, path, offset, what):
        raise Problem(path, offset, self.next, what)

    def read_head(self):
        path = os.path.join(self.directory, "HEAD")
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        try:
            block = Block.decode(data, HEAD_MAGIC) if len(data) == BLOCK_BYTES else None
        except Newer as e:
            raise Problem(path, 0, None, e)
        if block is None:
            raise Problem(path, 0, None, "the block is broken, so it is not known which frames were durable")
        return block

    def enter(self, path, data, first, is_newest):
        """Checks the header of a segment. Returns False if it is torn, which ends the log."""
        if first != self.next:
            missing = self.segment(self.next)
            raise Problem(missing, None, self.next, f"the segment is missing; the next one there is {path}")
        try:
            block = Block.decode(data, SEGMENT_MAGIC)
        except Newer as e:
            self.refuse(path, 0, e)
        if block is None:
            if not is_newest or any(data[BLOCK_BYTES:]):
                self.refuse(path, 0, "the header of the segment is broken")
            self.check_head(path, 0)
            self.torn = (path, 0)
            return False
        if block.seq != first:
            self.refuse(path, 0, f"the header is that of segment {block.seq}")
        for store in (self.store, self.head and self.head.store):
            if store is not None and store != block.store:
                self.refuse(path, 0, "the segment is of another store")
        if (block.epoch, block.fingerprint) != (self.epoch, self.fingerprint):
            self.refuse(path, 0, "the segment does not continue the one before it")
        self.store, self.timeline = block.store, block.timeline
        return True

    def read_frames(self, path, data):
        """Reads the frames of a segment. Returns the offset at which they end and, if something else is there, why that is
        no frame."""
        at = BLOCK_BYTES
        while True:
            if not any(data[at : at + FRAME_HEADER_BYTES]):
                return at, None
            try:
                frame, length = frame_at(data, at, self.store)
            except Invalid as e:
                return at, str(e)
            # A frame with a correct checksum is neither torn nor damaged if a newer program wrote it.
            if frame.version not in VERSIONS:
                self.refuse(path, at, f"the frame is of format version {frame.version}")
            flags = frame.flags if frame.version >= 3 else 0
            if flags not in ((0,) if frame.kind == TRANSACTION else (0, GROUP, GROUP | GROUP_END)):
                self.refuse(path, at, f"the frame has the flags {flags:#x}, which are for later versions")
            if frame.kind not in (SCHEMA, TRANSACTION, MIGRATION):
                self.refuse(path, at, f"the frame is of the unknown kind {frame.kind}")
            if frame.durable > frame.seq:
                self.refuse(path, at, "the frame records itself as durable before it was written")
            if frame.seq != self.next:
                return at, f"frame {frame.seq} is there instead"
            if self.in_group and not flags:
                self.refuse(path, at, "it follows a group of frames without the last frame of the group")
            if flags == GROUP and not self.in_group and not self.is_whole_group(data, at):
                return at, "a group of frames begins here and has no end"
            self.in_group = flags == GROUP
            head = self.head
            if head and head.seq == frame.seq and (head.epoch, head.fingerprint) != (frame.epoch, frame.fingerprint):
                self.refuse(path, at, "HEAD records another epoch or fingerprint for the frame")
            try:
                self.apply(frame)
            except Invalid as e:
                self.refuse(path, at, e)
            self.epoch, self.fingerprint = frame.epoch, frame.fingerprint
            self.next += 1
            at += length

    def is_whole_group(self, data, at):
        """Returns whether the group that begins at an offset has its last frame."""
        seq = self.next
        while True:
            try:
                frame, length = frame_at(data, at, self.store)
            except Invalid:
                return False
            if frame.seq != seq or not frame.flags:
                return False
            if frame.flags & GROUP_END:
                return True
            at, seq = at + length, seq + 1

    def check_sealed(self, path, data, end, why, following):
        if why:
            self.refuse(path, end, f"{why}, although the segment has a successor and was durable before that")
        if any(data[end:]):
            self.refuse(path, end, "there are bytes behind the frames of a segment that has a successor")
        if following != self.next:
            missing = self.segment(self.next)
            self.refuse(missing, None, f"the segment is missing, or {path} has lost its last frames")

    def check_end(self, path, data, end, why):
        self.check_head(path, end)
        if not any(data[end:]):
            return
        if self.is_proved_durable(path, data, end):
            self.refuse(path, end, f"{why or 'zeros are there'}, and a frame behind it records that frame as durable")
        self.torn = (path, end)

    def check_head(self, path, end):
        if self.head and self.head.seq >= self.next:
            self.refuse(path, end, f"the frame is missing, and HEAD records frame {self.head.seq} as durable")

    def is_proved_durable(self, path, data, start):
        """Searches behind the frame that is due, at multiples of 8, for a frame that records it as durable."""
        left, skipped = 4 * (len(data) - start) + SEARCH_BYTES_MAX, False
        at = data.find(FRAME_MAGIC, start)
        while at >= 0:
            if (at - start) % 8 == 0 and self.is_candidate(data, at, start):
                length = frame_bytes(data, at)
                if length > SEARCH_SHORT_BYTES and length > left:
                    skipped = True
                else:
                    left -= length if length > SEARCH_SHORT_BYTES else 0
                    if xxh3(data[at + 16 : at + length], self.store ^ u64(data, at)) == u64(data, at + 8):
                        return True
            at = data.find(FRAME_MAGIC, at + 1)
        if skipped:
            self.refuse(path, start, "too many bytes look like frames to tell whether it was durable")
        return False

    def is_candidate(self, data, at, start):
        try:
            frame_bytes(data, at)
        except Invalid:
            return False
        version, kind, flags, _, seq, durable = struct.unpack_from("<BBHIQQ", data, at + 16)
        is_known = version in VERSIONS and kind in (SCHEMA, TRANSACTION, MIGRATION) and (version >= 3 or not flags)
        covers = self.next < durable <= seq
        return is_known and covers and (seq - self.next) * FRAME_HEADER_BYTES <= at - start

    def apply(self, frame):
        """Applies the content of a frame to the graph."""
        is_schema = frame.kind == SCHEMA
        if not is_schema and not self.schemas:
            raise Invalid("no schema precedes it")
        due = len(self.schemas) - (not is_schema)
        if frame.epoch != due:
            raise Invalid(f"it records epoch {frame.epoch} and is in epoch {due}")
        if frame.version < self.version or (frame.version != self.version and not is_schema):
            raise Invalid(f"it is of format version {frame.version} in an epoch of version {self.version}")
        if frame.kind == MIGRATION and not self.may_migrate:
            raise Invalid("it is a part of a migration, and does not follow a schema or another part")
        self.may_migrate = frame.kind != TRANSACTION
        self.version = frame.version
        if is_schema:
            schema = Schema(frame.payload)
            if self.schemas:
                self.graph = self.graph.carried_over(self.schemas[-1], schema)
            self.schemas.append(schema)
        elif frame.kind == MIGRATION:
            self.apply_migration(frame)
        else:
            self.apply_transaction(frame)
        if frame.kind != TRANSACTION and not self.in_group:
            self.graph.must_be_whole(self.schemas[-1])
        if self.graph.fingerprint != frame.fingerprint:
            found, logged = f"{self.graph.fingerprint:032x}", f"{frame.fingerprint:032x}"
            raise Invalid(f"the graph after it has the fingerprint {found}, and the log says {logged}")

    def apply_migration(self, frame):
        migration = read_migration(frame, self.schemas[-1])
        if migration.time < self.time:
            raise Invalid("its time is before that of the transaction before it")
        self.graph.apply(migration.facts, self.schemas[-1], is_whole=False)
        self.time = migration.time
        self.facts += len(migration.facts)

    def apply_transaction(self, frame):
        schema = self.schemas[-1]
        transaction = read_transaction(frame, schema)
        if transaction.time < self.time:
            raise Invalid("its time is before that of the transaction before it")
        key = transaction.meta.get("idempotency_key")
        if key in self.keys:
            raise Invalid(f"its idempotency key is that of frame {self.keys[key]}")
        self.graph.apply(transaction.facts, schema)
        self.time = transaction.time
        if key is not None:
            self.keys[key] = frame.seq
        self.facts += len(transaction.facts)
        if self.on_transaction:
            position = f"{frame.seq}-{frame.checksum:016x}-{self.timeline:x}-{self.store:016x}"
            self.on_transaction({"seq": frame.seq, "position": position, **transaction.as_json(schema)})


def check(directory, on_transaction=None, archives=None):
    """Reads a log and returns it. A problem is reported only if it is found twice, since a writer may be writing."""
    try:
        log = Log(directory, None, archives)
        log.read()
    except (Problem, OSError):
        log = Log(directory, None, archives)
        log.read()
    if on_transaction:
        log = Log(directory, on_transaction, archives)
        log.read()
    return log


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="+", help="the directory of a store")
    parser.add_argument("--events", action="store_true", help="print each transaction as a line of JSON, with events and facts")
    parser.add_argument("--fingerprint", action="store_true", help="print the fingerprint of the graph at the end of the log")
    parser.add_argument("--archives", help="the directory of segments in archives, if it was moved")
    options = parser.parse_args()
    print_line = lambda transaction: print(json.dumps(transaction, ensure_ascii=False, allow_nan=False))
    failed = False
    for directory in options.directory:
        # With several directories, each line about one begins with its path.
        prefix = f"{directory}: " if len(options.directory) > 1 else ""
        try:
            log = check(directory, print_line if options.events else None, options.archives)
        except (Problem, OSError) as e:
            failed = True
            sys.stdout.flush()
            print(f"{prefix}{e}", file=sys.stdout if prefix else sys.stderr)
            continue
        if log.torn:
            path, offset = log.torn
            print(f"{prefix}{path} at offset {offset}, frame {log.next}: a torn tail, which is not part of the log", file=sys.stderr)
        if options.fingerprint:
            print(f"{prefix}fingerprint {log.fingerprint:032x}")
        print(f"{prefix}ok: {log.next} frames, {log.facts} facts")
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
