"""The rules in a schema: arcs, permissions and invariants. Nothing here executes them, but a reader refuses a schema in which
one of them does not fit what it acts on."""

from log_format import Invalid

INDEX_MAX = (1 << 16) - 1
COMPARISONS = ("Equal", "NotEqual", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")


class Unknown(Exception):
    """An item that a newer version has written. A reader keeps it as it is."""


def number(value, most=INDEX_MAX):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Invalid(f"{value!r} is no index")
    return value


def within(n, items, what):
    if number(n) >= len(items):
        raise Invalid(f"{what} {n} is out of range, because there are {len(items)}")
    return items[n]


def variant(item, plain=(), data=()):
    """Returns the name of a variant and its data. A variant is its name, or a map of one entry."""
    if isinstance(item, str):
        if item in plain:
            return item, None
        raise Unknown(item)
    if not isinstance(item, dict) or not item:
        raise Invalid(f"{item!r} is no variant")
    name, value = next(iter(item.items()))
    if not isinstance(name, str):
        raise Invalid(f"the key {name!r} is no text")
    if name not in data or len(item) > 1:
        raise Unknown(name)
    return name, value


def record(item, *keys, optional=()):
    """Returns the values of the keys of a map without other keys."""
    if not isinstance(item, dict):
        raise Invalid(f"{item!r} is no map")
    for key in item:
        if not isinstance(key, str):
            raise Invalid(f"the key {key!r} is no text")
        if key not in keys and key not in optional:
            raise Unknown(key)
    for key in keys:
        if key not in item:
            raise Invalid(f"`{key}` is missing")
    return [item[key] for key in keys] + [item.get(key) for key in optional]


def items(value):
    if not isinstance(value, list):
        raise Invalid(f"{value!r} is no list")
    return value


def bool_of(value):
    if not isinstance(value, bool):
        raise Invalid(f"{value!r} is not true or false")
    return value


class Rules:
    """Checks the rules of an event, or of an invariant, which has no event."""

    def __init__(self, schema, event=None):
        self.schema, self.event = schema, event

    def each(self, rules, check):
        for rule in items(rules):
            try:
                check(rule)
            except Unknown:
                pass

    def hop(self, entity, hop):
        """Returns the edge of a hop from an entity, and the type that it leads to."""
        edge, forward = record(hop, "edge", "forward")
        edge = within(edge, self.schema.edges, "edge")
        near, far = (edge.start, edge.end) if bool_of(forward) else (edge.end, edge.start)
        if near.entity is not entity:
            raise Invalid(f"{near.path} is not an edge of the entity from which it is followed")
        return edge, far.entity

    def path(self, path):
        """Returns the type that a path leads to."""
        root, hops = record(path, "root", "hops")
        entity = within(root, self.event.names, "name").entity
        for hop in items(hops):
            entity = self.hop(entity, hop)[1]
        return entity

    def states(self, entity, states):
        return [within(state, entity.states, "state") for state in items(states)]

    def column(self, entity, column):
        column = within(column, self.schema.columns, "field")
        if column.entity is not entity:
            raise Invalid(f"{column.path} is not a field of the entity on which it is set")
        return column

    def source(self, source):
        name, data = variant(source, ["Time"], ["Field", "Meta", "Literal", "Entity", "Calculated"])
        if name == "Field":
            within(data, self.event.fields, "field")
        elif name == "Meta":
            variant(data, ["Actor", "Correlation", "Causation"])
        elif name == "Literal":
            index, text = record(data, "index", "text")
            number(index)
            if not isinstance(text, str):
                raise Invalid("the text of a literal is missing")
        elif name == "Entity":
            name, column = record(data, "name", "column")
            self.column(within(name, self.event.names, "name").entity, column)
        elif name == "Calculated":
            operator, left, right, function = record(data, "operator", "left", "right", "function")
            variant(operator, ["Add", "Subtract"])
            self.source(left)
            self.source(right)
            number(function)

    def sort_by(self, entity, order):
        """Checks an order of the entities of a type."""
        column, descending, function = record(order, "column", "descending", "function")
        self.column(entity, column)
        bool_of(descending)
        number(function)

    def due(self, due):
        name, column = due["name"], due["column"]
        self.column(within(name, self.event.names, "name").entity, column)

    def assign(self, assign, entity):
        column, source = record(assign, "column", "source")
        self.source(source)
        return self.column(entity, column)

    def values(self, entity, state, values):
        """Checks the values of an entity that enters a state."""
        columns = [self.assign(value, entity) for value in items(values)]
        for column in columns:
            if column.state not in (None, state):
                raise Invalid("an arc sets data of another state")
        if len(set(column.path for column in columns)) != len(columns):
            raise Invalid("an arc sets a field twice")

    def links(self, path, hop, with_, data=None):
        edge, far = self.hop(self.path(path), hop)
        if self.path(with_) is not far:
            raise Invalid("an arc links an entity to which the edge does not lead")
        if data is not None:
            if not edge.has_data:
                raise Invalid("an arc sets data of links that have none")
            self.source(data)

    def arc(self, arc):
        kinds = ["Create", "Move", "Link", "Unlink", "Relink", "Set", "SetLink", "Delete", "When", "Count", "Compare", "Choose"]
        name, data = variant(arc, data=kinds)
        if name == "Create":
            name, state, values = record(data, "name", "state", "values")
            name = within(name, self.event.names, "name")
            if name.by != "Created":
                raise Invalid("an arc creates a name that is not a created one")
            self.values(name.entity, within(state, name.entity.states, "state"), values)
        elif name == "Move":
            scope, path, before, to, values = record(data, "scope", "path", "from", "to", "data")
            variant(scope, ["Each", "Those"])
            entity = self.path(path)
            self.states(entity, before)
            self.values(entity, within(to, entity.states, "state"), values)
        elif name in ("Link", "Relink"):
            self.links(*record(data, "path", "hop", "with", optional=["data"]))
        elif name == "Unlink":
            self.links(*record(data, "path", "hop", "with"))
        elif name == "SetLink":
            self.links(*record(data, "path", "hop", "with", "data"))
        elif name == "Set":
            path, value = record(data, "path", "value")
            self.assign(value, self.path(path))
        elif name == "Delete":
            self.path(*record(data, "path"))
        elif name == "When":
            quantifier, path, states = record(data, "quantifier", "path", "states")
            variant(quantifier, ["All", "Any", "None"])
            self.states(self.path(path), states)
        elif name == "Count":
            path, states, comparison, with_, function = record(data, "path", "states", "comparison", "with", "function")
            self.states(self.path(path), states)
            self.compared(comparison, with_, function)
        elif name == "Compare":
            left, comparison, right, function = record(data, "left", "comparison", "right", "function")
            self.source(left)
            self.compared(comparison, right, function)
        elif name == "Choose":
            self.choose(*record(data, "name", "from", "states", "conditions", "take", "order"))

    def compared(self, comparison, with_, function):
        variant(comparison, COMPARISONS)
        self.source(with_)
        number(function)

    def choose(self, name, among, states, conditions, take, order):
        name = within(name, self.event.names, "name")
        if name.by != "Chosen":
            raise Invalid("an arc chooses a name that is not a chosen one")
        kind, path = variant(among, ["Place"], ["Path"])
        if kind == "Path" and self.path(path) is not name.entity:
            raise Invalid("an arc chooses among entities of another type")
        self.states(name.entity, states)
        for condition in items(conditions):
            column, *compared = record(condition, "column", "comparison", "with", "function")
            self.column(name.entity, column)
            self.compared(*compared)
        for by in items(order):
            self.sort_by(name.entity, by)
        _, most = variant(take, ["One"], ["Exactly", "UpTo"])
        if most is not None:
            most, function = record(most, "number", "function")
            self.source(most)
            number(function)

    def may(self, may):
        entities, edges = ["Create", "Ensure", "Delete"], ["Link", "Unlink", "Relink", "SetLink"]
        name, data = variant(may, data=[*entities, *edges, "Set", "Move"])
        if name == "Move":
            entity, before, to = record(data, "entity", "from", "to")
            self.states(within(entity, self.schema.entities, "entity"), [before, to])
        elif name in entities:
            within(data, self.schema.entities, "entity")
        elif name in edges:
            within(data, self.schema.edges, "edge")
        else:
            within(data, self.schema.columns, "field")

    def via(self, entity, via):
        for hop in items(via):
            self.hop(entity, hop)
