//! Words, bars, JSON: the only module that prints.
