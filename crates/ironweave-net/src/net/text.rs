//! Parts of a net as text, in the syntax of the model.

use ironweave_schema::Path;

use super::{Action, Inscription, Net, PlaceIx, Tokens, Transition};

impl Net {
    /// Returns a path as it is written in the model: `run.builds`.
    ///
    /// # Panics
    /// If the path is not one of the net, as for the other functions of this kind.
    #[must_use]
    pub fn path_text(&self, transition: &Transition, path: &Path) -> String {
        let mut text = transition[path.root].name.clone();
        for hop in &path.hops {
            text.push('.');
            text.push_str(&self[hop.edge].near(*hop).name);
        }
        text
    }

    /// Returns tokens as text: `run.builds` for entities, `run.builds` or `run.builds, partitions` for links.
    #[must_use]
    pub fn tokens_text(&self, transition: &Transition, tokens: &Tokens) -> String {
        match tokens {
            Tokens::Entities(path) => self.path_text(transition, path),
            Tokens::Links { near, hop, far } => {
                let mut text = self.path_text(transition, near);
                text.push('.');
                text.push_str(&self[hop.edge].near(*hop).name);
                if let Some(far) = far {
                    text.push_str(", ");
                    text.push_str(&self.path_text(transition, far));
                }
                text
            }
        }
    }

    /// Returns the names of states of one entity type, without the type: `Idle | Building`.
    #[must_use]
    pub fn states_text(&self, places: &[PlaceIx]) -> String {
        let names: Vec<&str> = places.iter().map(|&p| self.state_name(p)).collect();
        names.join(" | ")
    }

    /// Returns the name of a state without its entity type, or that of an edge.
    #[must_use]
    pub fn state_name(&self, place: PlaceIx) -> &str {
        let name = &self[place].name;
        name.split_once("::").map_or(name, |(_, state)| state)
    }

    /// Returns an action as text: `Idle | Building -> Successful`, `create Want`, `link JobRun.builds`.
    #[must_use]
    pub fn action_text(&self, action: &Action) -> String {
        let name = |place: &PlaceIx| &self[*place].name;
        match action {
            Action::Create { to } => format!("create {}", name(to)),
            Action::Ensure { to } => format!("ensure {}", name(to)),
            Action::Move { from, to } => {
                format!("{} -> {}", self.states_text(from), self.state_name(*to))
            }
            Action::Delete { from } => {
                let entity = from.first().and_then(|place| self[*place].entity());
                let name = entity.map_or("", |entity| &self[entity].name);
                format!("delete {name}")
            }
            Action::Link { edge } => format!("link {}", name(edge)),
            Action::Relink { edge } => format!("relink {}", name(edge)),
            Action::Unlink { edge } => format!("unlink {}", name(edge)),
            Action::Set {
                entity,
                state,
                field,
            } => match state {
                Some(state) => format!("set {}.{field}", name(state)),
                None => format!("set {}.{field}", self[*entity].name),
            },
            Action::SetLink { edge } => format!("set {}", name(edge)),
        }
    }
}

impl Inscription {
    /// Returns the word of the model: `each`, `those`, `all`, `any`, `none`, `count`, `choose`; and nothing for `Bound`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Bound => "",
            Self::Each => "each",
            Self::Those => "those",
            Self::All => "all",
            Self::Any => "any",
            Self::None => "none",
            Self::Counted => "count",
            Self::Chosen => "choose",
        }
    }
}
