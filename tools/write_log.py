#!/usr/bin/env python3
"""Writes a small log of ironweave, without ironweave, from docs/log-format.md alone: a library that buys, lends and sells books.

A test opens the log with the model of the library, verifies it and continues it.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import secrets

from log_format import *
from log_graph import Graph
from log_records import FACT, FIRING, HEADER, Fact
from log_schema import Schema


def schema():
    """Returns the schema of the library as CBOR."""

    def state(name, *moves, terminal=False):
        return {"name": name, "terminal": terminal, "to": [{"to": to, "verb": verb} for to, verb in moves]}

    def column(entity, name, ty, encoding, state=None, key=False, default=None):
        return {
            "entity": entity, "state": state, "name": name, "ty": ty, "key": key, "index": None, "default": default,
            "encoding": encoding,
        }

    def end(entity, name, cardinality, most, on_delete):
        return {
            "entity": entity, "name": name, "cardinality": cardinality, "min": 0, "max": most, "on_delete": on_delete,
            "counted": False,
        }

    def event(name, fields, names, arcs, immediate=False):
        fields = [{"name": n, "ty": ty, "encoding": encoding} for n, ty, encoding in fields]
        names = [{"name": n, "entity": e, "count": "One", "by": by} for n, e, by in names]
        return {
            "name": name, "immediate": immediate, "fields": fields, "names": names, "arcs": arcs, "mays": [], "guards": [],
        }

    def path(root, *hops):
        return {"root": root, "hops": list(hops)}

    def field(column, field):
        return {"column": column, "source": {"Field": field}}

    lent_to = {"edge": 0, "forward": True}
    books = {"edge": 0, "forward": False}
    reader, book, active, idle, here, lent = 0, 1, 0, 1, 0, 1
    model = {
        "name": "library",
        "entities": [
            {"name": "Reader", "states": [state("Active", (idle, "to_idle")), state("Idle", (active, "to_active"))], "initial": active},
            {"name": "Book", "states": [state("Here", (lent, "to_lent")), state("Lent", (here, "to_here"))], "initial": here},
        ],
        "columns": [
            column(reader, "name", "String", "Text", key=True),
            column(reader, "fines", "i64", "I64", default="default"),
            column(book, "isbn", "u64", "U64", key=True),
            column(book, "copy", "u8", "U8", key=True),
            column(book, "title", "String", "Text"),
            column(book, "weight", "f32", "F32"),
            column(book, "binding", "super::Binding", "Serde"),
            column(book, "at", "Timestamp", "Timestamp", state=lent),
            column(book, "by", "Option<char>", {"Option": "Char"}, state=lent),
        ],
        "edges": [
            {
                "from": end(book, "lent_to", "Option", 1, "Unlink"),
                "to": end(reader, "books", "Many", None, "Restrict"),
                "data": "std::time::Duration", "acyclic": False, "encoding": "Duration",
            }
        ],
        "events": [
            event(
                "Bought",
                [
                    ("isbn", "u64", "U64"), ("copy", "u8", "U8"), ("title", "String", "Text"), ("weight", "f32", "F32"),
                    ("binding", "super::Binding", "Serde"),
                ],
                [("book", book, "Created")],
                [{"Create": {"name": 0, "state": here, "values": [field(2 + i, i) for i in range(5)]}}],
            ),
            event(
                "Borrowed",
                [
                    ("book", "Book", {"Id": book}), ("reader", "Ensure<Reader>", {"Key": reader}),
                    ("term", "std::time::Duration", "Duration"), ("by", "Option<char>", {"Option": "Char"}),
                ],
                [("book", book, "Handle"), ("reader", reader, "Ensure")],
                [
                    {"Link": {"path": path(0), "hop": lent_to, "with": path(1), "data": {"Field": 2}}},
                    {
                        "Move": {
                            "scope": "Each", "path": path(0), "from": [here], "to": lent,
                            "data": [{"column": 7, "source": "Time"}, field(8, 3)],
                        }
                    },
                ],
            ),
            event(
                "Returned",
                [("book", "Book<Lent>", {"Id": book}), ("reader", "Key<Reader>", {"Key": reader})],
                [("book", book, {"Token": lent}), ("reader", reader, "Key")],
                [
                    {"Unlink": {"path": path(0), "hop": lent_to, "with": path(1)}},
                    {"Move": {"scope": "Each", "path": path(0), "from": [lent], "to": here, "data": []}},
                ],
            ),
            event("Sold", [("book", "Key<Book>", {"Key": book})], [("book", book, "Key")], [{"Delete": {"path": path(0)}}]),
            event(
                "WentIdle", [("reader", "Reader", {"Id": reader})], [("reader", reader, "Handle")],
                [
                    {"When": {"quantifier": "None", "path": path(0, books), "states": [lent]}},
                    {"Move": {"scope": "Each", "path": path(0), "from": [active], "to": idle, "data": []}},
                ],
                immediate=True,
            ),
        ],
        "invariants": [],
    }
    # The package writes texts, numbers below 2^64, arrays and maps in their shortest form, and keeps the order of keys.
    return cbor2.dumps(model)


def id_of(slot, generation=1):
    return slot << 24 | generation


def padded(value):
    return value + bytes(-len(value) % 8)


def pack_word(n):
    return (n & M64).to_bytes(8, "little")


class Writer:
    """A log that is being written."""

    def __init__(self):
        self.store = secrets.randbits(63) + 1
        self.graph, self.schema, self.frames = Graph(), None, []
        self.data = Block(3, 0, 0, 0, self.store, 0).encode(SEGMENT_MAGIC)

    def append(self, kind, payload):
        frame = Frame(3, kind, 0, len(self.frames), 0, self.graph.fingerprint, payload)
        self.frames.append(frame)
        self.data += frame.encode(self.store)

    def begin(self, schema):
        self.schema = Schema(schema)
        self.append(SCHEMA, schema)

    def transaction(self, time, firings, metadata=b""):
        """Appends a transaction of firings: the name of the event, the values of its fields, and its facts. A value is a word
        or CBOR."""
        all_facts, bindings, records = [], b"", b""
        for name, values, facts in firings:
            index = next(i for i, e in enumerate(self.schema.events) if e.name == name)
            all_facts += facts
            for value in values:
                bindings += pack_word(value) if isinstance(value, int) else pack_word(len(value)) + padded(value)
            records += FIRING.pack(index, 0, len(all_facts), len(bindings), 0)
        fact_records, value_bytes = b"", b""
        for fact in all_facts:
            record, value = self.record(fact)
            fact_records += record
            value_bytes += value
        self.graph.apply(all_facts, self.schema)
        lengths = (len(firings), len(all_facts), len(bindings), len(metadata), len(value_bytes))
        self.append(TRANSACTION, HEADER.pack(time, 0, *lengths) + records + fact_records + bindings + metadata + value_bytes)

    def record(self, fact):
        """Returns the record of a fact, and its value if that is behind the records."""
        lists = {SET: self.schema.columns, LINK: self.schema.edges, UNLINK: self.schema.edges, SET_LINK: self.schema.edges}
        index = lists.get(fact.kind, self.schema.entities).index(fact.item)
        form, value, operand = 0, b"", 0
        if fact.kind in (CREATE, DELETE, MOVE):
            states = [fact.item.states.index(state) for state in fact.states]
            operand = states[0] + 256 * (states[1] if fact.kind == MOVE else 0)
        elif fact.kind in (LINK, UNLINK, SET_LINK):
            operand = fact.other
        if fact.kind == SET and isinstance(fact.value, int):
            form, operand = 1, fact.value & M64
            fact.value = of_word(fact.item.encoding, operand)
        elif fact.value is not None:
            form, value = 2, fact.value
        return FACT.pack(fact.kind, form, index, len(value), fact.entity, operand), value

    def close(self, directory):
        os.makedirs(directory)
        last = self.frames[-1]
        head = Block(3, 0, last.seq, last.fingerprint, self.store, 0).encode(HEAD_MAGIC)
        for name, data in ((f"{0:020}.log", self.data), ("HEAD", head)):
            path = os.path.join(directory, name)
            with open(path + ".tmp", "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + ".tmp", path)
            descriptor = os.open(directory, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    # The facts of the library.

    def entity(self, name):
        return next(e for e in self.schema.entities if e.name == name)

    def create(self, entity, state, bits):
        return Fact(CREATE, self.entity(entity), bits, states=[state])

    def delete(self, entity, state, bits):
        return Fact(DELETE, self.entity(entity), bits, states=[state])

    def move(self, entity, bits, *states):
        return Fact(MOVE, self.entity(entity), bits, states=states)

    def set(self, path, bits, value):
        return Fact(SET, next(c for c in self.schema.columns if c.path == path), bits, value=value)

    def link(self, kind, a, b, value=None):
        return Fact(kind, self.schema.edges[0], a, b, value=value)


def duration(secs, nanos):
    return head(MAP, 2) + text("secs") + integer(secs) + text("nanos") + integer(nanos)


def write(directory):
    log = Writer()
    log.begin(schema())
    time = 1_790_000_000_000_000
    stitched = head(MAP, 1) + text("Stitched") + head(MAP, 2) + text("leaves") + integer(1 << 70) + text("threads")
    stitched += head(ARRAY, 2) + integer(-25) + integer(300)
    kinds = [text("Glued"), stitched, text("Glued")]
    for i, binding in enumerate(kinds):
        # A float as a word is its bits.
        values = (978_0000_000 + i, i, text(f"Volume {i} – “ü”"), 0x3DCCCCCD + i, binding)
        names = ("isbn", "copy", "title", "weight", "binding")
        book = id_of(i)
        facts = [log.create("Book", "Here", book)]
        facts += [log.set(f"Book.{name}", book, value) for name, value in zip(names, values)]
        log.transaction(time + i, [("Bought", values, facts)])
    # The reader is created in the same event, with the default of a field.
    book, reader, ann, term, by = id_of(1), id_of(0), text("ann"), duration(30 * 86_400, 5), integer(ord("ß"))
    facts = [
        log.create("Reader", "Active", reader),
        log.set("Reader.name", reader, ann),
        log.set("Reader.fines", reader, 0),
        log.link(LINK, book, reader),
        log.link(SET_LINK, book, reader, term),
        log.move("Book", book, "Here", "Lent"),
        log.set("Book.Lent.at", book, time + 10),
        log.set("Book.Lent.by", book, by),
    ]
    metadata = {1: "desk", 2: "visit 7", 3: 2, 4: "request-1", 5: [[[book], [reader]]]}
    log.transaction(time + 10, [("Borrowed", (book, ann, term, by), facts)], cbor2.dumps(metadata))
    # An immediate event fires in the same transaction; then a book is sold, and another one has its slot.
    returned = [log.link(UNLINK, book, reader), log.move("Book", book, "Lent", "Here")]
    idle = [log.move("Reader", reader, "Active", "Idle")]
    log.transaction(time + 20, [("Returned", (book, ann), returned), ("WentIdle", (reader,), idle)])
    key = head(ARRAY, 2) + integer(978_0000_001) + integer(1)
    log.transaction(time + 20, [("Sold", (key,), [log.delete("Book", "Here", book)])])
    values = (1, 255, text(""), 0, text("Glued"))
    book = id_of(1, 2)
    facts = [log.create("Book", "Here", book)]
    facts += [log.set(f"Book.{name}", book, value) for name, value in zip(names, values)]
    log.transaction(time + 30, [("Bought", values, facts)])
    log.close(directory)
    facts = sum(HEADER.unpack_from(f.payload)[3] for f in log.frames if f.kind == TRANSACTION)
    print(f"ok: {len(log.frames)} frames, {facts} facts, fingerprint {log.graph.fingerprint:032x}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", help="the directory of the log, which is created")
    write(parser.parse_args().directory)
