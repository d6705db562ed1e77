"""The payload of a transaction in both versions, and its form in JSON."""

import math
import struct

from log_format import *

HEADER, FIRING, FACT = struct.Struct("<qIIIIII"), struct.Struct("<HHIII"), struct.Struct("<BBHIQQ")
CHOSE = 1  # the flag of a firing whose binding has the entities that the event chose
KINDS = ("create", "delete", "move", "set", "link", "unlink", "set_link")
META = {1: "actor", 2: "correlation", 3: "causation", 4: "idempotency_key"}


class Fact:
    """One fact. `entity` and `other` are ids; in version 2, some of them are slots. The graph makes them ids."""

    def __init__(self, kind, item, entity, other=None, states=(), value=None):
        self.kind, self.item, self.entity, self.other = kind, item, entity, other
        self.states, self.value = states, value


class Transaction:
    def __init__(self, time):
        self.time, self.meta, self.names, self.attempts = time, {}, None, None
        # For each firing, the event, the value of each field (or the id) in CBOR, and the end of its facts.
        self.firings, self.facts = [], []

    def as_json(self, schema):
        firings, begin = [], 0
        for event, values, end in self.firings:
            if event.immediate:
                name = event.names[0]
                fields = {name.name: f"{name.entity.name}/{id_text(decode(values[0]))}"}
            else:
                fields = {f.name: as_json(f.encoding, v, schema) for f, v in zip(event.fields, values)}
            kind = "immediate" if event.immediate else "event"
            facts = [fact_json(fact, schema) for fact in self.facts[begin:end]]
            firings.append({kind: {event.name: fields}, "facts": facts})
            begin = end
        return {"time": time_text(self.time), **self.meta, "firings": firings}


def at(items, index, what):
    if index >= len(items):
        raise Invalid(f"{what} {index} is not in the schema")
    return items[index]


def read_transaction(frame, schema):
    read = read_items if frame.version == 2 else read_records
    transaction = read(frame.payload, schema)
    check_key(transaction)
    return transaction


def read_migration(frame, schema):
    """Reads a part of a migration: facts that belong to no firing."""
    if frame.version == 2:
        raise Invalid("version 2 has no migrations")
    transaction = read_records(frame.payload, schema, is_migration=True)
    if transaction.firings or transaction.meta:
        raise Invalid("a migration has events or metadata")
    return transaction


def read_records(payload, schema, is_migration=False):
    """Reads a transaction of version 3."""
    if len(payload) < HEADER.size:
        raise Invalid(f"it has {len(payload)} bytes")
    time, flags, firings, facts, binding_bytes, meta_bytes, value_bytes = HEADER.unpack_from(payload)
    if flags:
        raise Newer(f"it has the flags {flags:#x}, which are for later versions")
    lengths = (HEADER.size, FIRING.size * firings, FACT.size * facts, binding_bytes, meta_bytes, value_bytes)
    if sum(lengths) != len(payload):
        raise Invalid(f"it has {len(payload)} bytes, which is not the sum of the lengths in it")
    parts, begin = [], 0
    for length in lengths:
        parts.append(payload[begin : begin + length])
        begin += length
    _, firings, facts, bindings, metadata, values = parts
    transaction = Transaction(time)
    if metadata:
        items = Items(metadata)
        read_meta(transaction, items)
        items.end()
    value_at = 0
    for record in FACT.iter_unpack(facts):
        fact, length = read_fact(record, values[value_at:], schema)
        transaction.facts.append(fact)
        value_at += length
    if value_at != len(values):
        raise Invalid("there are values that are of no fact")
    facts_end = binding_end = 0
    for index, flags, facts_to, binding_to, reserved in FIRING.iter_unpack(firings):
        event = at(schema.events, index, "event")
        known = CHOSE if event.chosen else 0
        if flags & ~known or reserved:
            raise Newer(f"a firing has the flags {flags:#x} and {reserved:#x}, which are for later versions")
        if flags != known:
            raise Invalid("an event without the entities that it chose")
        if not (facts_end <= facts_to <= len(transaction.facts) and binding_end <= binding_to <= len(bindings)):
            raise Invalid("the ends of its firings are not in order")
        transaction.firings.append((event, read_binding(event, bindings[binding_end:binding_to]), facts_to))
        facts_end, binding_end = facts_to, binding_to
    if is_migration and not bindings and not metadata:
        return transaction
    if is_migration or (facts_end, binding_end) != (len(transaction.facts), len(bindings)):
        raise Invalid("the ends of its firings are not those of its facts and bindings")
    return transaction


