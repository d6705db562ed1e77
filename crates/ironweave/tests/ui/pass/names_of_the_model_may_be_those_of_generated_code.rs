//! Entities, states, events and fields may be called as generated code calls its own: type parameters, parameters, `Some`.
#![deny(warnings)]

use ironweave::prelude::{Apply, Bound, Reject};
use m::{state::*, *};

#[ironweave::model]
pub mod m {
    use ironweave::prelude::*;

    /// No copied one, as those of this name usually are.
    pub type Duration = String;

    #[entity]
    pub struct S {
        pub tx: u8,
        pub db: u8,
        pub self_: u8,
        pub names: u8,
        pub core: u8,
        #[index(ordered)]
        pub value: u8,
        #[index]
        pub range: String,
        pub took: Duration,
    }
    #[states(S)]
    pub enum SState {
        #[initial]
        #[to(None)]
        Some,
        #[to(Ok, Err)]
        None { other: u8, this: String, r#type: u8, long: Duration },
        #[terminal]
        Ok,
        #[terminal]
        Err,
    }

    #[entity]
    pub struct T {
        #[key]
        pub name: String,
        #[edge(counted, data = u8)]
        pub ps: Many<P>,
        #[default]
        pub v: Vec<u8>,
        pub d: Many<D>,
        pub e: E,
        pub z: Many<Z>,
    }
    #[entity]
    pub struct P {
        #[inverse(T::ps)]
        pub t: Option<T>,
    }
    #[entity]
    pub struct D {
        #[inverse(T::d)]
        pub t: T,
    }
    #[entity]
    pub struct E {
        #[inverse(T::e)]
        pub h: Many<T>,
    }
    #[entity]
    pub struct Z {
        #[inverse(T::z)]
        pub v: Many<T>,
    }

    #[event]
    #[create(s: S { tx, db = tx, self_ = 1, names = 2, core = 3, value = 4, range = "x", took })]
    #[create(e: E)]
    pub struct A {
        pub tx: u8,
        pub took: Duration,
    }

    #[event]
    #[moves(s: Some -> None { other = tx, this = "x", r#type = 3, long = took })]
    #[may(S: None -> Ok, set S.None.other, set S.value, link T.ps, create T, link T.e, set T.ps, create P)]
    pub struct I {
        pub s: S<Some>,
        pub e: E,
        pub tx: u8,
        pub names: Vec<P>,
        pub event: Option<D>,
        pub took: Duration,
    }

    #[event]
    pub struct B;
    #[event]
    #[moves(id: None -> Ok)]
    pub struct Db {
        pub id: S,
    }
    #[event]
    pub struct Event;
    #[event]
    pub struct Id;
    #[event]
    pub struct V {
        pub index: Key<T>,
        pub maker: Vec<Key<T>>,
        pub visitor: Option<Key<T>>,
    }
    #[immediate]
    #[when(none s in Some)]
    #[moves(s: None -> Err)]
    pub struct Tx {
        pub s: S,
    }
    #[invariant(T, crate::holds)]
    pub struct Store;
}

fn holds(_: T, _: &impl ironweave::Db) -> Result<(), Reject> {
    Ok(())
}

impl Apply for I {
    fn apply(&self, bound: Bound<Self>, tx: &mut ironweave::Tx<'_, Self>) -> Result<(), Reject> {
        if let SState::None(s) = bound.s.any().state(tx) {
            s.set_other(tx, 3)?;
            s.set_value(tx, 5)?;
            s.to_ok(tx)?;
        }
        let t = tx.create(NewT { name: "t".into(), v: vec![1], e: bound.e })?;
        let p = tx.create(NewP)?;
        t.link_ps(tx, &p, 3)?;
        t.set_ps_data(tx, &p, 4)?;
        assert_eq!(t.ps_in::<Exists>(tx), 1);
        assert_eq!(t.ps_data(tx, &p), Some(4));
        Ok(())
    }
}

fn main() {
    let mut store = ironweave::Store::<Model>::memory();
    let A { tx, took } = A { tx: 7, took: "an hour".into() };
    let made = store.step(A { tx, took: took.clone() }).created;
    assert_eq!((made.s.db(&store), made.s.took(&store)), (7, took.clone()));
    assert_eq!(S::by_value(&store, &4).count(), 1);
    assert_eq!(S::by_value_range(&store, 3..5).count(), 1);
    assert_eq!(S::by_range(&store, &"x".to_string()).count(), 1);
    let s = made.s.in_state::<Some>(&store).expect("just made");
    store.step(I { s, e: made.e, tx, names: vec![], event: None, took });
    assert!(made.s.is::<Ok>(&store));
    assert_eq!(made.s.value(&store), 5);
}
