//! A model of lamps, and the same with another rule and with another shape.

use ironweave::prelude::*;

/// Declares a model whose arcs, field and order of states are given.
macro_rules! lamps {
    ($module:ident, $($arc:meta)*, $field:ident: $ty:ty, { $($states:tt)* }) => {
        #[ironweave::model]
        pub mod $module {
            use ironweave::prelude::*;

            #[entity]
            pub struct Lamp {
                #[key]
                pub room: String,
                pub $field: $ty,
            }
            #[states(Lamp)]
            pub enum LampState {
                $($states)*
                #[terminal]
                Broken,
            }

            #[event]
            #[create(lamp: Lamp { room, $field })]
            pub struct Hung {
                pub room: String,
                pub $field: $ty,
            }

            #[event]
            $(#[$arc])*
            #[set(lamp.$field = $field)]
            pub struct Switched {
                pub lamp: Lamp,
                pub $field: $ty,
            }
        }
    };
}

lamps!(lamps, moves(lamp: Off | On -> On), watts: u32, { #[initial] #[to(Off, On, Broken)] Off, #[to(On, Off, Broken)] On, });
// The same shape, declared in another order, with another rule.
lamps!(other_rule, moves(lamp: Off | On -> Broken), watts: u32, { #[to(On, Off, Broken)] On, #[initial] #[to(Off, On, Broken)] Off, });
lamps!(other_shape, moves(lamp: Off | On -> On), lumens: u32, { #[initial] #[to(Off, On, Broken)] Off, #[to(On, Off, Broken)] On, });

pub type Lamps = Store<lamps::Model>;

pub fn hall(store: &mut Lamps) -> lamps::Lamp {
    store
        .step(lamps::Hung {
            room: "hall".into(),
            watts: 40,
        })
        .created
        .lamp
}
