//! The mark in front of a line.

/// What happens to a path. Letters and words are the same in every command and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// `+`: only on our side, and to be added to the other.
    New,
    /// `~`: on both sides, different.
    Changed,
    /// `-`: only on the other side, and to be removed there.
    Removed,
    /// `=`: the same on both sides.
    Same,
    /// `?`: only on the other side, unknown to us, and kept there.
    Kept,
    /// `!`: both sides changed it.
    Conflict,
    /// `x`: a rule leaves it out.
    Ignored,
}

impl Mark {
    /// The letter.
    pub fn letter(self) -> char {
        match self {
            Self::New => '+',
            Self::Changed => '~',
            Self::Removed => '-',
            Self::Same => '=',
            Self::Kept => '?',
            Self::Conflict => '!',
            Self::Ignored => 'x',
        }
    }

    /// The word for `op` in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "add",
            Self::Changed => "change",
            Self::Removed => "remove",
            Self::Same => "same",
            Self::Kept => "keep",
            Self::Conflict => "conflict",
            Self::Ignored => "ignored",
        }
    }

    /// The mark of a file of which one part has this mark and another part `other`.
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Changed }
    }
}
