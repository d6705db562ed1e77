//! The schema of an open store says how each value is encoded, by its type and not by how that is written.

use std::collections::BTreeMap;

use ironweave::Seq;
use ironweave::prelude::*;
use ironweave::schema::{Encoding, EntityIx, EventDef, Schema};

use crate::temp_dir;

/// Aliases, of which the names say nothing.
pub type Amount = u64;
pub type Moment = Timestamp;
pub type Notes = Option<Vec<String>>;
pub type Own = BTreeMap<String, u8>;

#[ironweave::model]
pub mod meters {
    use super::{Amount, Moment, Notes, Own};
    use ironweave::prelude::*;

    #[entity]
    pub struct Meter {
        #[key]
        pub name: String,
        pub amount: Amount,
        pub notes: Notes,
        pub own: Own,
        #[edge(data = Moment)]
        pub next: Many<Meter>,
        #[inverse(Meter::next)]
        pub before: Many<Meter>,
    }
    #[states(Meter)]
    pub enum MeterState {
        #[initial]
        #[to(Sealed)]
        Open,
        #[terminal]
        Sealed { at: Moment },
    }

    #[event]
    #[create(meter: Meter { name, amount, notes, own })]
    pub struct Built {
        pub name: String,
        pub amount: Amount,
        pub notes: Notes,
        pub own: Own,
    }

    #[event]
    #[moves(open: Open -> Sealed { at })]
    pub struct Read {
        pub open: Meter<Open>,
        pub by_key: Key<Meter>,
        pub all: Vec<Key<Meter>>,
        pub maybe: Option<Meter>,
        pub at: Moment,
    }

    #[immediate]
    #[when(any closing.next in Sealed)]
    #[moves(closing: Open -> Sealed { at = meta.time })]
    pub struct Closed {
        pub closing: Meter,
    }
}

fn event<'s>(schema: &'s Schema, name: &str) -> &'s EventDef {
    let named = schema.events.iter().find(|event| event.name == name);
    named.expect("an event of the model")
}

fn check(schema: &Schema) {
    let encodings = |of: Vec<&Option<Encoding>>| -> Vec<Encoding> {
        let known = of
            .into_iter()
            .map(|encoding| encoding.clone().expect("known"));
        known.collect()
    };
    let (option, list) = (
        |of| Encoding::Option(Box::new(of)),
        |of| Encoding::List(Box::new(of)),
    );
    let notes = option(list(Encoding::Text));
    let values = [Encoding::Text, Encoding::U64, notes, Encoding::Serde];
    let columns = schema.columns.iter().map(|column| &column.encoding);
    assert_eq!(
        encodings(columns.collect()),
        [&values[..], &[Encoding::Timestamp]].concat()
    );
    assert_eq!(schema.edges[0].encoding, Some(Encoding::Timestamp));
    let of_fields = |name: &str| {
        let fields = event(schema, name).fields.iter();
        encodings(fields.map(|field| &field.encoding).collect())
    };
    let meter = EntityIx::new(0);
    assert_eq!(of_fields("Built"), values);
    assert_eq!(
        of_fields("Read"),
        [
            Encoding::Id(meter),
            Encoding::Key(meter),
            list(Encoding::Key(meter)),
            option(Encoding::Id(meter)),
            Encoding::Timestamp,
        ]
    );
    assert_eq!(of_fields("Closed"), [Encoding::Id(meter)]);
}

#[test]
fn a_store_and_its_log_have_the_encodings_of_the_types() {
    let dir = temp_dir();
    let mut store = Store::<meters::Model>::open(dir.path()).expect("it opens");
    check(store.schema());
    store.step(meters::Built {
        name: "a".into(),
        amount: 7,
        notes: None,
        own: Own::new(),
    });
    let written = store.schema().to_cbor();
    drop(store);
    let segment = dir.path().join("00000000000000000000.log");
    let segment = std::fs::read(segment).expect("the first segment");
    assert!(segment.windows(written.len()).any(|bytes| bytes == written));

    // The log has the schema of the program, so that no other one is written.
    let store = Store::<meters::Model>::open(dir.path()).expect("it opens");
    assert_eq!(store.seq(), Some(Seq::new(1)));
}
