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


# The values that entities have in mandatory columns until others are set.
ZEROS = {"Bool": b"\xf4", "Timestamp": b"\x00"}
ZEROS.update({f"{sign}{bits}": b"\x00" for sign in "UI" for bits in (8, 16, 32, 64)})

RANGES = {f"U{bits}": (0, 2**bits) for bits in (8, 16, 32, 64, 128)}
RANGES.update({f"I{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64, 128)})


def reads(now, was):
    """Returns whether values of one encoding are carried over to another one."""
    (name, inner), (before, within) = kind_of(now), kind_of(was)
    if now is None or was is None or "Serde" in (name, before):
        return True
    if name == before and name in ("Option", "List"):
        return reads(inner, within)
    if name == "Option":
        return reads(inner, was)
    if (name, before) == ("F64", "F32"):
        return True
    if name in RANGES and before in RANGES:
        (low, high), (least, most) = RANGES[name], RANGES[before]
        return low <= least and most <= high
    # Entity types have other numbers in each schema.
    return name == before and (name in ("Id", "Key") or inner == within)


class Renamed:
    """The items of a schema that take over those of the one before it."""

    def __init__(self, was, now):
        self.entities = self.matched(was.entities, now.entities, lambda e: e.name)
        self.states, self.columns, self.edges = {}, {}, {}
        for entity, to in self.entities.values():
            before, after = entity.states, to.states
            taken = {name: name for name in before if name in after}
            for name in after:
                former = next((f for f in to.former[name] if f in before), None)
                if name not in before and former is not None:
                    taken[former] = name
            self.states.update({(entity.name, name): state for name, state in taken.items()})

        def place(column):
            to = self.entity(column.entity)
            state = None if column.state is None else self.state(column.entity, column.state)
            is_kept = to is not None and (column.state is None or state is not None)
            return (to.name, state) if is_kept else None

        groups = {}
        for column in was.columns:
            groups.setdefault(place(column), ([], []))[0].append(column)
        for column in now.columns:
            groups.setdefault((column.entity.name, column.state), ([], []))[1].append(column)
        groups.pop(None, None)
        for before, after in groups.values():
            for column, to in self.matched(before, after, lambda c: c.name).values():
                if reads(to.encoding, column.encoding):
                    self.columns[column.path] = to
        starts = lambda edges, of: [e for e in edges if of(e)]
        for entity, to in self.entities.values():
            before = starts(was.edges, lambda e: e.start.entity is entity)
            after = starts(now.edges, lambda e: e.start.entity is to)
            for edge, other in self.matched(before, after, lambda e: e.start.name, lambda e: e.start.renamed).values():
                if self.entity(edge.end.entity) is other.end.entity:
                    self.edges[edge.start.path] = other

    @staticmethod
    def matched(was, now, name, renamed=lambda item: item.renamed):
        """Returns pairs of items of one name, by the name before."""
        before = {name(item): item for item in was}
        pairs = {}
        for item in now:
            former = name(item) if name(item) in before else next((f for f in renamed(item) if f in before), None)
            if former is not None:
                pairs[former] = (before[former], item)
        return pairs

    def entity(self, entity):
        return self.entities.get(entity.name, (None, None))[1]

    def state(self, entity, state):
        return self.states.get((entity.name, state))

    def column(self, column):
        return self.columns.get(column.path)

    def edge(self, edge):
        return self.edges.get(edge.start.path)


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

    def carried_over(self, was, now):
        """Returns the graph of a schema: what it has in common by name with this one, which is of the schema `was`."""
        names, graph = Renamed(was, now), Graph()
        for entity in was.entities:
            to, table = names.entity(entity), self.table(entity)
            if to is None:
                continue
            taken = graph.table(to)
            for slot, state in enumerate(table.states):
                if state is not None:
                    state = names.state(entity, state) or to.initial
                    graph.add(entity_term(to.name, state, table.id(slot)))
                taken.states.append(state)
                taken.generations.append(table.generations[slot])
                taken.values.append({})
            taken.free = list(table.free)
        for column in was.columns:
            to = names.column(column)
            if to is not None:
                graph.take_values(self.table(column.entity), column, to, now)
        for column in now.columns:
            if column.state is None and not column.key and not column.index and kind_of(column.encoding)[0] in ZEROS:
                graph.fill(column)
        for entity in now.entities:
            graph.index_keys(entity, now)
        for edge in was.edges:
            to = names.edge(edge)
            if to is not None:
                graph.take_links(self, edge, to, now)
        return graph

    def take_values(self, table, column, to, schema):
        taken = self.table(to.entity)
        for slot, state in enumerate(taken.states):
            value = table.values[slot].get(column.path)
            if state is None or value is None:
                continue
            check_value(to.encoding, value, schema)
            taken.values[slot][to.path] = value
            self.add(value_term(to.path, taken.id(slot), value))

    def fill(self, column):
        """Gives each entity without a value in a column the value 0 or false."""
        table, value = self.table(column.entity), ZEROS[kind_of(column.encoding)[0]]
        for slot, state in enumerate(table.states):
            if state is not None and column.path not in table.values[slot]:
                table.values[slot][column.path] = value
                self.add(value_term(column.path, table.id(slot), value))

    def index_keys(self, entity, schema):
        table = self.table(entity)
        for slot, state in enumerate(table.states):
            key = None if state is None else self.key_of(entity, slot, schema)
            if key is not None and table.keys.setdefault(key, slot) != slot:
                raise Invalid(f"two {entity.name} have the same key")

    def take_links(self, graph, edge, to, schema):
        near, far = self.table(to.start.entity), self.table(to.end.entity)
        links = self.links.setdefault(to.start.path, {})
        for (a, b), data in sorted(graph.links.get(edge.start.path, {}).items(), key=lambda link: link[0][0]):
            ends = ((to.start, a), (to.end, b))
            if any(end.cardinality != "Many" and self.degrees[end.path, slot] for end, slot in ends):
                continue
            for end, slot in ends:
                self.degrees[end.path, slot] += 1
            keeps = edge.has_data and to.has_data and reads(to.encoding, edge.encoding)
            links[a, b] = data if keeps else None
            self.add(link_term(to.start.path, near.id(a), far.id(b)))
            if links[a, b] is not None:
                check_value(to.encoding, data, schema)
                self.add(link_term(to.start.path, near.id(a), far.id(b), data))

    def must_be_whole(self, schema):
        """Checks, at the end of a migration, that entities and links have all that they must have."""
        for column in schema.columns:
            table = self.table(column.entity)
            for slot, state in enumerate(table.states):
                is_due = state is not None and column.state in (None, state)
                if is_due and column.path not in table.values[slot]:
                    raise Invalid(f"{column.entity.name}/{slot} has no {column.path}")
        for edge in schema.edges:
            for end in (edge.start, edge.end):
                for slot, state in enumerate(self.table(end.entity).states):
                    if state is not None:
                        self.must_be_linked(end, slot)
            if edge.has_data and None in self.links.get(edge.start.path, {}).values():
                raise Invalid(f"a link of {edge.start.path} has no data")

    def apply(self, facts, schema, is_whole=True):
        """Applies the facts of a frame. At the end of a transaction, which is whole, it checks what must be true then. The facts
        of a migration may change keys."""
        for fact in facts:
            try:
                self.apply_one(fact, schema, not is_whole)
            except Invalid as e:
                raise Invalid(f"a fact of kind {fact.kind} does not fit: {e}")
        for fact in facts if is_whole else ():
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

    def apply_one(self, fact, schema, may_change_keys):
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
            self.set_value(fact, table, slot, schema, may_change_keys)
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

    def set_value(self, fact, table, slot, schema, may_change_keys):
        column = fact.item
        check_value(column.encoding, fact.value, schema)
        if column.state is not None and table.states[slot] != column.state:
            raise Invalid(f"{column.path} is data of another state")
        if column.key and column.path in table.values[slot]:
            if not may_change_keys:
                raise Invalid("it has that part of its key already")
            table.keys.pop(self.key_of(column.entity, slot, schema), None)
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
