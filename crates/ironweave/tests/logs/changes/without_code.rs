//! A change that is taken without code: other names of everything that has one, defaults, wider types, an `Option` around a
//! type, a looser edge, another key, and items that nothing uses any more. The facts of the new epoch are the defaults.

use ironweave::prelude::*;

use super::{Change, Done, fire};

#[ironweave::model]
pub mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: f32,
        pub floor: u8,
        pub note: String,
        pub unused: Option<String>,
        #[inverse(Patient::bed)]
        pub patients: Many<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Dirty)]
        Free,
        #[to(Free)]
        Dirty { since: u16 },
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        #[edge(data = f32)]
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(bed: Bed { number, weight, floor, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: f32,
        pub floor: u8,
        pub note: String,
    }

    #[event]
    #[link(patient.bed += bed { data = dose })]
    pub struct Admitted {
        pub patient: Ensure<Patient>,
        pub bed: Key<Bed>,
        pub dose: f32,
    }

    #[event]
    #[moves(bed: Free -> Dirty { since })]
    pub struct Left {
        pub bed: Key<Bed>,
        pub since: u16,
    }
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: f64,
        pub floor: Option<u16>,
        #[renamed(from = "note")]
        pub remark: String,
        #[default("plain")]
        pub kind: String,
        #[inverse(Guest::beds)]
        #[renamed(from = "patients")]
        pub guests: Many<Guest>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning)]
        Free,
        #[to(Free)]
        #[renamed(from = "Dirty")]
        Cleaning {
            #[renamed(from = "since")]
            begin: u32,
            #[default("the night shift")]
            by: String,
        },
    }

    #[entity]
    #[renamed(from = "Patient")]
    pub struct Guest {
        #[key]
        pub name: String,
        #[edge(data = f64)]
        #[renamed(from = "bed")]
        pub beds: Many<Bed>,
        pub phone: Option<String>,
    }

    #[event]
    #[create(bed: Bed { number, weight, floor, remark })]
    pub struct Bought {
        pub number: u32,
        pub weight: f64,
        pub floor: Option<u16>,
        #[renamed(from = "note")]
        pub remark: String,
    }

    #[event]
    #[renamed(from = "Admitted")]
    #[link(guest.beds += bed { data = dose })]
    pub struct CheckedIn {
        #[renamed(from = "patient")]
        pub guest: Ensure<Guest>,
        pub bed: Key<Bed>,
        pub dose: f64,
    }

    #[event]
    #[moves(bed: Free -> Cleaning { begin, by })]
    pub struct Left {
        pub bed: Key<Bed>,
        #[renamed(from = "since")]
        pub begin: u32,
        #[default("the night shift")]
        pub by: String,
    }
}

pub struct WithoutCode;

impl Change for WithoutCode {
    const NAME: &'static str = "without_code";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        use v1::*;
        let bought = [(1, 0.1, "by the door"), (2, 1.5e-42, ""), (3, -0.0, "ß")];
        for (second, (number, weight, note)) in (1..).zip(bought) {
            let (floor, note) = (250 - number as u8, note.into());
            let event = Bought {
                number,
                weight,
                floor,
                note,
            };
            fire(store, second, event)?;
        }
        let (patient, bed) = ("ada".into(), Key::new(2u32));
        let dose = 0.3;
        fire(store, 4, Admitted { patient, bed, dose })?;
        let bed = Key::new(3u32);
        fire(store, 5, Left { bed, since: 7 })
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        use v2::*;
        let (guest, bed) = ("ada".into(), Key::new(1u32));
        let dose = 0.3;
        fire(store, 60, CheckedIn { guest, bed, dose })?;
        let event = Left {
            bed: Key::new(1u32),
            begin: 70_000,
            by: "max".into(),
        };
        fire(store, 61, event)
    }

    fn assert_read(store: &Store<v2::Model>) {
        use v2::*;
        let bed = |number: u32| store.find::<Bed>(&number).expect("the bed");
        assert_eq!(bed(1).weight(store), f64::from(0.1_f32));
        assert!(bed(3).weight(store).is_sign_negative());
        assert_eq!(
            (bed(3).floor(store), bed(3).remark(store)),
            (&Some(247), "ß")
        );
        assert_eq!(bed(1).kind(store), "plain");
        let ada = store.find::<Guest>("ada").expect("the guest");
        let doses = ada.beds(store).map(|bed| ada.beds_data(store, &bed));
        assert_eq!(
            doses.collect::<Vec<_>>(),
            [Some(f64::from(0.3_f32)), Some(0.3)]
        );
        let cleaning = store.place::<Bed, state::Cleaning>();
        let cleaning = cleaning.map(|bed| (bed.begin(store), bed.by(store).to_owned()));
        let expected = [
            (70_000, "max".to_owned()),
            (7, "the night shift".to_owned()),
        ];
        assert_eq!(cleaning.collect::<Vec<_>>(), expected);
    }
}
