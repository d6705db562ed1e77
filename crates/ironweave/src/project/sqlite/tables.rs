//! The tables and views of a model, and the statements that apply facts to them.

use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use crate::base::position::Seq;
use crate::graph::column::{ColumnType, ColumnTypes};
use crate::graph::fact::{Fact, Facts};
use crate::project::sqlite::error::Failure;
use crate::project::sqlite::names::{
    Names, OWN_COLUMNS, TableNames, column_path, columns_of, quoted,
};
use crate::project::sqlite::registry::Statement;
use crate::project::sqlite::value::{Kind, rfc3339, sql_value};
use crate::schema::{Encoding, EndDef, EntityIx, Schema, StateIx};
use crate::step::plan::Plan;
use crate::store::bad_frame;

/// The version of this code. Tables that another version created are rebuilt.
const VERSION: u32 = 2;
/// The maximal number of columns of a table in SQLite.
const COLUMNS_MAX: usize = 2_000;

/// The statements that create and update the tables of a projection.
pub(super) struct Tables {
    schema: Schema,
    /// The statements that create the tables, views and indexes.
    pub statements: Vec<Statement>,
    /// A text that is equal for two projections if and only if their tables have the same shape; see `make_shape`.
    pub shape: String,
    kinds: Kinds,
    entities: Vec<EntitySql>,
    /// The statement that sets a value, for each column.
    set: Vec<String>,
    edges: Vec<EdgeSql>,
}

/// The kinds of the values of each column and edge.
struct Kinds {
    columns: Vec<Kind>,
    edges: Vec<Kind>,
}

/// The statements for the facts of an entity type.
struct EntitySql {
    create: String,
    delete: String,
    /// The statement that leaves a state, for each state.
    moved: Vec<String>,
}

/// The statements for the facts of an edge.
struct EdgeSql {
    link: String,
    unlink: String,
    set: String,
}

impl Kinds {
    fn of(ColumnTypes { columns, data }: &ColumnTypes, schema: &Schema) -> Self {
        let kind = |ty: &ColumnType, encoding: &Option<Encoding>| match Kind::of(ty.type_id) {
            // A model that is read from a log does not have the types of its values.
            Kind::Plain => encoding.as_ref().map_or(Kind::Plain, Kind::of_encoding),
            kind => kind,
        };
        let columns = columns.iter().zip(&schema.columns);
        let edges = data.iter().zip(&schema.edges);
        Self {
            columns: columns.map(|(ty, def)| kind(ty, &def.encoding)).collect(),
            edges: edges
                .map(|(ty, def)| {
                    ty.as_ref()
                        .map_or(Kind::Plain, |ty| kind(ty, &def.encoding))
                })
                .collect(),
        }
    }
}

impl Tables {
    /// Returns the tables of a model.
    pub(super) fn of(plan: &Plan, prefix: &str) -> Result<Self, Failure> {
        let schema = &plan.layout.schema;
        Self::new(schema.clone(), Kinds::of(&plan.columns, schema), prefix)
    }

    fn new(schema: Schema, kinds: Kinds, prefix: &str) -> Result<Self, Failure> {
        for (entity, def) in EntityIx::all(schema.entities.len()).zip(&schema.entities) {
            let columns = OWN_COLUMNS.len() + columns_of(&schema, entity).count();
            if columns > COLUMNS_MAX {
                return Err(Failure::Refused(format!(
                    "the table of `{}` would have {columns} columns, but SQLite allows {COLUMNS_MAX}; move some of its \
                     fields into a struct, which is one column",
                    def.name
                )));
            }
        }
        let names = Names::new(&schema, prefix);
        let mut tables = Self {
            statements: Vec::new(),
            shape: String::new(),
            entities: entity_sql(&schema, &names),
            set: set_sql(&schema, &names),
            edges: edge_sql(&names),
            schema,
            kinds,
        };
        tables.make_statements(&names);
        tables.make_shape(&names);
        Ok(tables)
    }

    /// Returns the tables of a schema whose values are all times, since these have the longest views.
    #[cfg(test)]
    pub(super) fn of_times(schema: Schema, prefix: &str) -> Result<Self, Failure> {
        let kinds = Kinds {
            columns: vec![Kind::Time; schema.columns.len()],
            edges: vec![Kind::Time; schema.edges.len()],
        };
        Self::new(schema, kinds, prefix)
    }

    /// Returns all statements that apply facts.
    #[cfg(test)]
    pub(super) fn all_sql(&self) -> impl Iterator<Item = &String> {
        let entities = self.entities.iter();
        let entities = entities.flat_map(|e| [&e.create, &e.delete].into_iter().chain(&e.moved));
        let edges = self.edges.iter().flat_map(|e| [&e.link, &e.unlink, &e.set]);
        entities.chain(&self.set).chain(edges)
    }

