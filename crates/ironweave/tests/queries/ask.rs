//! Random filters, each with the same condition as plain code over rows.

use std::ops::Bound;
use std::rc::Rc;

use ironweave::Filter;

use super::hospital::state::*;
use super::hospital::*;
use crate::harness::random::Random;
use crate::world::{BedIs, NAMES, World, age, colour, weight};

/// A condition on a row.
type Holds = dyn Fn(&World, usize) -> bool;

/// A filter, and the condition on a row.
#[derive(Clone)]
pub struct Ask<T> {
    pub filter: Filter<T>,
    pub holds: Rc<Holds>,
    pub text: String,
}

fn ask<T>(
    text: impl Into<String>,
    filter: Filter<T>,
    holds: impl Fn(&World, usize) -> bool + 'static,
) -> Ask<T> {
    Ask {
        filter,
        holds: Rc::new(holds),
        text: text.into(),
    }
}

/// A type of which filters can be drawn: conditions without parts, and conditions across edges.
pub trait Asked: crate::world::Rows {
    fn leaf(rng: &mut Random, world: &World) -> Ask<Self>;
    fn across(rng: &mut Random, world: &World, depth: usize) -> Ask<Self>;
}

pub fn draw<T: Asked>(rng: &mut Random, world: &World, depth: usize) -> Ask<T> {
    if depth == 0 {
        return T::leaf(rng, world);
    }
    match rng.below(8) {
        0 => T::leaf(rng, world),
        1..=3 => T::across(rng, world, depth - 1),
        4 | 5 => {
            let (a, b) = (
                draw::<T>(rng, world, depth - 1),
                draw::<T>(rng, world, depth - 1),
            );
            let text = format!("({} & {})", a.text, b.text);
            ask(text, a.filter & b.filter, move |w, i| {
                (a.holds)(w, i) && (b.holds)(w, i)
            })
        }
        6 => {
            let (a, b) = (
                draw::<T>(rng, world, depth - 1),
                draw::<T>(rng, world, depth - 1),
            );
            let text = format!("({} | {})", a.text, b.text);
            ask(text, a.filter | b.filter, move |w, i| {
                (a.holds)(w, i) || (b.holds)(w, i)
            })
        }
        _ => {
            let a = draw::<T>(rng, world, depth - 1);
            ask(format!("!{}", a.text), !a.filter, move |w, i| {
                !(a.holds)(w, i)
            })
        }
    }
}

/// A condition on the rows that one is linked with: those of `linked`.
fn across<T, F: Asked>(
    rng: &mut Random,
    world: &World,
    depth: usize,
    name: &str,
    filters: [&dyn Fn(Filter<F>) -> Filter<T>; 3],
    linked: impl Fn(&World, usize) -> Vec<usize> + 'static,
) -> Ask<T> {
    let far = draw::<F>(rng, world, depth);
    let kind = rng.below(3);
    let word = ["any", "all", "none"][kind];
    let text = format!("{name}.{word}({})", far.text);
    ask(text, filters[kind](far.filter), move |w, i| {
        let mut count = 0;
        let links = linked(w, i);
        for other in &links {
            if (far.holds)(w, *other) {
                count += 1;
            }
        }
        match kind {
            0 => count > 0,
            1 => count == links.len(),
            _ => count == 0,
        }
    })
}

macro_rules! over {
    ($rng:expr, $world:expr, $depth:expr, $name:literal, $path:expr, $linked:expr) => {
        across(
            $rng,
            $world,
            $depth,
            $name,
            [&|f| $path.any(f), &|f| $path.all(f), &|f| $path.none(f)],
            $linked,
        )
    };
}

/// A random row, which may be dead.
fn any(rng: &mut Random, rows: usize) -> Option<usize> {
    (rows > 0).then(|| rng.below(rows))
}