def read_fact(record, values, schema):
    """Returns the fact of a record, and the length of its value among the values."""
    kind, form, index, length, entity, operand = record
    wrong = Invalid(f"a fact of kind {kind} has the form {form}, a value of {length} bytes and the operand {operand}")
    if kind > SET_LINK:
        raise Invalid(f"there is no fact of kind {kind}")
    check_id(entity)
    value = None
    if kind in (SET, SET_LINK) and form == 2:
        if kind == SET and operand or length > len(values) or item_end(values, 0) != length:
            raise wrong
        value = values[:length]
    elif kind == SET and form == 1 and not length:
        column = at(schema.columns, index, "column")
        value = of_word(column.encoding, operand)
    elif kind in (SET, SET_LINK) or form or length:
        raise wrong
    if kind in (CREATE, DELETE, MOVE):
        if operand >> (16 if kind == MOVE else 8):
            raise wrong
        states = (operand % 256, operand // 256) if kind == MOVE else (operand,)
        return state_fact(kind, index, entity, states, schema), 0
    if kind == SET:
        column = at(schema.columns, index, "column")
        return Fact(kind, column, entity, value=value), length if form == 2 else 0
    return Fact(kind, at(schema.edges, index, "edge"), entity, check_id(operand), value=value), length


def state_fact(kind, index, entity, states, schema):
    item = at(schema.entities, index, "entity")
    return Fact(kind, item, entity, states=[at(item.states, state, "state") for state in states])


def read_binding(event, binding):
    values, begin = [], 0

    def word():
        nonlocal begin
        if begin + 8 > len(binding):
            raise Invalid("an event ends before its last field")
        begin += 8
        return u64(binding, begin - 8)

    if event.immediate:
        values.append(head(UINT, check_id(word())))
    else:
        for field in event.fields:
            n = word()
            if has_words(field.encoding):
                values.append(of_word(field.encoding, n))
                continue
            value, padded = binding[begin : begin + n], n + -n % 8
            if begin + padded > len(binding) or item_end(value, 0) != n:
                raise Invalid("a value of an event has another length")
            if any(binding[begin + n : begin + padded]):
                raise Invalid("a value of an event is not followed by zeros")
            values.append(value)
            begin += padded
    for count in event.chosen:
        n = word()
        if n != 1 and count != "Many":
            raise Invalid("an event chose another number of entities than its name has")
        if n > (len(binding) - begin) // 8:
            raise Invalid("an event ends before the entities that it chose")
        for _ in range(n):
            check_id(word())
    if begin != len(binding):
        raise Invalid("bytes follow the fields of an event")
    return values


def read_meta(transaction, items, with_time=False):
    seen = set()
    for _ in range(items.map()):
        code = items.uint()
        if code in seen:
            raise Invalid(f"the metadata has the key {code} twice")
        seen.add(code)
        if code == 0 and with_time:
            transaction.time = items.int64()
        elif code == 0:
            raise Invalid("the metadata has a second time")
        elif code == 3:
            transaction.meta[META[code]] = items.uint()
        elif code in META:
            transaction.meta[META[code]] = items.text()
        elif code == 5:
            transaction.names = items.raw()
        elif code == 6:
            transaction.attempts = items.raw()
        else:
            items.raw()
    if (transaction.names is None) != (4 not in seen) or (transaction.attempts is not None and transaction.names is None):
        raise Invalid("it has an idempotency key without names, or names without a key")


def read_names(items):
    return [[items.id() for _ in range(items.array())] for _ in range(items.array())]


def check_key(transaction):
    """Checks what a transaction with an idempotency key has beside it."""
    if transaction.names is None:
        return
    events = [event for event, _, _ in transaction.firings if not event.immediate]
    items = Items(transaction.names)
    if items.array() != len(events):
        raise Invalid("the names are not those of its events")
    for event in events:
        names = read_names(items)
        most = {"One": (1, 1), "Option": (0, 1), "Many": (0, M64)}
        if len(names) != len(event.names):
            raise Invalid("the names are not those of its events")
        for name, ids in zip(event.names, names):
            low, high = most[name.count]
            if not low <= len(ids) <= high:
                raise Invalid(f"the name {name.name} is bound to {len(ids)} entities")
    items.end()
    if transaction.attempts is None:
        return
    items, fired = Items(transaction.attempts), 0
    for _ in range(items.array()):
        if items.array() != 3:
            raise Invalid("an attempt has not three items")
        items.uint(), items.uint()
        if items.is_at(0xF6):
            items.at += 1
            fired += 1
        elif items.at < len(items.data) and items.data[items.at] >> 5 == TEXT:
            items.text()
        else:
            read_names(items)
    items.end()
    if fired != len(events):
        raise Invalid("the attempts do not match the events")


def read_items(payload, schema):
    """Reads a transaction of version 2."""
    items, transaction = Items(payload), Transaction(None)
    if items.array() != 2:
        raise Invalid("it is not an array of metadata and firings")
    read_meta(transaction, items, with_time=True)
    if transaction.time is None:
        raise Invalid("it has no time")
    for _ in range(items.array()):
        if items.array() != 3:
            raise Invalid("a firing has not three items")
        event = at(schema.events, items.uint(0xFFFF), "event")
        if event.immediate:
            values = [head(UINT, items.id())]
        else:
            fields = {}
            if items.map() != len(event.fields):
                raise Invalid("an event has another number of fields")
            for _ in event.fields:
                field = items.uint(0xFFFF)
                if field >= len(event.fields) or field in fields:
                    raise Invalid(f"the field {field} of an event occurs twice, or is not in the schema")
                fields[field] = items.raw()
            values = [fields[i] for i in range(len(fields))]
        for _ in range(items.array()):
            transaction.facts.append(read_item_fact(items, schema))
        transaction.firings.append((event, values, len(transaction.facts)))
    items.end()
    return transaction


def read_item_fact(items, schema):
    n, kind, index = items.array(), items.uint(0xFF), items.uint(0xFFFF)
    if kind > SET_LINK or n != (5, 5, 5, 4, 4, 4, 5)[kind]:
        raise Invalid(f"there is no fact of kind {kind} with {n} items")
    slot = items.uint(0xFFFFFFFF)
    if kind in (CREATE, DELETE):
        generation = items.uint(0xFFFFFF)
        return state_fact(kind, index, slot << 24 | generation, [items.uint(0xFF)], schema)
    if kind == MOVE:
        return state_fact(kind, index, ("slot", slot), [items.uint(0xFF), items.uint(0xFF)], schema)
    if kind == SET:
        return Fact(kind, at(schema.columns, index, "column"), ("slot", slot), value=items.raw())
    edge, other = at(schema.edges, index, "edge"), items.uint(0xFFFFFFFF)
    value = items.raw() if kind == SET_LINK else None
    return Fact(kind, edge, ("slot", slot), ("slot", other), value=value)


# JSON

def id_text(bits):
    return f"{bits >> 24}.{bits & 0xFFFFFF}"


def time_text(micros):
    """Returns a time in RFC 3339, which has the years 0 to 9999; others are numbers."""
    all_micros = micros
    secs, micros = divmod(micros, 1_000_000)
    days, secs = divmod(secs, 86_400)
    # The days since 0000-03-01 in eras of 400 years.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    date = (year + 400 * era + (month > 9), (month + 2) % 12 + 1, day - (153 * month + 2) // 5 + 1)
    if not 0 <= date[0] <= 9999:
        return all_micros
    text = "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*date, secs // 3_600, secs // 60 % 60, secs % 60)
    return text + (f".{micros:06}Z" if micros else "Z")


def fact_json(fact, schema):
    if fact.kind in (LINK, UNLINK, SET_LINK):
        ends = (fact.item.start.entity, fact.item.end.entity)
    else:
        ends = (fact.item.entity if fact.kind == SET else fact.item,)
    out = {"fact": KINDS[fact.kind], "entity": f"{ends[0].name}/{id_text(fact.entity)}"}
    if fact.kind == SET:
        out["field"] = fact.item.name
    elif len(ends) == 2:
        out["field"], out["other"] = fact.item.start.name, f"{ends[1].name}/{id_text(fact.other)}"
    if fact.kind in (DELETE, MOVE):
        out["from"] = fact.states[0]
    if fact.kind in (CREATE, MOVE):
        out["to"] = fact.states[-1]
    if fact.value is not None:
        out["value"] = as_json(fact.item.encoding, fact.value, schema)
    return out


def as_json(encoding, data, schema):
    """Returns a value in the form that its type has in JSON."""
    name, of = kind_of(encoding)
    try:
        check_value(encoding, data, schema)
    except Invalid:
        name = None
    if name == "Unit":
        return None
    if name == "Char":
        return chr(decode(data))
    if name == "Timestamp":
        return time_text(decode(data))
    if name == "Id":
        return f"{schema.entities[of].name}/{id_text(decode(data))}"
    if name == "Key":
        encodings = [column.encoding for column in schema.keys[of]]
        if len(encodings) == 1:
            return as_json(encodings[0], data, schema)
        return [as_json(e, item, schema) for e, item in zip(encodings, list_items(data))]
    if name == "Option":
        return None if data == b"\xf6" else as_json(of, data, schema)
    if name == "List":
        return [as_json(of, item, schema) for item in list_items(data)]
    if data[0] == 0xFA:
        return float32(data[1:])
    try:
        return plain(decode(data))
    except Invalid:
        return "h'" + bytes(data).hex() + "'"


def list_items(data):
    begin = read_head(data, 0)[2]
    while begin < len(data) and data[begin] != BREAK:
        end = item_end(data, begin)
        yield data[begin:end]
        begin = end


def float32(data):
    """Returns the shortest decimal number that is read as this float."""
    (value,) = struct.unpack(">f", data)
    if not math.isfinite(value):
        return None
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.pack(">f", short) == data:
                return short
        except OverflowError:
            pass  # it was rounded up beyond the greatest float
    return value


def plain(value):
    """Returns a decoded item as something that JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)
