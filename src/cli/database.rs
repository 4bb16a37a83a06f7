//! The arguments of `db`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::help;

const MEMBERS: &str = "Who may use it";

/// `couchapp db`
#[derive(Clone, Subcommand)]
pub enum DbCommand {
    /// Make databases, say who may use them, and put apps into them
    #[command(before_help = help::DB_CREATE, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Create(CreateArgs),
    /// List the databases of a server, and who may read them
    #[command(before_help = help::DB_LIST, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    List {
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
        /// List the server's own databases, too
        #[arg(long)]
        all: bool,
    },
    /// Show or change who may use a database
    #[command(before_help = help::DB_SECURITY, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Security(SecurityArgs),
    /// Delete a database with everything in it
    #[command(before_help = help::DB_DELETE, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Delete(DeleteArgs),
}

/// `couchapp db create`
#[derive(Clone, Default, Args)]
pub struct CreateArgs {
    /// The databases: URLs, targets or :database
    #[arg(value_name = "PLACE", required = true)]
    pub places: Vec<String>,
    /// An app to push into each; may be given several times
    #[arg(long, value_name = "DIR")]
    pub app: Vec<PathBuf>,

    /// A user who may read and write documents
    #[arg(long, value_name = "NAME", help_heading = MEMBERS)]
    pub member: Vec<String>,
    /// A role whose users may read and write documents
    #[arg(long, value_name = "ROLE", help_heading = MEMBERS)]
    pub member_role: Vec<String>,
    /// A user who may write design documents and change who may use it
    #[arg(long, value_name = "NAME", help_heading = MEMBERS)]
    pub admin: Vec<String>,
    /// A role whose users may do that
    #[arg(long, value_name = "ROLE", help_heading = MEMBERS)]
    pub admin_role: Vec<String>,
    /// Everybody may read and write documents, signed in or not
    #[arg(long, help_heading = MEMBERS, conflicts_with_all = ["member", "member_role"])]
    pub public: bool,
}

/// `couchapp db security`
#[derive(Clone, Default, Args)]
pub struct SecurityArgs {
    /// The database: a URL, a target or :database
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// Let a user read and write documents
    #[arg(long, value_name = "NAME", help_heading = MEMBERS)]
    pub add_member: Vec<String>,
    /// Let the users with a role read and write documents
    #[arg(long, value_name = "ROLE", help_heading = MEMBERS)]
    pub add_member_role: Vec<String>,
    /// Take a user from the members
    #[arg(long, value_name = "NAME", help_heading = MEMBERS)]
    pub remove_member: Vec<String>,
    /// Take a role from the members
    #[arg(long, value_name = "ROLE", help_heading = MEMBERS)]
    pub remove_member_role: Vec<String>,
    /// Make a user an admin of the database
    #[arg(long, value_name = "NAME", help_heading = MEMBERS)]
    pub add_admin: Vec<String>,
    /// Make the users with a role admins of the database
    #[arg(long, value_name = "ROLE", help_heading = MEMBERS)]
    pub add_admin_role: Vec<String>,
    /// Take a user from the admins
    #[arg(long, value_name = "NAME", help_heading = MEMBERS)]
    pub remove_admin: Vec<String>,
    /// Take a role from the admins
    #[arg(long, value_name = "ROLE", help_heading = MEMBERS)]
    pub remove_admin_role: Vec<String>,
    /// Let everybody read and write documents, signed in or not
    #[arg(long, help_heading = MEMBERS, conflicts_with_all = [
        "set_private", "add_member", "add_member_role", "remove_member", "remove_member_role",
    ])]
    pub set_public: bool,
    /// Take all members away but those that --add-member and --add-member-role name
    #[arg(long, help_heading = MEMBERS)]
    pub set_private: bool,
}

/// `couchapp db delete`
#[derive(Clone, Default, Args)]
pub struct DeleteArgs {
    /// The database: a URL, a target or :database
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// The database's name once more, where nobody can be asked to type it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}