/// Comparisons of a value, by methods of a path.
macro_rules! compared {
    ($rng:expr, $path:expr, $name:literal, $value:expr, $of:expr) => {{
        let (value, of) = ($value, $of);
        let (text, other) = (format!("{} ? {:?}", $name, value), $value);
        let bounds = (value.clone(), other.clone());
        let v = value.clone();
        match $rng.below(9) {
            0 => ask(format!("{text} =="), $path.eq(v), move |w, i| {
                of(w, i).is_some_and(|x| x == value)
            }),
            1 => ask(format!("{text} !="), $path.ne(v), move |w, i| {
                of(w, i).is_some_and(|x| x != value)
            }),
            2 => ask(format!("{text} <"), $path.lt(v), move |w, i| {
                of(w, i).is_some_and(|x| x < value)
            }),
            3 => ask(format!("{text} <="), $path.le(v), move |w, i| {
                of(w, i).is_some_and(|x| x <= value)
            }),
            4 => ask(format!("{text} >"), $path.gt(v), move |w, i| {
                of(w, i).is_some_and(|x| x > value)
            }),
            5 => ask(format!("{text} >="), $path.ge(v), move |w, i| {
                of(w, i).is_some_and(|x| x >= value)
            }),
            6 => ask(
                format!("{text} one of it and {other:?}"),
                $path.one_of([v, other.clone()]),
                move |w, i| of(w, i).is_some_and(|x| x == value || x == other),
            ),
            7 => ask(
                format!("{text} .. {other:?}"),
                $path.within(bounds.0..bounds.1),
                move |w, i| of(w, i).is_some_and(|x| x >= value && x < other),
            ),
            _ => ask(
                format!("{text} <..= {other:?}"),
                $path.within((Bound::Excluded(bounds.0), Bound::Included(bounds.1))),
                move |w, i| of(w, i).is_some_and(|x| x > value && x <= other),
            ),
        }
    }};
}

impl Asked for Ward {
    fn leaf(rng: &mut Random, world: &World) -> Ask<Self> {
        match rng.below(6) {
            0 => {
                let value = || 0u32;
                let (of, value) = (
                    |w: &World, i: usize| Some(w.wards[i].hospital),
                    value() + rng.below(4) as u32,
                );
                compared!(rng, Self::HOSPITAL, "hospital", value, of)
            }
            1 => {
                let name = NAMES[rng.below(4)].to_owned();
                compared!(
                    rng,
                    Self::NAME,
                    "name",
                    name.clone(),
                    |w: &World, i: usize| Some(w.wards[i].name.clone())
                )
            }
            2 => {
                // Both parts of the key.
                let (hospital, name) = (rng.below(3) as u32, NAMES[rng.below(4)]);
                let filter = Self::HOSPITAL.eq(hospital) & Self::NAME.eq(name);
                ask(format!("key {hospital} {name}"), filter, move |w, i| {
                    w.wards[i].hospital == hospital && w.wards[i].name == name
                })
            }
            3 => {
                compared!(
                    rng,
                    Self::RANK,
                    "rank",
                    rng.below(6) as i64 - 1,
                    |w: &World, i: usize| Some(w.wards[i].rank)
                )
            }
            4 => {
                let rows: Vec<usize> = (0..3).filter_map(|_| any(rng, world.wards.len())).collect();
                let filter = Filter::of(rows.iter().map(|row| world.wards[*row].ward));
                ask(format!("of {rows:?}"), filter, move |_, i| {
                    rows.contains(&i)
                })
            }
            _ => match any(rng, world.beds.len()) {
                Some(bed) => {
                    let filter = Self::BEDS.contains(world.beds[bed].bed);
                    ask(format!("beds contains {bed}"), filter, move |w, i| {
                        w.beds[bed].alive && w.beds[bed].ward == i
                    })
                }
                None => ask("no beds", Self::BEDS.is_empty(), |w, i| {
                    !w.beds.iter().any(|bed| bed.alive && bed.ward == i)
                }),
            },
        }
    }

    fn across(rng: &mut Random, world: &World, depth: usize) -> Ask<Self> {
        over!(rng, world, depth, "beds", Self::BEDS, |w, i| {
            (0..w.beds.len())
                .filter(|b| w.beds[*b].alive && w.beds[*b].ward == i)
                .collect()
        })
    }
}

fn patient_in(w: &World, bed: usize) -> Vec<usize> {
    (0..w.patients.len())
        .filter(|p| w.patients[*p].alive && w.patients[*p].bed == Some(bed))
        .collect()
}