    fn make_statements(&mut self, names: &Names) {
        let mut statements = Vec::new();
        let mut push = |kind, name: &str, stands_for: &str, rest: &str| {
            statements.push(Statement {
                kind,
                name: name.to_owned(),
                stands_for: stands_for.to_owned(),
                sql: format!(
                    "CREATE {} {}{rest}",
                    kind.to_ascii_uppercase(),
                    quoted(name)
                ),
            });
        };
        for (entity, named) in EntityIx::all(names.entities.len()).zip(&names.entities) {
            let stands_for = &self.schema[entity].name;
            let columns = columns_of(&self.schema, entity);
            let columns: Vec<String> = columns
                .map(|ix| format!(", {}", quoted(&names.columns[ix])))
                .collect();
            let own = "slot INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL";
            push(
                "table",
                &named.table,
                stands_for,
                &format!(" ({own}{})", columns.concat()),
            );
        }
        for (edge, (named, index)) in names.edges.iter().zip(&names.indexes).enumerate() {
            let stands_for = self.edge_path(edge);
            push(
                "table",
                &named.table,
                &stands_for,
                " (from_slot INTEGER NOT NULL, to_slot INTEGER NOT NULL, data, PRIMARY KEY (from_slot, to_slot)) \
                 WITHOUT ROWID",
            );
            let on = format!(" ON {} (to_slot)", quoted(&named.table));
            push("index", index, &stands_for, &on);
        }
        for (entity, named) in EntityIx::all(names.entities.len()).zip(&names.entities) {
            let stands_for = &self.schema[entity].name;
            let rest = self.entity_view(names, entity, named);
            push("view", &named.view, stands_for, &rest);
        }
        for (edge, named) in names.edges.iter().enumerate() {
            let rest = self.edge_view(names, edge, named);
            push("view", &named.view, &self.edge_path(edge), &rest);
        }
        self.statements = statements;
    }

    /// Returns the path of an edge in the model.
    fn edge_path(&self, edge: usize) -> String {
        let from = &self.schema.edges[edge].from;
        let entity = &self.schema[from.entity].name;
        format!("{entity}.{}", from.name)
    }

    /// Returns the view of an entity type: times are texts, and the slot is left out.
    fn entity_view(&self, names: &Names, entity: EntityIx, named: &TableNames) -> String {
        let columns = columns_of(&self.schema, entity).map(|ix| {
            let name = quoted(&names.columns[ix]);
            let shown = self.kinds.columns[ix].shown(&format!("e.{name}"));
            format!(", {shown} AS {name}")
        });
        let columns: Vec<String> = columns.collect();
        format!(
            " AS SELECT e.id AS id, e.state AS state{} FROM {} AS e",
            columns.concat(),
            quoted(&named.table)
        )
    }

    /// Returns the view of an edge: the keys of the linked entities instead of their slots.
    fn edge_view(&self, names: &Names, edge: usize, named: &TableNames) -> String {
        let def = &self.schema.edges[edge];
        let mut columns = self.key_columns(names, "from", &def.from);
        columns.extend(self.key_columns(names, "to", &def.to));
        if def.data.is_some() {
            let shown = self.kinds.edges[edge].shown("l.data");
            columns.push(format!("{shown} AS data"));
        }
        let end = |end: &EndDef| quoted(&names.entities[usize::from(end.entity)].table);
        format!(
            " AS SELECT {} FROM {} AS l JOIN {} AS \"from\" ON \"from\".slot = l.from_slot \
             JOIN {} AS \"to\" ON \"to\".slot = l.to_slot",
            columns.join(", "),
            quoted(&named.table),
            end(&def.from),
            end(&def.to),
        )
    }

