// The model of the examples in the documentation, which include this file: lamps, and the switches that they have.

/// Lamps in rooms.
#[ironweave::model]
pub mod lamps {
    use ironweave::prelude::*;

    /// A lamp.
    #[entity]
    pub struct Lamp {
        /// Where it stands.
        #[key]
        pub room: String,
    }

    /// Whether a lamp burns.
    #[states(Lamp)]
    pub enum LampState {
        /// It does not.
        #[initial]
        #[to(On)]
        Off,
        /// It does.
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

    /// A lamp is switched on. A room that has none gets one.
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
