//! One verb, one file: gather, plan, guard, confirm, transfer, report.
