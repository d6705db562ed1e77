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

counter!(small, u8, 1);
counter!(words, String, "one");

fn main() {
    let mut store = ironweave::Store::<small::Model>::memory();
    let counter = store.step(small::Made).created.counter;
    store.step(small::Changed { counter, value: 2 });
    assert_eq!(counter.value(&store), 2);
    let mut store = ironweave::Store::<words::Model>::memory();
    let counter = store.step(words::Made).created.counter;
    assert_eq!(counter.value(&store), "one");
}