    /// Returns the columns of a view that identify the entity at an end of an edge: its key, or its id if it has no
    /// key.
    fn key_columns(&self, names: &Names, which: &str, end: &EndDef) -> Vec<String> {
        let key = columns_of(&self.schema, end.entity).filter(|ix| self.schema.columns[*ix].key);
        let shown = key.map(|ix| {
            let name = &names.columns[ix];
            let column = format!("\"{which}\".{}", quoted(name));
            let shown = self.kinds.columns[ix].shown(&column);
            format!("{shown} AS {}", quoted(&format!("{which}_{name}")))
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() {
            vec![format!("\"{which}\".id AS {which}_id")]
        } else {
            shown
        }
    }

    /// Sets `shape` to a text of everything that the content of the tables depends on: the statements that create them,
    /// the paths of their tables and columns in the model, and the kinds of the values.
    fn make_shape(&mut self, names: &Names) {
        let mut lines = vec![VERSION.to_string()];
        lines.extend(self.statements.iter().map(|s| {
            let Statement {
                stands_for, sql, ..
            } = s;
            format!("{stands_for}: {sql}")
        }));
        let columns = self.schema.columns.iter().enumerate();
        lines.extend(columns.map(|(ix, def)| {
            let path = column_path(&self.schema, def);
            format!("{path}: {:?} {}", self.kinds.columns[ix], names.columns[ix])
        }));
        let edges = self.kinds.edges.iter().enumerate();
        lines.extend(edges.map(|(edge, kind)| format!("{}: {kind:?}", self.edge_path(edge))));
        self.shape = lines.join("\n");
    }

    fn state(&self, entity: EntityIx, state: StateIx) -> Value {
        let states = &self.schema[entity].states;
        Value::Text(states[usize::from(state)].name.clone())
    }

    /// Applies the facts of frame `seq` to the tables.
    pub(super) fn apply_all(
        &self,
        t: &Transaction<'_>,
        seq: Seq,
        facts: &Facts,
    ) -> Result<(), Failure> {
        let mut facts = facts.list.iter().map(|fact| (fact, facts.value_of(fact)));
        facts.try_for_each(|(fact, value)| self.apply(t, seq, *fact, value))
    }

    fn apply(
        &self,
        t: &Transaction<'_>,
        seq: Seq,
        fact: Fact,
        value: Option<&[u8]>,
    ) -> Result<(), Failure> {
        let int = |n: u32| Value::Integer(n.into());
        let value = |kind| match value {
            Some(bytes) => sql_value(bytes, kind).map_err(|e| bad_frame(seq, e)),
            None => Ok(Value::Null),
        };
        let (sql, values) = match fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } => {
                let id = Value::Text(format!("{slot}.{generation}"));
                let sql = &self.entities[usize::from(entity)].create;
                (sql, vec![int(slot), id, self.state(entity, state)])
            }
            Fact::Delete { entity, slot, .. } => {
                let sql = &self.entities[usize::from(entity)].delete;
                (sql, vec![int(slot)])
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let sql = &self.entities[usize::from(entity)].moved[usize::from(from)];
                (sql, vec![int(slot), self.state(entity, to)])
            }
            Fact::Set { column, slot, .. } => {
                let column = usize::from(column);
                let value = value(self.kinds.columns[column])?;
                (&self.set[column], vec![int(slot), value])
            }
            Fact::Link { edge, from, to } => {
                let sql = &self.edges[usize::from(edge)].link;
                (sql, vec![int(from), int(to)])
            }
            Fact::Unlink { edge, from, to } => {
                let sql = &self.edges[usize::from(edge)].unlink;
                (sql, vec![int(from), int(to)])
            }
            Fact::SetLink { edge, from, to, .. } => {
                let edge = usize::from(edge);
                let value = value(self.kinds.edges[edge])?;
                (&self.edges[edge].set, vec![int(from), int(to), value])
            }
        };
        let changed = t.prepare_cached(sql)?.execute(params_from_iter(values))?;
        if changed != 1 {
            return Err(Failure::Changed(format!(
                "`{sql}` changed {changed} rows instead of one, so another program has written to the tables; delete \
                 the row of this projection in the table `ironweave`, so that the tables are rebuilt"
            )));
        }
        Ok(())
    }
}

impl Kind {
    /// Returns the expression of a view for a column of this kind.
    fn shown(self, column: &str) -> String {
        match self {
            Self::Time => rfc3339(column),
            Self::Plain | Self::Char | Self::Bytes => column.to_owned(),
        }
    }
}

fn entity_sql(schema: &Schema, names: &Names) -> Vec<EntitySql> {
    let all = EntityIx::all(schema.entities.len());
    let entities = all.zip(schema.entities.iter().zip(&names.entities));
    let sql = entities.map(|(entity, (def, named))| {
        let table = quoted(&named.table);
        // The data of a state is deleted when the entity leaves that state.
        let moved = (0..def.states.len()).map(|state| {
            let of_state = |ix: &usize| schema.columns[*ix].state.map(usize::from) == Some(state);
            let ends: Vec<String> = (columns_of(schema, entity).filter(of_state))
                .map(|ix| format!(", {} = NULL", quoted(&names.columns[ix])))
                .collect();
            format!(
                "UPDATE {table} SET state = ?2{} WHERE slot = ?1",
                ends.concat()
            )
        });
        EntitySql {
            create: format!("INSERT INTO {table} (slot, id, state) VALUES (?1, ?2, ?3)"),
            delete: format!("DELETE FROM {table} WHERE slot = ?1"),
            moved: moved.collect(),
        }
    });
    sql.collect()
}

fn set_sql(schema: &Schema, names: &Names) -> Vec<String> {
    let columns = schema.columns.iter().zip(&names.columns);
    let sql = columns.map(|(def, name)| {
        let table = quoted(&names.entities[usize::from(def.entity)].table);
        format!("UPDATE {table} SET {} = ?2 WHERE slot = ?1", quoted(name))
    });
    sql.collect()
}

fn edge_sql(names: &Names) -> Vec<EdgeSql> {
    let sql = names.edges.iter().map(|named| {
        let table = quoted(&named.table);
        let which = "WHERE from_slot = ?1 AND to_slot = ?2";
        EdgeSql {
            link: format!("INSERT INTO {table} (from_slot, to_slot) VALUES (?1, ?2)"),
            unlink: format!("DELETE FROM {table} {which}"),
            set: format!("UPDATE {table} SET data = ?3 {which}"),
        }
    });
    sql.collect()
}
