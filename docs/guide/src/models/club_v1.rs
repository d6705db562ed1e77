#[ironweave::model]
#[allow(missing_docs)]
pub mod club {
    use ironweave::prelude::*;

    #[entity]
    pub struct Member {
        #[key]
        pub email: String,
        #[edge(data = u16)]                            // the year in which the member joined
        pub teams: Many<Team>,
    }

    #[entity]
    pub struct Team {
        #[key]
        pub name: String,
        #[inverse(Member::teams)]
        pub members: Many<Member>,
    }

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
        pub price: u32,
        pub paid: u32,
    }
    #[states(Bike)]
    pub enum BikeState {
        #[initial]
        #[to(Broken)]
        Ready,
        #[to(Ready)]
        Broken { what: String },
    }

    #[event]
    #[create(team: Team { name })]
    pub struct Founded { pub name: String }

    #[event]
    #[link(member.teams += team { data = year })]
    pub struct Joined { pub member: Ensure<Member>, pub team: Key<Team>, pub year: u16 }

    #[event]
    #[create(bike: Bike { label, price, paid })]
    pub struct Bought { pub label: String, pub price: u32, pub paid: u32 }

    #[event]
    #[moves(bike: Ready -> Broken { what })]
    pub struct Crashed { pub bike: Key<Bike>, pub what: String }

    #[event]
    #[moves(bike: Broken -> Ready)]
    pub struct Repaired { pub bike: Key<Bike> }
}
