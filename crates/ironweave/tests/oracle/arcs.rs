//! Random arcs of an event that is being made, and the paths that they start from.

use ironweave::schema::{
    Arc, Assign, BindBy, Cardinality, Comparison, EntityIx, FunctionIx, Hop, NameIx, Path,
    Quantifier, Scope, Source, StateIx,
};

use crate::events::{Draft, bare};
use crate::rng::Rng;
use crate::schemas::hops;
use crate::sources::literal;
use crate::values::{Ty, column_ty, ty};
use crate::world::{columns, ends, far};

pub const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

impl Draft<'_> {
    pub fn link(&mut self, rng: &mut Rng, path: Path, hop: Hop, with: Path) {
        if rng.chance(45) {
            return self.relink(rng, path, hop, with);
        }
        let data = self.link_data(rng, hop);
        self.arcs.push(Arc::Link {
            path,
            hop,
            with,
            data,
        });
    }

    pub fn relink(&mut self, rng: &mut Rng, path: Path, hop: Hop, with: Path) {
        let data = self.link_data(rng, hop);
        self.arcs.push(Arc::Relink {
            path,
            hop,
            with,
            data,
        });
    }

    /// The data of a link, if the edge has some.
    fn link_data(&mut self, rng: &mut Rng, hop: Hop) -> Option<Source> {
        let of = self.schema.edges[usize::from(hop.edge)].data.clone()?;
        Some(self.source(rng, ty(&of)))
    }

    pub fn entity(&self, path: &Path) -> EntityIx {
        let root = self.name_of(path.root).entity;
        path.hops.last().map_or(root, |hop| far(self.schema, *hop))
    }

    /// A path from a name over some edges.
    pub fn path(&mut self, rng: &mut Rng, hops_max: usize) -> Option<Path> {
        let roots = self.roots();
        let root = match rng.pick(&roots) {
            Some(root) if self.closed || rng.chance(60) => *root,
            _ => {
                let entity = EntityIx::new(rng.below(self.schema.entities.len()) as u16);
                self.root(rng, entity)?
            }
        };
        let mut path = bare(root);
        for _ in 0..rng.below(hops_max + 1) {
            path.hops
                .extend(rng.pick(&hops(self.schema, self.entity(&path))).copied());
        }
        Some(path)
    }

    pub fn is_one(&self, path: &Path) -> bool {
        let to_one = path.hops.iter().all(|hop| self.leads_to_one(hop));
        self.name_of(path.root).count != Cardinality::Many && to_one
    }

    /// Whether an immediate event is woken by what a path reaches: over one edge, or over two of which the first leads to at
    /// most one entity.
    fn is_watched(&self, path: &Path) -> bool {
        match path.hops.as_slice() {
            [] => true,
            // What happens to the neighbours of another entity wakes nothing.
            _ if path.root != NameIx::default() => false,
            [_] => true,
            [first, _] => self.leads_to_one(first),
            _ => false,
        }
    }

    pub fn leads_to_one(&self, hop: &Hop) -> bool {
        let edge = &self.schema.edges[usize::from(hop.edge)];
        ends(edge, hop.forward).0.cardinality != Cardinality::Many
    }

    /// A path from a name of an immediate event, over one edge or two.
    pub fn watched_path(&self, rng: &mut Rng, root: NameIx) -> Option<Path> {
        let mut path = bare(root);
        let mut firsts = hops(self.schema, self.entity(&path));
        firsts.retain(|hop| self.leads_to_one(hop));
        if rng.chance(35) {
            path.hops.extend(rng.pick(&firsts));
        }
        let last = hops(self.schema, self.entity(&path));
        path.hops.push(*rng.pick(&last)?);
        Some(path)
    }

    /// A condition of an immediate event.
    pub fn watches(&mut self, rng: &mut Rng) -> Option<()> {
        if rng.chance(15) {
            self.when(rng, bare(NameIx::default()));
            return Some(());
        }
        if rng.chance(25) {
            return self.compares(rng, None);
        }
        let path = self.watched_path(rng, NameIx::default())?;
        if rng.chance(55) {
            self.when(rng, path);
            return Some(());
        }
        self.compares(rng, Some(path))
    }

    pub fn moves(&mut self, rng: &mut Rng, path: Path, scope: Scope, onwards: bool) -> Option<()> {
        let entity = self.entity(&path);
        let states = &self.schema.entities[usize::from(entity)].states;
        let mut ways: Vec<(StateIx, Vec<StateIx>)> = Vec::new();
        for to in StateIx::all(states.len()) {
            let leads = |from: &StateIx| {
                let mut there = states[usize::from(*from)].to.iter();
                there.any(|t| t.to == to) && !(onwards && *from >= to)
            };
            let mut from: Vec<StateIx> = StateIx::all(states.len()).filter(leads).collect();
            if let (BindBy::Token(token), [], true) = (
                self.name_of(path.root).by,
                path.hops.as_slice(),
                scope == Scope::Each,
            ) {
                // Another source would always reject.
                from.retain(|f| *f == token);
            }
            if !from.is_empty() {
                ways.push((to, from));
            }
        }
        // A move of what is chosen moves it from each state that it may be chosen in.
        let chosen = match scope {
            Scope::Each => self.chosen_in(&path),
            _ => Vec::new(),
        };
        ways.retain(|(_, from)| chosen.iter().all(|state| from.contains(state)));
        let (to, from) = rng.pick(&ways)?.clone();
        let from = rng.some(&from, 70);
        let from: Vec<StateIx> = StateIx::all(states.len())
            .filter(|state| from.contains(state) || chosen.contains(state))
            .collect();
        let twice = |arc: &Arc| match arc {
            Arc::Move {
                path: p,
                scope: s,
                from: f,
                ..
            } => {
                let apart = scope == Scope::Those
                    && *s == Scope::Those
                    && f.iter().all(|state| !from.contains(state));
                *p == path && !apart
            }
            Arc::Delete { path: p } => *p == path,
            _ => false,
        };
        if self.arcs.iter().any(twice) {
            return None;
        }
        self.move_from(rng, path, scope, from, to);
        Some(())
    }

    pub fn move_from(
        &mut self,
        rng: &mut Rng,
        path: Path,
        scope: Scope,
        from: Vec<StateIx>,
        to: StateIx,
    ) {
        let data = columns(self.schema, self.entity(&path), Some(to));
        let data = self.assigns(rng, &data);
        self.arcs.push(Arc::Move {
            scope,
            path,
            from,
            to,
            data,
        });
    }

    pub fn when(&mut self, rng: &mut Rng, path: Path) {
        let states = self.schema.entities[usize::from(self.entity(&path))]
            .states
            .len();
        let states = rng.some(&StateIx::all(states).collect::<Vec<_>>(), 40);
        let quantifier = match rng.below(5) {
            0..=1 => Quantifier::All,
            2 => Quantifier::Any,
            _ => Quantifier::None,
        };
        self.arcs.push(Arc::When {
            quantifier,
            path,
            states,
        });
    }

    /// A condition on values, or on the number of entities that a path reaches.
    pub fn compares(&mut self, rng: &mut Rng, counted: Option<Path>) -> Option<()> {
        let comparison = *rng.pick(&COMPARISONS)?;
        let function = FunctionIx::default();
        if let Some(path) = counted {
            let states = self.schema.entities[usize::from(self.entity(&path))]
                .states
                .len();
            let states = StateIx::all(states).collect::<Vec<_>>();
            let states = if rng.chance(30) {
                Vec::new()
            } else {
                rng.some(&states, 40)
            };
            let with = if rng.chance(70) {
                literal(rng, Ty::U)
            } else {
                self.value(rng, Ty::U, self.comparing(), 1)
            };
            self.arcs.push(Arc::Count {
                path,
                states,
                comparison,
                with,
                function,
            });
            return Some(());
        }
        let ty = *rng.pick(&[Ty::U, Ty::U, Ty::U, Ty::S, Ty::O, Ty::T, Ty::M, Ty::D])?;
        let (left, right) = self.compared(rng, ty)?;
        self.arcs.push(Arc::Compare {
            left,
            comparison,
            right,
            function,
        });
        Some(())
    }

    pub fn any_arc(&mut self, rng: &mut Rng) -> Option<()> {
        match rng.below(100) {
            0..=29 => {
                let far = if rng.chance(20) { 3 } else { 1 };
                let path = self.path(rng, far)?;
                let many = !self.is_one(&path);
                let unseen = self.immediate && !self.is_watched(&path);
                let those = (many && rng.chance(60)) || rng.chance(10) || unseen;
                self.moves(
                    rng,
                    path,
                    if those { Scope::Those } else { Scope::Each },
                    false,
                )?;
            }
            30..=61 => {
                let path = self.path(rng, 1)?;
                let hop = *rng.pick(&hops(self.schema, self.entity(&path)))?;
                let there = far(self.schema, hop);
                let mut with = bare(self.root(rng, there)?);
                if rng.chance(35) {
                    // What it is linked with already, by this edge or another.
                    let over = rng.pick(&hops(self.schema, self.entity(&path))).copied()?;
                    if far(self.schema, over) == there {
                        with = path.clone();
                        with.hops.push(if rng.chance(60) { hop } else { over });
                    }
                }
                let data = self.schema.edges[usize::from(hop.edge)].data.clone();
                match (rng.below(10), data) {
                    (0..=3, _) => self.arcs.push(Arc::Unlink { path, hop, with }),
                    (4..=5, Some(of)) => {
                        let data = self.source(rng, ty(&of));
                        self.arcs.push(Arc::SetLink {
                            path,
                            hop,
                            with,
                            data,
                        });
                    }
                    _ => self.link(rng, path, hop, with),
                }
            }
            62..=74 => {
                let path = self.path(rng, 2)?;
                let entity = self.entity(&path);
                let mut to = columns(self.schema, entity, None);
                to.retain(|c| !self.schema.columns[usize::from(*c)].key);
                let states = self.schema.entities[usize::from(entity)].states.len();
                if rng.chance(25) {
                    to = columns(
                        self.schema,
                        entity,
                        Some(StateIx::new(rng.below(states) as u8)),
                    );
                }
                let column = *rng.pick(&to)?;
                let twice = |arc: &Arc| matches!(arc, Arc::Set { path: p, value } if *p == path && value.column == column);
                if self.arcs.iter().any(twice) {
                    return None;
                }
                let source = self.source(rng, column_ty(self.schema, column));
                self.arcs.push(Arc::Set {
                    path,
                    value: Assign { column, source },
                });
            }
            75..=83 => {
                let path = self.path(rng, 2)?;
                if self.immediate {
                    return None;
                }
                match rng.below(10) {
                    0..=3 => self.when(rng, path),
                    4..=6 => self.compares(rng, Some(path))?,
                    _ => self.compares(rng, None)?,
                }
            }
            _ => {
                let far = if rng.chance(20) { 2 } else { 1 };
                let path = self.path(rng, far)?;
                let moved = |arc: &Arc| matches!(arc, Arc::Move { path: p, .. } if *p == path);
                if self.arcs.iter().any(moved) {
                    return None;
                }
                self.arcs.push(Arc::Delete { path });
            }
        }
        Some(())
    }
}
