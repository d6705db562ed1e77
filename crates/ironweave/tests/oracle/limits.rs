//! A model at the limits of compiled arcs: events of as many names and arcs as can be compiled and of one more, and an entity
//! of more states.

pub use model::Model;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Part {
        #[default]
        pub f0: u8,
        #[default]
        pub f1: u8,
        #[default]
        pub f2: u8,
        #[default]
        pub f3: u8,
        #[default]
        pub f4: u8,
        #[default]
        pub f5: u8,
        #[default]
        pub f6: u8,
        #[default]
        pub f7: u8,
        #[default]
        pub f8: u8,
        #[default]
        pub f9: u8,
        #[default]
        pub f10: u8,
        #[default]
        pub f11: u8,
        #[default]
        pub f12: u8,
        #[default]
        pub f13: u8,
        #[default]
        pub f14: u8,
        #[default]
        pub f15: u8,
        #[default]
        pub f16: u8,
        #[default]
        pub f17: u8,
        #[default]
        pub f18: u8,
        #[default]
        pub f19: u8,
        #[default]
        pub f20: u8,
        #[default]
        pub f21: u8,
        #[default]
        pub f22: u8,
        #[default]
        pub f23: u8,
        #[default]
        pub f24: u8,
        #[default]
        pub f25: u8,
    }

    /// It has one state more than fit in a word.
    #[entity]
    pub struct Wheel {
        #[default]
        pub turns: u8,
    }
    #[states(Wheel)]
    pub enum WheelState {
        #[initial]
        #[to(S1)]
        S0,
        #[to(S2)]
        S1,
        #[to(S3)]
        S2,
        #[to(S4)]
        S3,
        #[to(S5)]
        S4,
        #[to(S6)]
        S5,
        #[to(S7)]
        S6,
        #[to(S8)]
        S7,
        #[to(S9)]
        S8,
        #[to(S10)]
        S9,
        #[to(S11)]
        S10,
        #[to(S12)]
        S11,
        #[to(S13)]
        S12,
        #[to(S14)]
        S13,
        #[to(S15)]
        S14,
        #[to(S16)]
        S15,
        #[to(S17)]
        S16,
        #[to(S18)]
        S17,
        #[to(S19)]
        S18,
        #[to(S20)]
        S19,
        #[to(S21)]
        S20,
        #[to(S22)]
        S21,
        #[to(S23)]
        S22,
        #[to(S24)]
        S23,
        #[to(S25)]
        S24,
        #[to(S26)]
        S25,
        #[to(S27)]
        S26,
        #[to(S28)]
        S27,
        #[to(S29)]
        S28,
        #[to(S30)]
        S29,
        #[to(S31)]
        S30,
        #[to(S32)]
        S31,
        #[to(S33)]
        S32,
        #[to(S34)]
        S33,
        #[to(S35)]
        S34,
        #[to(S36)]
        S35,
        #[to(S37)]
        S36,
        #[to(S38)]
        S37,
        #[to(S39)]
        S38,
        #[to(S40)]
        S39,
        #[to(S41)]
        S40,
        #[to(S42)]
        S41,
        #[to(S43)]
        S42,
        #[to(S44)]
        S43,
        #[to(S45)]
        S44,
        #[to(S46)]
        S45,
        #[to(S47)]
        S46,
        #[to(S48)]
        S47,
        #[to(S49)]
        S48,
        #[to(S50)]
        S49,
        #[to(S51)]
        S50,
        #[to(S52)]
        S51,
        #[to(S53)]
        S52,
        #[to(S54)]
        S53,
        #[to(S55)]
        S54,
        #[to(S56)]
        S55,
        #[to(S57)]
        S56,
        #[to(S58)]
        S57,
        #[to(S59)]
        S58,
        #[to(S60)]
        S59,
        #[to(S61)]
        S60,
        #[to(S62)]
        S61,
        #[to(S63)]
        S62,
        #[to(S64)]
        S63,
        #[to(S0)]
        S64,
    }

    /// Each default is an arc, so that this has more than can be compiled.
    #[event]
    #[create(part: Part {})]
    #[create(wheel: Wheel {})]
    pub struct Made;

    #[event]
    #[set(n7.f0 = value)]
    pub struct EightNames {
        pub n0: Part,
        pub n1: Part,
        pub n2: Part,
        pub n3: Part,
        pub n4: Part,
        pub n5: Part,
        pub n6: Part,
        pub n7: Part,
        pub value: u8,
    }
    #[event]
    #[set(n8.f0 = value)]
    pub struct NineNames {
        pub n0: Part,
        pub n1: Part,
        pub n2: Part,
        pub n3: Part,
        pub n4: Part,
        pub n5: Part,
        pub n6: Part,
        pub n7: Part,
        pub n8: Part,
        pub value: u8,
    }

    #[event]
    #[set(part.f0 = value)]
    #[set(part.f1 = value)]
    #[set(part.f2 = value)]
    #[set(part.f3 = value)]
    #[set(part.f4 = value)]
    #[set(part.f5 = value)]
    #[set(part.f6 = value)]
    #[set(part.f7 = value)]
    #[set(part.f8 = value)]
    #[set(part.f9 = value)]
    #[set(part.f10 = value)]
    #[set(part.f11 = value)]
    #[set(part.f12 = value)]
    #[set(part.f13 = value)]
    #[set(part.f14 = value)]
    #[set(part.f15 = value)]
    #[set(part.f16 = value)]
    #[set(part.f17 = value)]
    #[set(part.f18 = value)]
    #[set(part.f19 = value)]
    #[set(part.f20 = value)]
    #[set(part.f21 = value)]
    #[set(part.f22 = value)]
    #[set(part.f23 = value)]
    pub struct TwentyFourArcs {
        pub part: Part,
        pub value: u8,
    }

    #[event]
    #[set(part.f0 = value)]
    #[set(part.f1 = value)]
    #[set(part.f2 = value)]
    #[set(part.f3 = value)]
    #[set(part.f4 = value)]
    #[set(part.f5 = value)]
    #[set(part.f6 = value)]
    #[set(part.f7 = value)]
    #[set(part.f8 = value)]
    #[set(part.f9 = value)]
    #[set(part.f10 = value)]
    #[set(part.f11 = value)]
    #[set(part.f12 = value)]
    #[set(part.f13 = value)]
    #[set(part.f14 = value)]
    #[set(part.f15 = value)]
    #[set(part.f16 = value)]
    #[set(part.f17 = value)]
    #[set(part.f18 = value)]
    #[set(part.f19 = value)]
    #[set(part.f20 = value)]
    #[set(part.f21 = value)]
    #[set(part.f22 = value)]
    #[set(part.f23 = value)]
    #[set(part.f24 = value)]
    pub struct TwentyFiveArcs {
        pub part: Part,
        pub value: u8,
    }

    /// The first and the last state are the same bit of a word.
    #[event]
    #[moves(wheel: S64 -> S0)]
    pub struct Turned {
        pub wheel: Wheel,
    }

    #[event]
    #[set(wheel.turns = turns)]
    pub struct Counted {
        pub wheel: Wheel,
        pub turns: u8,
    }
}
