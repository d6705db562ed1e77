// The model of the examples in the documentation, which include this file: lamps, and the switches that they have.

/// Lamps in rooms.
#[ironweave::model]
pub mod lamps {
    use ironweave::prelude::*;

    /// A lamp.
    #[entity]
    pub struct Lamp {
        /// The room in which the lamp stands.
        #[key]
        pub room: String,
    }

    /// The states of a lamp.
    #[states(Lamp)]
    pub enum LampState {
        /// The lamp is off.
        #[initial]
        #[to(On)]
        Off,
        /// The lamp is on.
        #[to(Off)]
        On,
    }

    /// A lamp is bought for a room.
    #[event]
    #[create(lamp: Lamp { room })]
    pub struct Bought {
        /// The room.
        pub room: String,
    }

    /// A lamp is switched on. If the room has no lamp, one is created.
    #[event]
    #[moves(lamp: Off -> On)]
    pub struct Lit {
        /// The room of the lamp.
        pub lamp: Ensure<Lamp>,
    }

    /// A lamp is thrown away.
    #[event]
    #[delete(lamp)]
    pub struct Discarded {
        /// The room of the lamp.
        pub lamp: Key<Lamp>,
    }
}
