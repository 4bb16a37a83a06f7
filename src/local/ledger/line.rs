//! One line of the ledger's file.
