//! The arguments of `replicate`.

use clap::{Args, Subcommand};

use super::help;
use crate::settings::values::Via;

const WHAT: &str = "What is carried";

/// `couchapp replicate`
#[derive(Clone, Default, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ReplicateArgs {
    /// What servers carry out by themselves, instead of a replication.
    #[command(subcommand)]
    pub jobs: Option<ReplicateCommand>,
    /// Two databases or more: URLs, targets or :database
    #[arg(value_name = "PLACE", required = true, num_args = 2..)]
    pub places: Vec<String>,
    /// In both directions; what was changed at both ends stays as a conflict
    #[arg(long, aliases = ["bidirectional", "two-way"])]
    pub both: bool,
    /// Each place to the next (of two places, always)
    #[arg(long, group = "shape")]
    pub chain: bool,
    /// The first place to every other
    #[arg(long, group = "shape")]
    pub star: bool,
    /// Each place to the next, and the last to the first
    #[arg(long, group = "shape")]
    pub ring: bool,
    /// The first place to the next two (or N), each of these to two of those that follow, and so on
    #[arg(
        long,
        group = "shape",
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub tree: Option<u16>,
    /// Go on with every change until Ctrl-C
    #[arg(long, aliases = ["live", "watch"])]
    pub continuous: bool,
    /// Create databases that do not exist and are written to
    #[arg(long, alias = "create-db")]
    pub create_target: bool,
    /// Who moves the documents [default: client]
    #[arg(long, value_enum, value_name = "WHO")]
    pub via: Option<Via>,
    /// Leave the jobs to the server once they run (with --continuous --via server)
    #[arg(long)]
    pub detach: bool,

    /// Only documents that match a selector, as in `_find`
    #[arg(long, value_name = "JSON", group = "selection", help_heading = WHAT)]
    pub selector: Option<String>,
    /// Only this document; may be given several times
    #[arg(long, value_name = "ID", group = "selection", help_heading = WHAT)]
    pub doc_ids: Vec<String>,
    /// Only what a filter function of the source lets pass
    #[arg(long, value_name = "DDOC/NAME", group = "selection", help_heading = WHAT)]
    pub filter: Option<String>,
    /// What the filter function finds in `req.query`; may be given several times
    #[arg(long, value_name = "KEY=VALUE", requires = "filter", help_heading = WHAT)]
    pub query: Vec<String>,
    /// Leave out design documents
    #[arg(long, help_heading = WHAT)]
    pub no_design: bool,
    /// Only winning revisions: conflicts are lost
    #[arg(long, help_heading = WHAT)]
    pub winning_revs_only: bool,
}

/// `couchapp replicate list` and the like
#[derive(Clone, Subcommand)]
pub enum ReplicateCommand {
    /// List what a server replicates by itself
    #[command(alias = "ls", before_help = help::REPLICATE_JOBS, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    List {
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
    /// Tell everything that is known of jobs
    #[command(before_help = help::REPLICATE_JOBS, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    Status {
        /// The server's URL or a target, then jobs by their first letters [default: all]
        #[arg(value_name = "SERVER|JOB")]
        words: Vec<String>,
    },
    /// End jobs and remove their documents
    #[command(aliases = ["stop", "rm", "remove"], before_help = help::REPLICATE_JOBS, after_help = help::CANCEL_EXITS)]
    #[command(help_template = help::TEMPLATE)]
    Cancel {
        /// The server's URL or a target, then jobs by their first letters
        #[arg(value_name = "SERVER|JOB")]
        words: Vec<String>,
        /// All jobs of the server
        #[arg(long)]
        all: bool,
    },
}
