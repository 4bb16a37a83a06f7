//! The flags of every command.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::settings::values::{self, Bandwidth, ColorChoice, Period, ProgressChoice};

const OUTPUT: &str = "Output";
const SETTINGS: &str = "Settings";
const NETWORK: &str = "Network";
const CREDENTIALS: &str = "Credentials";

/// The flags that every command takes, before or after its name.
#[derive(Clone, Default, Args)]
pub struct GlobalArgs {
    /// Show what would be done and stop before the first write
    #[arg(short = 'n', long, global = true, display_order = 900)]
    pub dry_run: bool,
    /// Answer yes to the question a command may ask
    #[arg(short = 'y', long, global = true, display_order = 901)]
    pub yes: bool,
    /// Never ask, not even on a terminal
    #[arg(long, global = true, display_order = 902)]
    pub no_input: bool,

    /// Errors only; twice: nothing
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = OUTPUT, conflicts_with = "verbose")]
    pub quiet: u8,
    /// Say more; twice: every HTTP request
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// Write JSON to stdout, one object per line
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub json: bool,
    /// How progress is shown
    #[arg(long, global = true, value_enum, value_name = "HOW", help_heading = OUTPUT, hide_short_help = true)]
    pub progress: Option<ProgressChoice>,
    /// When colours are used
    #[arg(long, global = true, value_enum, value_name = "WHEN", help_heading = OUTPUT, hide_short_help = true)]
    pub color: Option<ColorChoice>,
    /// Append the log of every request to a file
    #[arg(long, global = true, value_name = "FILE", help_heading = OUTPUT, hide_short_help = true)]
    pub log_file: Option<PathBuf>,

    /// Act as if started in this folder
    // An id of its own: `clone DIR` and `init DIR` have a `directory`, too.
    #[arg(id = "working_directory", short = 'C', long = "directory", global = true, value_name = "DIR", help_heading = SETTINGS, hide_short_help = true)]
    pub directory: Option<PathBuf>,
    /// Read this file instead of the project's couchapp.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = SETTINGS, hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// Read no configuration file at all
    #[arg(
        long, global = true, help_heading = SETTINGS, hide_short_help = true, conflicts_with = "config"
    )]
    pub no_config: bool,

    /// How often a failed request is tried again [default: 4]
    #[arg(long, global = true, value_name = "N", value_parser = values::retries, help_heading = NETWORK,
        hide_short_help = true)]
    pub retries: Option<u32>,
    /// Give up when nothing moves for this long [default: 45s]
    #[arg(long, global = true, value_name = "TIME", help_heading = NETWORK, hide_short_help = true)]
    pub timeout: Option<Period>,
    /// Give up when no connection is made within this time [default: 10s]
    #[arg(long, global = true, value_name = "TIME", help_heading = NETWORK, hide_short_help = true)]
    pub connect_timeout: Option<Period>,
    /// Use at most this many bytes a second, up or up:down (10M, 10M:5M)
    #[arg(long, global = true, value_name = "RATE", help_heading = NETWORK, hide_short_help = true)]
    pub bwlimit: Option<Bandwidth>,
    /// How many downloads run at once [default: 8]
    #[arg(long, global = true, value_name = "N", value_parser = values::jobs, help_heading = NETWORK,
        hide_short_help = true)]
    pub jobs: Option<usize>,
    /// Trust the certificates in this file (PEM) as well
    #[arg(long, global = true, value_name = "FILE", help_heading = NETWORK, hide_short_help = true)]
    pub cacert: Option<PathBuf>,
    /// Show this certificate to the server (PEM with its key)
    #[arg(long, global = true, value_name = "FILE", help_heading = NETWORK, hide_short_help = true)]
    pub client_cert: Option<PathBuf>,
    /// Do not check the server's certificate; for tests only
    #[arg(long, global = true, help_heading = NETWORK, hide_short_help = true)]
    pub insecure: bool,

    /// The user to sign in as
    #[arg(long, global = true, value_name = "NAME", help_heading = CREDENTIALS, hide_short_help = true)]
    pub user: Option<String>,
    /// Read the password from the first line of stdin
    #[arg(long, global = true, help_heading = CREDENTIALS, hide_short_help = true, group = "password")]
    pub password_stdin: bool,
    /// Read the password from the first line of a file
    #[arg(
        long, global = true, value_name = "FILE", help_heading = CREDENTIALS, hide_short_help = true, group = "password"
    )]
    pub password_file: Option<PathBuf>,
    /// Read the password from the first line that a command prints
    #[arg(
        long, global = true, value_name = "COMMAND", help_heading = CREDENTIALS, hide_short_help = true,
        group = "password"
    )]
    pub password_command: Option<String>,
}
