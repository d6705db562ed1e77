//! Random schemas: each item has any fields and any indexes, so most of the schemas are not valid.

use crate::*;

/// A generator of random numbers (Marsaglia's xorshift) that returns the same numbers in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }

    pub(super) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| one(self)).collect()
    }

    fn option<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.is().then(|| one(self))
    }

    fn name(&mut self) -> String {
        self.of(&["a", "b", "Größe", "quo\"te", "new\nline", "𝄞", ""])
            .to_owned()
    }

    /// A few former names.
    fn names(&mut self) -> Vec<String> {
        match self.below(3) {
            0 => self.list(Self::name),
            _ => Vec::new(),
        }
    }

    fn ix<T: From<u16>>(&mut self) -> T {
        let n = self.of(&[0, 1, 23, 24, 255, 256, u16::MAX]);
        T::from(n)
    }

    fn state(&mut self) -> StateIx {
        StateIx::new(self.of(&[0, 1, 24, 255]))
    }

    fn raw(&mut self) -> Raw {
        let items: [&[u8]; 9] = [
            b"\x05",
            b"\x38\x63",
            b"\x61x",
            b"\x82\x01\xf6",
            b"\xa1\x61a\x02",
            b"\xf9\x3c\x00",
            b"\xc1\x00",
            b"\x42\x01\x02",
            b"\xa1\x65$cbor\x6205",
        ];
        Raw::from_cbor(self.of(&items)).expect("an item")
    }

    pub(super) fn unknown(&mut self) -> Unknown {
        let mut unknown = Unknown::default();
        if self.below(4) == 0 {
            unknown.insert("later", self.raw());
            unknown.insert("$cbor", self.raw());
        }
        unknown
    }

    fn encoding(&mut self) -> Encoding {
        match self.below(6) {
            0 => Encoding::Id(self.ix()),
            1 => Encoding::Key(self.ix()),
            2 => Encoding::Option(Box::new(self.encoding())),
            3 => Encoding::List(Box::new(self.encoding())),
            _ => self.of(&[
                Encoding::Serde,
                Encoding::U64,
                Encoding::Text,
                Encoding::Timestamp,
            ]),
        }
    }

    fn count(&mut self) -> Cardinality {
        self.of(&[Cardinality::One, Cardinality::Option, Cardinality::Many])
    }

    fn end(&mut self) -> EndDef {
        EndDef {
            entity: self.ix(),
            name: self.name(),
            cardinality: self.count(),
            min: self.below(1 << 32) as u32,
            max: self.option(|r| r.below(9) as u32),
            on_delete: self.of(&[OnDelete::Unlink, OnDelete::Restrict, OnDelete::Cascade]),
            counted: self.is(),
            renamed: self.names(),
            unknown: self.unknown(),
        }
    }

    fn hop(&mut self) -> Hop {
        Hop {
            edge: self.ix(),
            forward: self.is(),
        }
    }

    fn path(&mut self) -> Path {
        Path {
            root: self.ix(),
            hops: self.list(Self::hop),
        }
    }

    fn comparison(&mut self) -> Comparison {
        self.of(&[
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
        ])
    }

    fn order(&mut self) -> SortBy {
        SortBy {
            column: self.ix(),
            descending: self.is(),
            function: self.ix(),
        }
    }

    fn source(&mut self) -> Source {
        match self.below(6) {
            4 => Source::Calculated {
                operator: self.of(&[Arithmetic::Add, Arithmetic::Subtract]),
                left: Box::new(self.source()),
                right: Box::new(self.source()),
                function: self.ix(),
            },
            0 => Source::Field(self.ix()),
            1 => Source::Meta(self.of(&[
                MetaField::Actor,
                MetaField::Correlation,
                MetaField::Causation,
            ])),
            2 => Source::Literal {
                index: self.ix(),
                text: self.name(),
            },
            3 => Source::Entity {
                name: self.ix(),
                column: self.ix(),
            },
            _ => Source::Time,
        }
    }

    fn assign(&mut self) -> Assign {
        Assign {
            column: self.ix(),
            source: self.source(),
        }
    }

    fn arc(&mut self) -> Arc {
        let (path, with, hop) = (self.path(), self.path(), self.hop());
        match self.below(13) {
            0 => Arc::Create {
                name: self.ix(),
                state: self.state(),
                values: self.list(Self::assign),
            },
            1 => Arc::Move {
                scope: self.of(&[Scope::Each, Scope::Those]),
                path,
                from: self.list(Self::state),
                to: self.state(),
                data: self.list(Self::assign),
            },
            2 => Arc::Link {
                path,
                hop,
                with,
                data: self.option(Self::source),
            },
            3 => Arc::Unlink { path, hop, with },
            4 => Arc::Relink {
                path,
                hop,
                with,
                data: self.option(Self::source),
            },
            5 => Arc::Set {
                path,
                value: self.assign(),
            },
            6 => Arc::SetLink {
                path,
                hop,
                with,
                data: self.source(),
            },
            7 => Arc::Delete { path },
            8 => Arc::When {
                quantifier: self.of(&[Quantifier::All, Quantifier::Any, Quantifier::None]),
                path,
                states: self.list(Self::state),
            },
            9 => Arc::Count {
                path,
                states: self.list(Self::state),
                comparison: self.comparison(),
                with: self.source(),
                function: self.ix(),
            },
            10 => Arc::Compare {
                left: self.source(),
                comparison: self.comparison(),
                right: self.source(),
                function: self.ix(),
            },
            11 => Arc::Choose {
                name: self.ix(),
                from: match self.is() {
                    true => ChooseFrom::Place,
                    false => ChooseFrom::Path(path),
                },
                states: self.list(Self::state),
                conditions: self.list(|r| ChooseWhere {
                    column: r.ix(),
                    comparison: r.comparison(),
                    with: r.source(),
                    function: r.ix(),
                }),
                order: self.list(Self::order),
                take: match self.below(3) {
                    0 => Take::One,
                    1 => Take::Exactly {
                        number: self.source(),
                        function: self.ix(),
                    },
                    _ => Take::UpTo {
                        number: self.source(),
                        function: self.ix(),
                    },
                },
            },
            _ => Arc::Unknown(Raw::from_cbor(b"\xa1\x65Sleep\x05").expect("an item")),
        }
    }

    fn may(&mut self) -> May {
        match self.below(10) {
            0 => May::Create(self.ix()),
            1 => May::Ensure(self.ix()),
            2 => May::Move {
                entity: self.ix(),
                from: self.state(),
                to: self.state(),
            },
            3 => May::Link(self.ix()),
            4 => May::Unlink(self.ix()),
            5 => May::Relink(self.ix()),
            6 => May::Set(self.ix()),
            7 => May::SetLink(self.ix()),
            8 => May::Delete(self.ix()),
            _ => May::Unknown(Raw::from_cbor(b"\x65Sleep").expect("an item")),
        }
    }

    fn by(&mut self) -> BindBy {
        match self.below(4) {
            0 => BindBy::Token(self.state()),
            _ => self.of(&[
                BindBy::Handle,
                BindBy::Key,
                BindBy::Ensure,
                BindBy::Created,
                BindBy::Chosen,
            ]),
        }
    }

    pub(super) fn event(&mut self) -> EventDef {
        EventDef {
            name: self.name(),
            immediate: self.is(),
            fields: self.list(|r| EventFieldDef {
                name: r.name(),
                ty: r.name(),
                encoding: r.option(Self::encoding),
                default: r.option(Self::name),
                renamed: r.names(),
                unknown: r.unknown(),
            }),
            names: self.list(|r| NameDef {
                name: r.name(),
                entity: r.ix(),
                count: r.count(),
                by: r.by(),
                unknown: r.unknown(),
            }),
            arcs: self.list(Self::arc),
            mays: self.list(Self::may),
            guards: self.list(Self::name),
            order: self.option(Self::order),
            due: self.option(|r| DueDef {
                name: r.ix(),
                column: r.ix(),
                unknown: r.unknown(),
            }),
            renamed: self.names(),
            upcasts: self.names(),
            unknown: self.unknown(),
        }
    }

    fn entity(&mut self) -> EntityDef {
        EntityDef {
            name: self.name(),
            states: self.list(|r| StateDef {
                name: r.name(),
                terminal: r.is(),
                to: r.list(|r| TransitionDef {
                    to: r.state(),
                    verb: r.name(),
                    unknown: r.unknown(),
                }),
                renamed: r.names(),
                unknown: r.unknown(),
            }),
            initial: self.state(),
            renamed: self.names(),
            unknown: self.unknown(),
        }
    }

    pub(super) fn column(&mut self) -> ColumnDef {
        ColumnDef {
            entity: self.ix(),
            state: self.option(Self::state),
            name: self.name(),
            ty: self.name(),
            encoding: self.option(Self::encoding),
            key: self.is(),
            index: self.option(|r| r.of(&[IndexKind::Equal, IndexKind::Ordered])),
            default: self.option(Self::name),
            renamed: self.names(),
            unknown: self.unknown(),
        }
    }

    pub(super) fn schema(&mut self) -> Schema {
        Schema {
            name: self.name(),
            entities: self.list(Self::entity),
            columns: self.list(Self::column),
            edges: self.list(|r| EdgeDef {
                from: r.end(),
                to: r.end(),
                data: r.option(Self::name),
                encoding: r.option(Self::encoding),
                default: r.option(Self::name),
                acyclic: r.is(),
                unknown: r.unknown(),
            }),
            events: self.list(Self::event),
            invariants: self.list(|r| InvariantDef {
                name: r.name(),
                entity: r.ix(),
                via: r.list(Self::hop),
                check: r.name(),
                renamed: r.names(),
                unknown: r.unknown(),
            }),
            indexes: self.list(|r| IndexDef {
                name: r.name(),
                entity: r.ix(),
                kind: r.of(&[IndexKind::Equal, IndexKind::Ordered]),
                parts: r.list(|r| match r.is() {
                    true => IndexPart::Column(r.ix()),
                    false => IndexPart::End(r.hop()),
                }),
                states: r.list(Self::state),
                unknown: r.unknown(),
            }),
            unknown: self.unknown(),
        }
    }
}
