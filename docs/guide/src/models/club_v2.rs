#[ironweave::model]
#[allow(missing_docs)]
pub mod club {
    use ironweave::prelude::*;

    #[entity]
    pub struct Member {
        #[key]
        pub email: String,
        pub phone: Option<String>,
        #[inverse(Membership::member)]
        pub memberships: Many<Membership>,
    }

    #[entity]
    pub struct Membership {
        pub since: u16,
        pub member: Member,
        pub team: Team,
    }

    #[entity]
    pub struct Team {
        #[key]
        pub code: u32,
        pub name: String,
        #[inverse(Membership::team)]
        pub memberships: Many<Membership>,
    }

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
        pub price: u32,
        pub paid: u32,
        pub rest: u32,
    }
    #[states(Bike)]
    pub enum BikeState {
        #[initial]
        #[to(Repair, Scrapped)]
        Ready,
        #[to(Ready, Scrapped)]
        Repair { what: String },
        #[terminal]
        Scrapped,
    }

    #[event]
    #[create(team: Team { code, name })]
    pub struct Founded { pub code: u32, pub name: String }

    #[event]
    #[create(membership: Membership { since = year })]
    #[link(membership.member += member)]
    #[link(membership.team += team)]
    pub struct Joined { pub member: Ensure<Member>, pub team: Key<Team>, pub year: u16 }

    #[event]
    #[create(bike: Bike { label, price, paid, rest })]
    pub struct Bought { pub label: String, pub price: u32, pub paid: u32, pub rest: u32 }

    #[event]
    #[moves(bike: Ready -> Repair { what })]
    pub struct Crashed { pub bike: Key<Bike>, pub what: String }

    #[event]
    #[moves(bike: Repair -> Ready)]
    pub struct Repaired { pub bike: Key<Bike> }

    #[event]
    #[moves(bike: Ready | Repair -> Scrapped)]
    pub struct Retired { pub bike: Key<Bike> }
}
