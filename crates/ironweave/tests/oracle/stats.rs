//! Counts what a run of histories did, to show whether the random models cover everything.

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub events: usize,
    pub accepted: usize,
    /// How many accepted events have compiled arcs, which were executed unless all were interpreted.
    pub compiled: usize,
    pub immediates: usize,
    /// How often immediate events created anything, and how deep at most.
    pub creating: usize,
    pub deepest: u32,
    /// How many events were rejected since immediate events did not end.
    pub endless: usize,
    pub frames: usize,
    pub reopened: usize,
    pub entities: usize,
    pub rejected_commits: usize,
}

impl Stats {
    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.compiled += other.compiled;
        self.immediates += other.immediates;
        self.creating += other.creating;
        self.deepest = self.deepest.max(other.deepest);
        self.endless += other.endless;
        self.frames += other.frames;
        self.reopened += other.reopened;
        self.entities = self.entities.max(other.entities);
        self.rejected_commits += other.rejected_commits;
    }
}
