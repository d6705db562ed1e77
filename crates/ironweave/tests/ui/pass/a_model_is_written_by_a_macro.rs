/// Two models of one shape.
macro_rules! counter {
    ($name:ident, $ty:ty, $first:literal) => {
        #[ironweave::model]
        mod $name {
            use ironweave::prelude::*;

            #[entity]
            pub struct Counter {
                pub value: $ty,
            }

            #[event]
            #[create(counter: Counter { value = $first })]
            pub struct Made {}

            #[event]
            #[set(counter.value = value)]
            pub struct Changed {
                pub counter: Counter,
                pub value: $ty,
            }
        }
    };
}

/// A model whose names and types are arguments.
macro_rules! thing {
    ($module:ident, $thing:ident { $field:ident: $ty:ident }, $state:ident -> $other:ident { $data:ident }) => {
        #[ironweave::model]
        mod $module {
            use ironweave::prelude::*;

            #[entity]
            pub struct $thing {
                #[key]
                pub $field: $ty,
                pub linked: Many<$thing>,
                #[inverse($thing::linked)]
                pub inverse: Many<$thing>,
            }
            #[states($thing)]
            pub enum ThingState {
                #[initial]
                #[to($other)]
                $state,
                #[terminal]
                $other { $data: $ty },
            }

            #[event]
            #[create(made: $thing { $field })]
            pub struct Made {
                pub $field: $ty,
            }

            #[event]
            #[link(thing.linked += thing)]
            #[moves(thing: $state -> $other { $data })]
            pub struct Moved {
                pub thing: $thing<$state>,
                pub $data: $ty,
            }
        }
    };
}

counter!(small, u8, 1);
thing!(papers, Paper { title: String }, Draft -> Printed { publisher });
counter!(words, String, "one");

fn main() {
    let mut store = ironweave::Store::<small::Model>::memory();
    let counter = store.step(small::Made).created.counter;
    store.step(small::Changed { counter, value: 2 });
    assert_eq!(counter.value(&store), 2);
    let mut store = ironweave::Store::<words::Model>::memory();
    let counter = store.step(words::Made).created.counter;
    assert_eq!(counter.value(&store), "one");
    let mut store = ironweave::Store::<papers::Model>::memory();
    let made = papers::Made { title: "a".into() };
    let thing = store.step(made).created.made;
    let thing = thing.in_state::<papers::state::Draft>(&store).unwrap();
    let publisher = String::from("b");
    let printed = store.step(papers::Moved { thing, publisher }).bound.thing;
    assert_eq!(printed.publisher(&store), "b");
    assert_eq!(printed.any().title(&store), "a");
}
