"""The schema of a log: what the frames after it refer to."""

from log_arcs import Rules, Unknown, variant
from log_format import KNOWN, Invalid, Newer, decode_strict, kind_of

STATES_MAX, MANY_MAX = 250, 1 << 16
CARDINALITIES = ("One", "Option", "Many")


class Item:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def field(of, key, kind, what):
    """Returns a field that must be there."""
    if not isinstance(of, dict):
        raise Invalid(f"{what} is no map")
    if not all(isinstance(k, str) for k in of):
        raise Invalid(f"a key of {what} is no text")
    if key not in of:
        raise Invalid(f"{what} has no `{key}`")
    value = of[key]
    if not isinstance(value, kind) or kind is int and (isinstance(value, bool) or value < 0):
        raise Invalid(f"`{key}` of {what} is {value!r}")
    return value


def choice(of, key, variants, what, data=()):
    """Returns the name and the data of a variant; no name if only a newer version knows it."""
    try:
        return variant(field(of, key, (str, dict), what), variants, data)
    except Unknown:
        return None, None


def optional(of, key, kind, what):
    """Returns a field that may be null or missing."""
    return None if of.get(key) is None else field(of, key, kind, what)


def renamed(of, what):
    """Returns the former names of an item."""
    names = of.get("renamed") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid(f"`renamed` of {what} is no list of texts")
    return names


def index(n, items, what):
    if not isinstance(n, int) or isinstance(n, bool) or n < 0 or n >= len(items):
        raise Invalid(f"{n} is out of range, because there are {len(items)} {what}")
    return items[n]


def distinct(names, what):
    names = list(names)
    if len(set(names)) != len(names):
        raise Invalid(f"two {what} have the same name")


