//! What is said of jobs that stay at their servers: which they are, and how they are ended.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::keep::Placed;
use super::{Work, count};
use crate::commands::Context;

impl Work {
    pub(super) fn summarise(&self, context: &Context, staying: &[&Placed]) {
        let lines = self.jobs.lines();
        let job = |placed: &&Placed| {
            let line = &lines[placed.number];
            let server = &self.keepers[placed.number].shown;
            json!({ "from": line.from, "to": line.to, "written": line.written, "server": server, "job": placed.id.as_str() })
        };
        let jobs: Vec<Value> = staying.iter().map(job).collect();
        let text = format!("{}; to see and to end what is there:", words(staying));
        context.printer.summary(&text, Map::from_iter([("jobs".to_owned(), Value::from(jobs))]));
        self.show_commands(context, staying);
    }

    /// The same beside a failure.
    pub(super) fn warn_of_left(&self, context: &Context, staying: &[&Placed]) {
        if staying.is_empty() {
            return;
        }
        let name = |placed: &&Placed| format!("`{}` at {}", placed.id, self.keepers[placed.number].shown);
        let names: Vec<String> = staying.iter().map(name).collect();
        context.printer.warning("job_left", &format!("{}: {}", words(staying), names.join(", ")));
        self.show_commands(context, staying);
    }

    fn show_commands(&self, context: &Context, staying: &[&Placed]) {
        let jobs = staying.iter().map(|placed| (self.keepers[placed.number].shown.as_str(), placed.id.as_str()));
        for line in commands(jobs) {
            context.printer.note(&format!("  {line}"));
        }
    }
}

/// `2 jobs run on`
fn words(staying: &[&Placed]) -> String {
    format!("{} on", count(staying.len(), "job runs", "jobs run"))
}

/// What is to be typed for jobs of servers.
fn commands<'a>(jobs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut servers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (server, job) in jobs {
        servers.entry(server).or_default().push(quoted(job));
    }
    let both = servers.into_iter().flat_map(|(server, jobs)| {
        let server = quoted(server);
        [format!("couchapp replicate list {server}"), format!("couchapp replicate cancel {server} {}", jobs.join(" "))]
    });
    both.collect()
}

/// A word as a shell takes it; ids may hold anything.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "_-.:/+@%".contains(character);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_can_be_ended_by_what_is_said() {
        let jobs = [("http://b:1", "x y"), ("http://a", "couchapp_1"), ("http://b:1", "it's")];
        let expected = [
            "couchapp replicate list http://a",
            "couchapp replicate cancel http://a couchapp_1",
            "couchapp replicate list http://b:1",
            r"couchapp replicate cancel http://b:1 'x y' 'it'\''s'",
        ];
        assert_eq!(commands(jobs.into_iter()), expected);
    }
}
