//! The methods of everything that has [`Domains`](super::Domains), written once. A type calls the macro in an `impl` for a model `M`,
//! and has a method `domains_mut`.

macro_rules! domain_methods {
    () => {
        /// Sets how many entities of a type may exist at the same time.
        pub fn entities<T: $crate::db::entity::Entity<Model = M>>(mut self, max: usize) -> Self {
            self.domains_mut().entities.insert(T::INDEX, max);
            self
        }

        /// Sets the keys that entities of a type can have, for fields of events that name entities by a key. Without this call, these
        /// are `"a"`, `"b"` and so on for texts and 1, 2 and so on for integers, as many as there may be
        /// [entities](Self::entities), and of those that no entity has, only the next one is tried, or the next ones if several fields of
        /// an event can give one. The keys of this call are all tried, because a guard or handler may tell them apart.
        ///
        /// A key may be given as any type that serializes like it, such as `&str` for `String`.
        pub fn keys<
            T: $crate::db::entity::Keyed<Model = M>,
            I: IntoIterator<Item: serde::Serialize>,
        >(
            mut self,
            keys: I,
        ) -> Self {
            let keys = $crate::check::values::encoded(keys);
            self.domains_mut().keys.insert(T::INDEX, keys);
            self
        }

        /// Sets the values that are tried for a field of an event. They may be given as any type that serializes like that of the
        /// field, such as `&str` for `String`: `.values::<Bought, _>("room", ["hall", "attic"])`.
        pub fn values<
            E: $crate::step::event::Event<Model = M>,
            I: IntoIterator<Item: serde::Serialize>,
        >(
            mut self,
            field: &str,
            values: I,
        ) -> Self {
            let values = $crate::check::values::encoded(values);
            (self.domains_mut().values).push((E::NAME, field.to_owned(), values));
            self
        }

        /// Replaces the bindings that are tried for an event by those that a function returns for a state. Use it if the fields of
        /// the event depend on each other, or if there would be too many bindings.
        pub fn bindings<E: $crate::step::event::Event<Model = M>>(
            mut self,
            bindings: impl Fn(&$crate::store::Store<M>) -> Vec<E> + Send + Sync + 'static,
        ) -> Self
        where
            M::Event: From<E>,
        {
            let any: $crate::check::given::Binder<M> = std::sync::Arc::new(move |store| {
                let events = bindings(store).into_iter();
                events.map(M::Event::from).collect()
            });
            self.domains_mut().bindings.push((E::NAME, any));
            self
        }

        /// Sets the time of the first transaction, which is also the value of fields of type `Timestamp`. A checker gives it to all
        /// transactions. Default: 1970-01-01T00:00:00Z.
        pub fn time(mut self, time: $crate::base::time::Timestamp) -> Self {
            self.domains_mut().time = Some(time);
            self
        }

        /// Sets a function that steps an empty store to the first state.
        pub fn start(
            mut self,
            start: impl Fn(&mut $crate::store::Store<M>) + Send + Sync + 'static,
        ) -> Self {
            self.domains_mut().start = Some(std::sync::Arc::new(start));
            self
        }

        /// Adds everything that some [`Domains`](crate::check::Domains) have. They replace what was given before for the same
        /// entity type, field or event.
        pub fn within(mut self, domains: $crate::check::Domains<M>) -> Self {
            self.domains_mut().extend(domains);
            self
        }
    };
}

#[cfg(feature = "simulate")]
pub(crate) use domain_methods;