class Schema:
    def __init__(self, payload):
        schema = decode_strict(payload)
        self.name = field(schema, "name", str, "the schema")
        lists = {
            key: field(schema, key, list, "the schema")
            for key in ("entities", "columns", "edges", "events", "invariants")
        }
        for key, items in lists.items():
            if len(items) > MANY_MAX:
                raise Invalid(f"there are too many {key}")
        self.entities = [self._entity(e) for e in lists["entities"]]
        self.columns = [self._column(c) for c in lists["columns"]]
        self.edges = [self._edge(e) for e in lists["edges"]]
        self.events = [self._event(e) for e in lists["events"]]
        for invariant in lists["invariants"]:
            field(invariant, "name", str, "an invariant")
            entity = index(field(invariant, "entity", int, "an invariant"), self.entities, "entities")
            field(invariant, "check", str, "an invariant")
            try:
                Rules(self).via(entity, field(invariant, "via", list, "an invariant"))
            except Unknown:
                pass
        indexes = [self._index(i) for i in schema.get("indexes") or []]
        distinct(indexes, "indexes of one entity")
        distinct((i["name"] for i in lists["invariants"]), "invariants")
        distinct((e.name for e in self.entities), "entities")
        distinct((e.name for e in self.events), "events")
        distinct((c.path for c in self.columns), "fields")
        distinct((end.path for e in self.edges for end in (e.start, e.end)), "ends of edges")
        # The columns of the key of each entity type, in order.
        self.keys = [[c for c in self.columns if c.key and c.entity is e] for e in self.entities]

    def _entity(self, e):
        what = "an entity"
        entity = Item(name=field(e, "name", str, what), states=[], renamed=renamed(e, what), former={})
        states = field(e, "states", list, what)
        if len(states) > STATES_MAX:
            raise Invalid(f"{entity.name} has more than {STATES_MAX} states")
        for state in states:
            entity.states.append(field(state, "name", str, "a state"))
            entity.former[state["name"]] = renamed(state, "a state")
            field(state, "terminal", bool, "a state")
            for to in field(state, "to", list, "a state"):
                index(field(to, "to", int, "a move"), states, "states")
                field(to, "verb", str, "a move")
        distinct(entity.states, "states of one entity")
        index(field(e, "initial", int, what), states, "states")
        entity.initial = entity.states[e["initial"]]
        return entity

    def _column(self, c):
        what = "a column"
        entity = index(field(c, "entity", int, what), self.entities, "entities")
        state = optional(c, "state", int, what)
        if state is not None:
            state = index(state, entity.states, "states")
        name, key = field(c, "name", str, what), field(c, "key", bool, what)
        field(c, "ty", str, what)
        if optional(c, "index", (str, dict), what) is not None:
            choice(c, "index", ("Equal", "Ordered"), what)
        optional(c, "default", str, what)
        if key and state is not None:
            raise Invalid(f"the key {name} is data of a state")
        encoding = self._encoding(c, what)
        inner = kind_of(encoding)
        while inner[0] in ("Option", "List"):
            inner = kind_of(inner[1])
        if key and inner[0] == "Key":
            raise Invalid(f"the encoding of the key {name} refers to a key")
        path = f"{entity.name}.{name}" if state is None else f"{entity.name}.{state}.{name}"
        has_index = c.get("index") is not None
        return Item(
            entity=entity, state=state, name=name, key=key, path=path, encoding=encoding, index=has_index, renamed=renamed(c, what)
        )

    def _edge(self, e):
        what, ends = "an edge", []
        for key in ("from", "to"):
            end = field(e, key, dict, what)
            entity = index(field(end, "entity", int, "an end"), self.entities, "entities")
            name = field(end, "name", str, "an end")
            cardinality, _ = choice(end, "cardinality", CARDINALITIES, "an end")
            if cardinality is None:
                raise Newer(f"only a newer version knows the cardinality of the end {name}")
            field(end, "min", int, "an end")
            most = optional(end, "max", int, "an end")
            choice(end, "on_delete", ("Unlink", "Restrict", "Cascade"), "an end")
            field(end, "counted", bool, "an end")
            if cardinality != "Many" and most not in (None, 1):
                raise Invalid(f"the end {name} holds at most one link, but has another maximum")
            path = f"{entity.name}.{name}"
            ends.append(Item(entity=entity, name=name, cardinality=cardinality, path=path, renamed=renamed(end, "an end")))
        if field(e, "acyclic", bool, what) and ends[0].entity is not ends[1].entity:
            raise Invalid("an acyclic edge leads to another type")
        has_data = optional(e, "data", str, what) is not None
        return Item(start=ends[0], end=ends[1], has_data=has_data, encoding=self._encoding(e, what))

    def _event(self, e):
        what = "an event"
        event = Item(name=field(e, "name", str, what), immediate=field(e, "immediate", bool, what))
        event.fields = [
            Item(name=field(f, "name", str, "a field"), ty=field(f, "ty", str, "a field"), encoding=self._encoding(f, what))
            for f in field(e, "fields", list, what)
        ]
        event.names = [self._name(n) for n in field(e, "names", list, what)]
        event.chosen = [n.count for n in event.names if n.by == "Chosen"]
        for guard in field(e, "guards", list, what):
            if not isinstance(guard, str):
                raise Invalid("a guard is no text")
        distinct((f.name for f in event.fields), "fields of one event")
        distinct((n.name for n in event.names), "names of one event")
        if event.immediate and not event.names:
            raise Invalid(f"the immediate event {event.name} binds no entity")
        rules = Rules(self, event)
        rules.each(field(e, "arcs", list, what), rules.arc)
        rules.each(field(e, "mays", list, what), rules.may)
        if e.get("order") is not None:
            rules.each([e["order"]], lambda order: rules.sort_by(event.names[0].entity, order))
        due = optional(e, "due", dict, what)
        if due is not None:
            field(due, "name", int, "a due time")
            field(due, "column", int, "a due time")
            rules.due(due)
        return event

    def _index(self, i):
        """Checks an index and returns its entity type and its name."""
        what = "an index"
        entity = index(field(i, "entity", int, what), self.entities, "entities")
        choice(i, "kind", ("Equal", "Ordered"), what)
        rules = Rules(self)
        if not field(i, "parts", list, what):
            raise Invalid("an index has no part")

        def part(item):
            kind, of = variant(item, data=["Column", "End"])
            if kind == "Column":
                rules.column(entity, of)
                return
            edge, _ = rules.hop(entity, of)
            end = edge.start if of["forward"] else edge.end
            if end.cardinality == "Many":
                raise Invalid("a part of an index is an end with many links")

        rules.each(i["parts"], part)
        rules.each([field(i, "states", list, what)], lambda states: rules.states(entity, states))
        return entity.name, field(i, "name", str, what)

    def _name(self, n):
        entity = index(field(n, "entity", int, "a name"), self.entities, "entities")
        count, _ = choice(n, "count", CARDINALITIES, "a name")
        by, state = choice(n, "by", ("Handle", "Key", "Ensure", "Created", "Chosen"), "a name", ("Token",))
        if by == "Token":
            index(state, entity.states, "states")
        return Item(name=field(n, "name", str, "a name"), entity=entity, count=count or "Many", by=by)

    def _encoding(self, of, what):
        """Returns the encoding of an item; None if it is missing or unknown."""
        encoding = of.get("encoding")
        name, inner = kind_of(encoding)
        while name in ("Option", "List"):
            name, inner = kind_of(inner)
        if name not in KNOWN and name != "Serde":
            return None
        if name in ("Id", "Key"):
            index(inner, self.entities, "entities")
        return encoding
