//! The arguments of `user`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::help;

const NEW_PASSWORD: &str = "New password";

/// `couchapp user`
#[derive(Clone, Subcommand)]
pub enum UserCommand {
    /// Add a user
    #[command(before_help = help::USER, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Add {
        /// The new user's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
        /// A role of the new user; may be given several times
        #[arg(long, value_name = "ROLE")]
        role: Vec<String>,
        /// Where the password comes from.
        #[command(flatten)]
        password: NewPasswordArgs,
    },
    /// Give a user another password
    #[command(before_help = help::USER, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Password {
        /// The user's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
        /// Where the password comes from.
        #[command(flatten)]
        password: NewPasswordArgs,
    },
    /// Remove a user
    #[command(before_help = help::USER, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Remove {
        /// The user's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
    /// List the users of a server
    #[command(before_help = help::USER, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    List {
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
}

/// Where a new password comes from, if not from a question.
#[derive(Clone, Default, Args)]
pub struct NewPasswordArgs {
    /// Read the new password from the first line of stdin
    #[arg(long, help_heading = NEW_PASSWORD, group = "new_password", conflicts_with = "password_stdin")]
    pub new_password_stdin: bool,
    /// Read the new password from the first line of a file
    #[arg(long, value_name = "FILE", help_heading = NEW_PASSWORD, group = "new_password")]
    pub new_password_file: Option<PathBuf>,
    /// Read the new password from the first line that a command prints
    #[arg(long, value_name = "COMMAND", help_heading = NEW_PASSWORD, group = "new_password")]
    pub new_password_command: Option<String>,
}
