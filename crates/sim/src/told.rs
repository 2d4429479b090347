//! Sim: what storms went through, so that a test can see that something happened in them.

/// What a storm went through, added up over several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Power cuts, in the midst of an operation of the disk.
    pub power_cuts: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Events whose request was answered.
    pub acknowledged: u64,
    /// Commits that the disk refused.
    pub refused: u64,
    /// Parts that became one.
    pub merged: u64,
    /// Events that were sealed.
    pub sealed: u64,
    /// Backups that were opened.
    pub backups: u64,
    /// Snapshots that were read again later.
    pub reread: u64,
    /// Bits that turned over, and the doctor saw it.
    pub damaged: u64,
    /// Calls that came in the midst of an operation of the disk.
    pub between: u64,
    /// People who were forgotten, and had events.
    pub forgotten: u64,
    /// Events that were past their time and went.
    pub expired: u64,
    /// Hot columns that were lost.
    pub cold: u64,
    /// Storms that ended with a checkpoint of people.
    pub checkpoints: u64,
    /// Operations of the disk before the weather was fair: in each of them the power may go.
    pub operations: u64,
}

impl Told {
    /// Adds another storm's.
    pub fn add(&mut self, other: Self) {
        self.power_cuts += other.power_cuts;
        self.kills += other.kills;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.merged += other.merged;
        self.sealed += other.sealed;
        self.backups += other.backups;
        self.reread += other.reread;
        self.damaged += other.damaged;
        self.between += other.between;
        self.forgotten += other.forgotten;
        self.expired += other.expired;
        self.cold += other.cold;
        self.checkpoints += other.checkpoints;
        self.operations += other.operations;
    }
}
