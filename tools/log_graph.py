"""The graph of a log: entities, values and links, with the checks of each fact and the fingerprint.

The graph knows everything by name, because the numbers in frames are those of the schema before them.
"""

from collections import Counter

from log_format import *

GENERATION_MAX = (1 << 24) - 1


class Table:
    """The entities of one type."""

    def __init__(self):
        # By slot: the state (None if the slot is free), the last generation, and the values by path.
        self.states, self.generations, self.values = [], [], []
        # The slots that were freed and can be used again, the last one first.
        self.free, self.keys = [], {}

    def id(self, slot):
        return slot << 24 | self.generations[slot]

    def next_id(self):
        if self.free:
            return self.id(self.free[-1]) + 1
        return len(self.states) << 24 | 1


class Graph:
    def __init__(self):
        # By the name of a type, and by the path of a declaring end: the data of each link by its two slots.
        self.tables, self.links = {}, {}
        # The number of links by the path of an end and a slot.
        self.degrees = Counter()
        self.fingerprint = 0

    def table(self, entity):
        return self.tables.setdefault(entity.name, Table())

    def add(self, term):
        self.fingerprint = (self.fingerprint + term) & M128

    def must_fit(self, schema):
        """Refuses a schema that lacks something that the graph has."""
        states = {(e.name, state) for e in schema.entities for state in e.states}
        columns, edges = {c.path for c in schema.columns}, {e.start.path for e in schema.edges}
        for name, table in self.tables.items():
            for state, values in zip(table.states, table.values):
                if state is not None and (name, state) not in states:
                    raise Invalid(f"its schema has no state {name}: {state}, in which there is an entity")
                for path in values:
                    if path not in columns:
                        raise Invalid(f"its schema has no field {path}, of which there is a value")
        for path, links in self.links.items():
            if links and path not in edges:
                raise Invalid(f"its schema has no edge {path}, over which there is a link")

    def apply(self, facts, schema):
        """Applies the facts of a transaction, and checks what must be true at its end."""
        for fact in facts:
            try:
                self.apply_one(fact, schema)
            except Invalid as e:
                raise Invalid(f"a fact of kind {fact.kind} does not fit: {e}")
        for fact in facts:
            self.must_be_complete(fact, schema)

    def resolve(self, entity, named):
        """Returns the id and the slot of an entity that a fact names."""
        table = self.table(entity)
        slot = named[1] if isinstance(named, tuple) else named >> 24
        if slot >= len(table.states) or table.states[slot] is None:
            raise Invalid(f"there is no {entity.name}/{slot}")
        if not isinstance(named, tuple) and named != table.id(slot):
            raise Invalid(f"another {entity.name} is in slot {slot}")
        return table.id(slot), slot

    def apply_one(self, fact, schema):
        if fact.kind in (LINK, UNLINK, SET_LINK):
            return self.apply_link(fact, schema)
        entity = fact.item.entity if fact.kind == SET else fact.item
        table = self.table(entity)
        if fact.kind == CREATE:
            if fact.entity != table.next_id():
                raise Invalid("the id is not the next one")
            slot = fact.entity >> 24
            if table.free:
                table.free.pop()
            else:
                table.states.append(None)
                table.generations.append(0)
                table.values.append({})
            table.states[slot], table.generations[slot] = fact.states[0], fact.entity & GENERATION_MAX
            self.add(entity_term(entity.name, fact.states[0], fact.entity))
            return
        fact.entity, slot = self.resolve(entity, fact.entity)
        if fact.kind == SET:
            self.set_value(fact, table, slot, schema)
            return
        before = fact.states[0]
        if table.states[slot] != before:
            raise Invalid(f"{entity.name}/{slot} is in another state than {before}")
        self.add(-entity_term(entity.name, before, fact.entity))
        if fact.kind == MOVE:
            table.states[slot] = fact.states[1]
            self.add(entity_term(entity.name, fact.states[1], fact.entity))
            for column in schema.columns:
                if column.entity is entity and column.state == before:
                    self.remove_value(table, slot, column.path)
            return
        ends = [end for edge in schema.edges for end in (edge.start, edge.end)]
        if any(end.entity is entity and self.degrees[end.path, slot] for end in ends):
            raise Invalid(f"{entity.name}/{slot} is linked")
        table.keys.pop(self.key_of(entity, slot, schema), None)
        for path in list(table.values[slot]):
            self.remove_value(table, slot, path)
        table.states[slot] = None
        if table.generations[slot] < GENERATION_MAX:
            table.free.append(slot)

    def remove_value(self, table, slot, path):
        value = table.values[slot].pop(path, None)
        if value is not None:
            self.add(-value_term(path, table.id(slot), value))

    def set_value(self, fact, table, slot, schema):
        column = fact.item
        check_value(column.encoding, fact.value, schema)
        if column.state is not None and table.states[slot] != column.state:
            raise Invalid(f"{column.path} is data of another state")
        if column.key and column.path in table.values[slot]:
            raise Invalid("it has that part of its key already")
        self.remove_value(table, slot, column.path)
        table.values[slot][column.path] = fact.value
        self.add(value_term(column.path, fact.entity, fact.value))
        key = self.key_of(column.entity, slot, schema) if column.key else None
        if key is not None:
            if table.keys.setdefault(key, slot) != slot:
                raise Invalid("another entity has its key")

    def key_of(self, entity, slot, schema):
        """Returns the key of an entity; None if a part is missing, or the type has none. It does not depend on the order of
        the parts, since that may differ between schemas."""
        paths = [column.path for column in schema.keys[schema.entities.index(entity)]]
        values = self.table(entity).values[slot]
        return frozenset((path, values[path]) for path in paths) if paths and all(p in values for p in paths) else None

    def apply_link(self, fact, schema):
        edge = fact.item
        links = self.links.setdefault(edge.start.path, {})
        fact.entity, a = self.resolve(edge.start.entity, fact.entity)
        fact.other, b = self.resolve(edge.end.entity, fact.other)
        ends = ((edge.start, a), (edge.end, b))
        path = edge.start.path
        if fact.kind == LINK:
            if (a, b) in links:
                raise Invalid("they are linked already")
            for end, slot in ends:
                if end.cardinality != "Many" and self.degrees[end.path, slot]:
                    raise Invalid(f"{end.path} holds one link and has it already")
                self.degrees[end.path, slot] += 1
            links[a, b] = None
            self.add(link_term(path, fact.entity, fact.other))
            return
        if (a, b) not in links:
            raise Invalid("they are not linked")
        if links[a, b] is not None:
            self.add(-link_term(path, fact.entity, fact.other, links[a, b]))
        if fact.kind == UNLINK:
            del links[a, b]
            for end, slot in ends:
                self.degrees[end.path, slot] -= 1
            self.add(-link_term(path, fact.entity, fact.other))
            return
        if not edge.has_data:
            raise Invalid(f"the links of {path} have no data")
        check_value(edge.encoding, fact.value, schema)
        links[a, b] = fact.value
        self.add(link_term(path, fact.entity, fact.other, fact.value))

    def must_be_complete(self, fact, schema):
        """Checks, at the end of a transaction, what one of its facts concerns."""
        if fact.kind in (CREATE, MOVE):
            entity, table, slot = fact.item, self.table(fact.item), fact.entity >> 24
            if table.states[slot] is None or fact.entity != table.id(slot):
                return
            for column in schema.columns:
                is_due = column.state == table.states[slot] or column.state is None and fact.kind == CREATE
                if column.entity is entity and is_due and column.path not in table.values[slot]:
                    raise Invalid(f"{entity.name}/{slot} has no {column.path}")
            if fact.kind == CREATE:
                for edge in schema.edges:
                    for end in (edge.start, edge.end):
                        if end.entity is entity:
                            self.must_be_linked(end, slot)
        elif fact.kind == UNLINK:
            for end, named in ((fact.item.start, fact.entity), (fact.item.end, fact.other)):
                if self.table(end.entity).states[named >> 24] is not None:
                    self.must_be_linked(end, named >> 24)
        elif fact.kind == LINK and fact.item.has_data:
            links = self.links[fact.item.start.path]
            pair = (fact.entity >> 24, fact.other >> 24)
            if pair in links and links[pair] is None:
                raise Invalid(f"a link of {fact.item.start.path} has no data")

    def must_be_linked(self, end, slot):
        if end.cardinality == "One" and self.degrees[end.path, slot] != 1:
            raise Invalid(f"{end.entity.name}/{slot} is not linked at {end.path}, which holds exactly one")