/// Conditions on parts of an index of several parts.
fn by_parts(rng: &mut Random, world: &World) -> Ask<Bed> {
    let (from, ward) = (
        rng.below(300) as u64,
        any(rng, world.wards.len()).unwrap_or(0),
    );
    let Some(row) = world.wards.get(ward) else {
        return ask("new", Bed::NUMBER.ge(from), move |w, i| {
            w.beds[i].number >= from
        });
    };
    let of_ward = Bed::WARD.is(row.ward);
    match rng.below(3) {
        0 => {
            let filter = of_ward & Bed::in_place::<Free>() & Bed::NUMBER.ge(from);
            ask(
                format!("free in {ward} from {from}"),
                filter,
                move |w, i| {
                    let bed = &w.beds[i];
                    bed.state == BedIs::Free && bed.number >= from && bed.ward == ward
                },
            )
        }
        1 => {
            let since = from % 9;
            let filter = Bed::<Occupied>::SINCE.lt(since) & of_ward;
            ask(format!("in {ward} before {since}"), filter, move |w, i| {
                let is_before = matches!(w.beds[i].state, BedIs::Occupied(at) if at < since);
                is_before && w.beds[i].ward == ward
            })
        }
        _ => {
            let filter = of_ward & Bed::NUMBER.lt(from);
            ask(format!("in {ward} below {from}"), filter, move |w, i| {
                w.beds[i].number < from && w.beds[i].ward == ward
            })
        }
    }
}

impl Asked for Bed {
    fn leaf(rng: &mut Random, world: &World) -> Ask<Self> {
        if rng.chance(15) {
            return by_parts(rng, world);
        }
        match rng.below(11) {
            0 => ask("Free", Self::in_place::<Free>(), |w, i| {
                w.beds[i].state == BedIs::Free
            }),
            1 => ask(
                "Free | Broken",
                Self::in_place::<(Free, Broken)>(),
                |w, i| !matches!(w.beds[i].state, BedIs::Occupied(_)),
            ),
            2 => compared!(
                rng,
                Self::COLOUR,
                "colour",
                colour(rng),
                |w: &World, i: usize| Some(w.beds[i].colour.clone())
            ),
            3 => compared!(
                rng,
                Self::WEIGHT,
                "weight",
                weight(rng),
                |w: &World, i: usize| Some(w.beds[i].weight)
            ),
            4 => {
                let most = world.beds.last().map_or(1, |bed| bed.number as usize + 1);
                compared!(
                    rng,
                    Self::NUMBER,
                    "number",
                    rng.below(most) as u64,
                    |w: &World, i: usize| Some(w.beds[i].number)
                )
            }
            5 | 6 => compared!(
                rng,
                Bed::<Occupied>::SINCE,
                "since",
                rng.below(9) as u64,
                |w: &World, i: usize| {
                    match w.beds[i].state {
                        BedIs::Occupied(since) => Some(since),
                        _ => None,
                    }
                }
            ),
            7 => match any(rng, world.patients.len()) {
                Some(patient) => {
                    let filter = Self::PATIENT.is(world.patients[patient].patient);
                    ask(format!("patient is {patient}"), filter, move |w, i| {
                        w.patients[patient].alive && w.patients[patient].bed == Some(i)
                    })
                }
                None => ask(
                    "in a ward",
                    Self::WARD.any(Ward::in_place::<ironweave::Any>()),
                    |_, _| true,
                ),
            },
            8 => ask("no patient", Self::PATIENT.is_none(), |w, i| {
                patient_in(w, i).is_empty()
            }),
            9 => ask(
                "even number",
                Self::NUMBER.matches(|n| n % 2 == 0),
                |w, i| w.beds[i].number % 2 == 0,
            ),
            _ => match any(rng, world.wards.len()) {
                Some(ward) => ask(
                    format!("ward is {ward}"),
                    Self::WARD.is(world.wards[ward].ward),
                    move |w, i| w.beds[i].ward == ward,
                ),
                None => ask("a patient", Self::PATIENT.is_some(), |w, i| {
                    !patient_in(w, i).is_empty()
                }),
            },
        }
    }

    fn across(rng: &mut Random, world: &World, depth: usize) -> Ask<Self> {
        if rng.chance(50) {
            over!(rng, world, depth, "ward", Self::WARD, |w, i| vec![
                w.beds[i].ward
            ])
        } else {
            over!(rng, world, depth, "patient", Self::PATIENT, patient_in)
        }
    }
}

