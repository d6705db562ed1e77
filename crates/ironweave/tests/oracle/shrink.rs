//! Makes a history that fails smaller, as long as it fails in the same manner: first its steps, then its model.

use std::time::{Duration, Instant};

use ironweave::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, OnDelete};

use crate::driver::{Failure, run};
use crate::handler;
use crate::history::{Case, End, Op, Step};
use crate::model::Field;
use crate::prune;

/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(40);

/// The smallest case that was found, and how it fails.
pub fn shrink(case: Case, failure: Failure) -> (Case, Failure) {
    let mut shrinker = Shrinker {
        case,
        failure,
        began: Instant::now(),
    };
    let keep = shrinker.failure.step + 1;
    shrinker.attempt(|case| case.steps.truncate(keep));
    shrinker.attempt(|case| case.files = false);
    shrinker.attempt(|case| case.paranoid = false);
    shrinker.attempt(|case| case.interpreted = true);
    while shrinker.round() {}
    (shrinker.case, shrinker.failure)
}

/// Whether two failures are of one kind, and of one expectation where that is an outcome.
fn alike(a: &Failure, b: &Failure) -> bool {
    let expected = |f: &Failure| f.text.rsplit("expected ").next().map(str::to_owned);
    a.kind == b.kind && (a.kind != "outcome" || expected(a) == expected(b))
}

struct Shrinker {
    case: Case,
    failure: Failure,
    began: Instant,
}

impl Shrinker {
    /// Whether an edit leaves the failure as it is; it is kept then.
    fn attempt(&mut self, edit: impl FnOnce(&mut Case)) -> bool {
        self.attempt_maybe(|case| {
            edit(case);
            true
        })
    }

    fn attempt_maybe(&mut self, edit: impl FnOnce(&mut Case) -> bool) -> bool {
        if self.began.elapsed() > PATIENCE {
            return false;
        }
        let mut case = self.case.clone();
        if !edit(&mut case) || case == self.case {
            return false;
        }
        match run(&case) {
            Err(failure) if alike(&failure, &self.failure) => {
                (self.case, self.failure) = (case, failure);
                true
            }
            _ => false,
        }
    }

    /// Tries everything once; whether anything could go.
    fn round(&mut self) -> bool {
        let any = self.steps() | self.ops();
        any | self.events() | self.shape() | self.options()
    }

