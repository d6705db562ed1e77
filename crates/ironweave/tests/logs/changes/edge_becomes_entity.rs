//! An edge becomes an entity, and the data of its links a field.

use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{Migration, MigrationError, Options};

use super::{Change, Done, fire};

#[ironweave::model]
pub mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Member {
        #[key]
        pub name: String,
        #[edge(data = u16)]
        pub teams: Many<Team>,
    }

    #[entity]
    pub struct Team {
        #[key]
        pub name: String,
        #[inverse(Member::teams)]
        pub members: Many<Member>,
    }

    #[event]
    #[link(member.teams += team { data = year })]
    pub struct Joined {
        pub member: Ensure<Member>,
        pub team: Ensure<Team>,
        pub year: u16,
    }
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Member {
        #[key]
        pub name: String,
        #[inverse(Membership::member)]
        #[edge(on_delete = unlink)]
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
        pub name: String,
        #[inverse(Membership::team)]
        #[edge(on_delete = unlink)]
        pub memberships: Many<Membership>,
    }

    #[event]
    #[create(membership: Membership { since = year })]
    #[link(membership.member += member)]
    #[link(membership.team += team)]
    pub struct Joined {
        pub member: Ensure<Member>,
        pub team: Ensure<Team>,
        pub year: u16,
    }

    #[event]
    #[delete(membership)]
    pub struct Left {
        pub membership: Membership,
    }
}

fn migrate(old: GraphView<'_>, new: &mut Migration<'_, v2::Model>) -> Result<(), MigrationError> {
    for member in old.entity_type("Member")?.entities() {
        for link in member.links("teams")? {
            let membership = new.create::<v2::Membership>(&[("since", &link.data())])?;
            new.link(membership, "member", member)?;
            new.link(membership, "team", link.entity())?;
        }
    }
    Ok(())
}

pub struct EdgeBecomesEntity;

impl Change for EdgeBecomesEntity {
    const NAME: &'static str = "edge_becomes_entity";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        let joined = [
            ("ada", "road", 2019),
            ("bob", "road", 2020),
            ("ada", "track", 2021),
        ];
        for (second, (member, team, year)) in (1..).zip(joined) {
            let (member, team) = (member.into(), team.into());
            fire(store, second, v1::Joined { member, team, year })?;
        }
        Ok(())
    }

    fn options() -> Options<v2::Model> {
        Store::options().migrate(migrate)
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        use v2::*;
        let (member, team) = ("eve".into(), "track".into());
        let year = 2026;
        fire(store, 60, Joined { member, team, year })?;
        let bob = store.find::<Member>("bob").ok_or("he is a member")?;
        let membership = bob.memberships(store).next().ok_or("he is in a team")?;
        fire(store, 61, Left { membership })
    }

    fn assert_read(store: &Store<v2::Model>) {
        use v2::*;
        let all = store.place::<Membership, Any>().map(|membership| {
            let (member, team) = (membership.member(store), membership.team(store));
            let since = membership.since(store);
            format!("{} {} {since}", member.name(store), team.name(store))
        });
        let all: Vec<String> = all.collect();
        assert_eq!(all, ["ada road 2019", "ada track 2021", "eve track 2026"]);
    }
}