impl Asked for Patient {
    fn leaf(rng: &mut Random, world: &World) -> Ask<Self> {
        if rng.chance(15) {
            let (name, age) = (format!("p{}", rng.below(8)), age(rng));
            let filter = Self::NAME.eq(&name) & Self::AGE.ge(age);
            return ask(format!("{name} from {age:?}"), filter, move |w, i| {
                w.patients[i].name == name && w.patients[i].age >= age
            });
        }
        match rng.below(7) {
            0 => compared!(
                rng,
                Self::NAME,
                "name",
                format!("p{}", rng.below(8)),
                |w: &World, i: usize| Some(w.patients[i].name.clone())
            ),
            1 | 2 => compared!(rng, Self::AGE, "age", age(rng), |w: &World, i: usize| Some(
                w.patients[i].age
            )),
            3 => ask("a bed", Self::BED.is_some(), |w, i| {
                w.patients[i].bed.is_some()
            }),
            4 => match any(rng, world.beds.len()) {
                Some(bed) => ask(
                    format!("bed is {bed}"),
                    Self::BED.is(world.beds[bed].bed),
                    move |w, i| w.patients[i].bed == Some(bed),
                ),
                None => ask("no contacts", Self::CONTACTS.is_empty(), |w, i| {
                    w.met.iter().all(|(a, _)| *a != i)
                }),
            },
            5 => match any(rng, world.doctors.len()) {
                Some(doctor) => {
                    let filter = Self::DOCTORS.contains(world.doctors[doctor].doctor);
                    ask(format!("doctors contains {doctor}"), filter, move |w, i| {
                        w.treats.contains(&(i, doctor))
                    })
                }
                None => ask("no doctors", Self::DOCTORS.is_empty(), |w, i| {
                    w.treats.iter().all(|(p, _)| *p != i)
                }),
            },
            _ => match any(rng, world.patients.len()) {
                Some(other) => {
                    let filter = Self::CONTACT_OF.contains(world.patients[other].patient);
                    ask(format!("contact of {other}"), filter, move |w, i| {
                        w.met.contains(&(other, i))
                    })
                }
                None => ask("all", Self::in_place::<ironweave::Any>(), |_, _| true),
            },
        }
    }

    fn across(rng: &mut Random, world: &World, depth: usize) -> Ask<Self> {
        match rng.below(4) {
            0 => over!(rng, world, depth, "bed", Self::BED, |w, i| w.patients[i]
                .bed
                .into_iter()
                .collect()),
            1 => over!(rng, world, depth, "contacts", Self::CONTACTS, |w, i| {
                w.met
                    .iter()
                    .filter(|(a, _)| *a == i)
                    .map(|(_, b)| *b)
                    .collect()
            }),
            2 => over!(rng, world, depth, "contact_of", Self::CONTACT_OF, |w, i| {
                w.met
                    .iter()
                    .filter(|(_, b)| *b == i)
                    .map(|(a, _)| *a)
                    .collect()
            }),
            _ => over!(rng, world, depth, "doctors", Self::DOCTORS, |w, i| {
                w.treats
                    .iter()
                    .filter(|(p, _)| *p == i)
                    .map(|(_, d)| *d)
                    .collect()
            }),
        }
    }
}

impl Asked for Doctor {
    fn leaf(rng: &mut Random, world: &World) -> Ask<Self> {
        match any(rng, world.doctors.len()) {
            Some(doctor) if rng.chance(60) => {
                let name = world.doctors[doctor].name.clone();
                compared!(
                    rng,
                    Self::NAME,
                    "name",
                    name.clone(),
                    |w: &World, i: usize| Some(w.doctors[i].name.clone())
                )
            }
            _ => ask("no patients", Self::PATIENTS.is_empty(), |w, i| {
                w.treats.iter().all(|(_, d)| *d != i)
            }),
        }
    }

    fn across(rng: &mut Random, world: &World, depth: usize) -> Ask<Self> {
        over!(rng, world, depth, "patients", Self::PATIENTS, |w, i| {
            w.treats
                .iter()
                .filter(|(_, d)| *d == i)
                .map(|(p, _)| *p)
                .collect()
        })
    }
}