    fn steps(&mut self) -> bool {
        let mut any = false;
        let mut size = self.case.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = self.case.steps.len();
            while at > 0 {
                let from = at.saturating_sub(size);
                any |= self.attempt(|case| drop(case.steps.drain(from..at)));
                at = from.min(self.case.steps.len());
            }
            size /= 2;
        }
        any
    }

    fn ops(&mut self) -> bool {
        let mut any = false;
        for step in (0..self.case.steps.len()).rev() {
            let Step::Tx(ops, _) = &self.case.steps[step] else {
                continue;
            };
            for op in (0..ops.len()).rev() {
                any |= self.attempt(|case| {
                    if let Step::Tx(ops, _) = &mut case.steps[step] {
                        ops.remove(op);
                    }
                });
            }
            any |= self.attempt(|case| {
                if let Step::Tx(_, end) = &mut case.steps[step] {
                    *end = End::Commit;
                }
            });
            any |= self.fields(step);
        }
        any
    }

    /// Fewer entities in the fields of the events of a step.
    fn fields(&mut self, step: usize) -> bool {
        let mut any = false;
        let Step::Tx(ops, _) = self.case.steps[step].clone() else {
            return false;
        };
        for (o, op) in ops.iter().enumerate() {
            let Op::Fire(fire) = op else { continue };
            for (f, field) in fire.fields.iter().enumerate() {
                let of = |case: &mut Case| -> Option<Field> {
                    let Step::Tx(ops, _) = &case.steps[step] else {
                        return None;
                    };
                    let Op::Fire(fire) = &ops[o] else { return None };
                    fire.fields.get(f).cloned()
                };
                let put = |case: &mut Case, new: Field| {
                    if let Step::Tx(ops, _) = &mut case.steps[step]
                        && let Op::Fire(fire) = &mut ops[o]
                    {
                        fire.fields[f] = new;
                    }
                };
                match field {
                    Field::Option(Some(_)) => {
                        any |= self.attempt(|case| put(case, Field::Option(None)));
                    }
                    Field::Many(all) => {
                        for i in (0..all.len()).rev() {
                            any |= self.attempt(|case| {
                                if let Some(Field::Many(mut all)) = of(case) {
                                    all.remove(i);
                                    put(case, Field::Many(all));
                                }
                            });
                        }
                    }
                    Field::One(_) | Field::Value(_) | Field::Option(None) => {}
                }
            }
        }
        any
    }

    fn events(&mut self) -> bool {
        let mut any = false;
        for event in (0..self.case.schema.events.len()).rev() {
            if self.attempt(|case| prune::event(case, event)) {
                any = true;
                continue;
            }
            let arcs = self.case.schema.events[event].arcs.len();
            for arc in (0..arcs).rev() {
                any |= self.attempt_maybe(|case| prune::arc(case, event, arc));
            }
            any |= self.attempt(|case| case.schema.events[event].guards.clear());
            let names = self.case.schema.events[event].names.len();
            for name in (0..names).rev() {
                any |= self.attempt_maybe(|case| prune::name(case, event, name));
            }
            let fields = self.case.schema.events[event].fields.len();
            for field in (0..fields).rev() {
                any |= self.attempt_maybe(|case| prune::field(case, event, field));
            }
        }
        any
    }

    fn shape(&mut self) -> bool {
        let mut any = false;
        for i in (0..self.case.schema.invariants.len()).rev() {
            any |= self.attempt(|case| drop(case.schema.invariants.remove(i)));
        }
        for i in (0..self.case.schema.indexes.len()).rev() {
            any |= self.attempt(|case| drop(case.schema.indexes.remove(i)));
            any |= self.attempt_maybe(|case| {
                let index = case.schema.indexes.get_mut(i);
                index.is_some_and(|index| !std::mem::take(&mut index.states).is_empty())
            });
        }
        for event in 0..self.case.schema.events.len() {
            any |= self.attempt(|case| case.schema.events[event].due = None);
            any |= self.attempt(|case| prune::order(case, event));
            any |= self.attempt(|case| handler::remove_script(&mut case.schema.events[event]));
        }
        for edge in (0..self.case.schema.edges.len()).rev() {
            any |= self.attempt(|case| prune::edge(case, EdgeIx::new(edge as u16)));
        }
        for column in (0..self.case.schema.columns.len()).rev() {
            any |= self.attempt_maybe(|case| prune::column(case, ColumnIx::new(column as u16)));
        }
        for entity in (0..self.case.schema.entities.len()).rev() {
            any |= self.attempt_maybe(|case| prune::entity(case, EntityIx::new(entity as u16)));
        }
        any
    }

    /// What ends of edges and columns need not say.
    fn options(&mut self) -> bool {
        let mut any = false;
        for edge in 0..self.case.schema.edges.len() {
            any |= self.attempt(|case| case.schema.edges[edge].acyclic = false);
            any |= self.attempt(|case| prune::data(case, EdgeIx::new(edge as u16)));
            for forward in [true, false] {
                let mut end = |change: fn(&mut ironweave::schema::EndDef)| {
                    any |= self.attempt(|case| {
                        let edge = &mut case.schema.edges[edge];
                        change(if forward {
                            &mut edge.from
                        } else {
                            &mut edge.to
                        });
                    });
                };
                end(|end| end.counted = false);
                end(|end| end.on_delete = OnDelete::Unlink);
                end(|end| (end.cardinality, end.min, end.max) = (Cardinality::Many, 0, None));
            }
        }
        for column in 0..self.case.schema.columns.len() {
            any |= self.attempt(|case| case.schema.columns[column].index = None);
        }
        any
    }
}
