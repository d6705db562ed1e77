//! Which events need less than others after their compiled arcs, or around them. Each is a bit in a word, so that a step finds it
//! with one test.

use crate::schema::compiled::CompiledArc;
use crate::step::plan::{EventPlan, Plan};

impl Plan {
    /// A bit for each of the first 64 events that has no handler, can break no bound and enable no immediate event, and that
    /// no invariant and no error refers to.
    pub(super) fn quiet_events(&self) -> u64 {
        self.events_that(|event| self.is_quiet(event))
    }

    /// A bit for each of the first 64 events that is quiet, and whose compiled arcs can neither fail nor run user code: they
    /// relink over edges without data, and move entities whose states have no data.
    pub(super) fn infallible_events(&self) -> u64 {
        self.events_that(|event| {
            let arcs = event.compiled.as_ref();
            let infallible = |arcs: &Vec<_>| arcs.iter().all(|arc| self.is_infallible(*arc));
            self.is_quiet(event) && arcs.is_some_and(infallible)
        })
    }

    fn is_quiet(&self, event: &EventPlan) -> bool {
        !event.handler && !event.bounded && !self.traced
    }

    fn is_infallible(&self, arc: CompiledArc) -> bool {
        match arc {
            // A link that is replaced has no data that user code drops, since another arc would set that of the new link. An edge
            // that is watched or acyclic makes the event not quiet. An index has keys of users' types.
            CompiledArc::Require { .. } => true,
            CompiledArc::TakeOver { edge, .. } => {
                self.layout.edges[usize::from(edge)].indexes.is_empty()
            }
            CompiledArc::Move { entity, .. } => {
                self.layout.entities[usize::from(entity)].is_quiet()
            }
            _ => false,
        }
    }

    /// A bit for each of the first 64 events that has a property.
    fn events_that(&self, have_it: impl Fn(&EventPlan) -> bool) -> u64 {
        (self.events.iter().take(64).enumerate())
            .map(|(i, event)| u64::from(have_it(event)) << i)
            .fold(0, |all, bit| all | bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::model::Model;

    #[crate::model]
    #[allow(dead_code, missing_docs)]
    mod port {
        use crate::prelude::*;

        #[entity]
        pub struct Pier {
            #[edge(data = String)]
            pub waiting: Many<Ship>,
            pub moored: Many<Ship>,
            #[edge(max = 2)]
            pub repaired: Many<Ship>,
            pub boats: Many<Boat>,
        }

        #[entity]
        #[index(ordered, fields = [pier])]
        #[index(fields = [length], while = Afloat)]
        pub struct Boat {
            #[inverse(Pier::boats)]
            pub pier: Option<Pier>,
            pub length: u64,
        }
        #[states(Boat)]
        pub enum BoatState {
            #[initial]
            #[to(Afloat)]
            Ashore,
            #[to(Ashore)]
            Afloat,
        }

        #[entity]
        pub struct Ship {
            #[inverse(Pier::waiting)]
            pub waits: Option<Pier>,
            #[inverse(Pier::moored)]
            pub pier: Option<Pier>,
            #[inverse(Pier::repaired)]
            pub dock: Option<Pier>,
            #[edge(acyclic)]
            pub tows: Many<Ship>,
            #[inverse(Ship::tows)]
            pub towed: Option<Ship>,
            pub size: u64,
        }
        #[states(Ship)]
        pub enum ShipState {
            #[initial]
            #[to(Open)]
            Shut,
            #[to(Shut)]
            Open,
        }

        #[entity]
        pub struct Light {}
        #[states(Light)]
        pub enum LightState {
            #[initial]
            #[to(Lit)]
            Dark,
            #[to(Dark)]
            Lit { by: String },
        }

        #[event]
        #[relink(pier.moored += ship)]
        pub struct Moored {
            pub pier: Pier,
            pub ship: Ship,
        }
        #[event]
        #[moves(ship: Shut -> Open)]
        pub struct Opened {
            pub ship: Ship,
        }
        #[event]
        #[relink(pier.moored += ship)]
        #[moves(ship: Open -> Shut)]
        pub struct Arrived {
            pub pier: Pier,
            pub ship: Ship,
        }
        #[event]
        #[relink(pier.moored += ship)]
        #[may(set Ship.size)]
        pub struct Handled {
            pub pier: Pier,
            pub ship: Ship,
        }
        #[event]
        #[relink(pier.moored += ship)]
        #[guard(super::may_moor)]
        pub struct Guarded {
            pub pier: Pier,
            pub ship: Ship,
        }
        #[event]
        #[relink(pier.moored += ship)]
        #[set(ship.size = size)]
        pub struct Measured {
            pub pier: Pier,
            pub ship: Ship,
            pub size: u64,
        }
        #[event]
        #[relink(pier.waiting += ship { data = why })]
        pub struct Waited {
            pub pier: Pier,
            pub ship: Ship,
            pub why: String,
        }
        #[event]
        #[relink(pier.repaired += ship)]
        pub struct Docked {
            pub pier: Pier,
            pub ship: Ship,
        }
        #[event]
        #[relink(tug.tows += ship)]
        pub struct Towed {
            pub tug: Ship,
            pub ship: Ship,
        }
        // The key of an index may be of a type of the user.
        #[event]
        #[relink(pier.boats += boat)]
        pub struct Landed {
            pub pier: Pier,
            pub boat: Boat,
        }
        #[event]
        #[moves(boat: Ashore -> Afloat)]
        pub struct Launched {
            pub boat: Boat,
        }
        #[event]
        #[moves(light: Lit -> Dark)]
        pub struct Went {
            pub light: Light,
        }
        #[event]
        #[create(light: Light {})]
        pub struct Built {}
    }

    impl crate::Apply for port::Handled {
        fn apply(
            &self,
            _: crate::Bound<Self>,
            _: &mut crate::Tx<'_, Self>,
        ) -> Result<(), crate::Reject> {
            Ok(())
        }
    }

    fn may_moor(_: &port::Guarded, _: &impl crate::Db) -> Result<(), crate::Reject> {
        Ok(())
    }

    #[test]
    fn an_event_that_may_fail_or_run_user_code_keeps_a_point_to_go_back_to() {
        let plan = Plan::new(port::Model::binding());
        let infallible = plan.infallible_events();
        let names = (0..plan.events.len())
            .filter(|i| infallible >> i & 1 == 1)
            .map(|i| &*plan.events[i].name);
        assert_eq!(names.collect::<Vec<_>>(), ["Moored", "Opened", "Arrived"]);
    }
}
