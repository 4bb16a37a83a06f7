//! The command line as it is typed: commands, flags and their help. No IO, no environment, no defaults.
//!
//! A flag that was not given is `None` (or `false`); what that means is decided by [`crate::settings`].

use std::ffi::OsString;
use std::fmt;

use clap::{CommandFactory, Parser, Subcommand};

mod commands;
mod database;
pub mod generate;
mod global;
pub mod help;
mod media;
mod replicate;
#[cfg(feature = "serve")]
mod serve;
mod user;

pub use commands::{
    AppArgs, AuthCommand, BrowseArgs, CloneArgs, ConfigCommand, CspCommand, DiffArgs, Generated, InitArgs, OldArgs,
    PushArgs, PushingArgs, Shell, StatusArgs, WatchArgs,
};
pub use database::{CreateArgs, DbCommand, DeleteArgs, SecurityArgs};
pub use global::GlobalArgs;
pub use media::{DumpArgs, SelectionArgs, SyncDirArgs};
pub use replicate::{ReplicateArgs, ReplicateCommand};
#[cfg(feature = "serve")]
pub use serve::ServeArgs;
pub use user::{NewPasswordArgs, UserCommand};

/// The whole command line.
#[derive(Clone, Parser)]
#[command(
    name = "couchapp",
    version,
    about = "Keep a folder and a CouchDB design document in step",
    before_help = help::EXAMPLES,
    after_help = help::EXIT_CODES,
    help_template = help::TEMPLATE,
    max_term_width = 100
)]
pub struct Cli {
    /// The flags that every command takes, before or after its name.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do; without it the concise help is shown.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Arguments may hold passwords, in URLs for example: nothing of them is shown.
impl fmt::Debug for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cli").finish_non_exhaustive()
    }
}

/// What to do.
#[derive(Clone, Subcommand)]
pub enum Command {
    /// Start a new app in a folder
    #[command(before_help = help::INIT, after_help = help::INIT_EXITS, help_template = help::TEMPLATE)]
    Init(InitArgs),
    /// Start an endpoint on this computer, with apps and files in it that follow their folders
    #[cfg(feature = "serve")]
    #[command(before_help = help::SERVE, after_help = help::SERVE_EXITS, help_template = help::TEMPLATE)]
    Serve(ServeArgs),
    /// Write a folder from a design document
    #[command(before_help = help::CLONE, after_help = help::CLONE_EXITS, help_template = help::TEMPLATE)]
    Clone(CloneArgs),
    /// Send the folder to a design document
    #[command(before_help = help::PUSH, after_help = help::PUSH_EXITS, help_template = help::TEMPLATE)]
    Push(PushArgs),
    /// Push on every save
    #[command(before_help = help::WATCH, after_help = help::WATCH_EXITS, help_template = help::TEMPLATE)]
    Watch(WatchArgs),
    /// Show what differs between the folder and the server
    #[command(before_help = help::STATUS, after_help = help::STATUS_EXITS, help_template = help::TEMPLATE)]
    Status(StatusArgs),
    /// Show the differences, from the server's text to the folder's
    #[command(before_help = help::DIFF, after_help = help::DIFF_EXITS, help_template = help::TEMPLATE)]
    Diff(DiffArgs),
    /// Copy a folder of files to a database or document, or back; only what differs
    #[command(before_help = help::SYNC_DIR, after_help = help::SYNC_DIR_EXITS, help_template = help::TEMPLATE)]
    SyncDir(SyncDirArgs),
    /// Write the files that a database or document holds to a folder
    #[command(before_help = help::DUMP, after_help = help::DUMP_EXITS, help_template = help::TEMPLATE)]
    Dump(DumpArgs),
    /// Carry documents from one database to another, as they are
    #[command(before_help = help::REPLICATE, after_help = help::REPLICATE_EXITS, help_template = help::TEMPLATE)]
    Replicate(ReplicateArgs),
    /// Databases: make them, say who may use them, list and delete them
    #[command(subcommand, before_help = help::DB, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    Db(DbCommand),
    /// Users of a server: add and remove them, give them passwords
    #[command(subcommand, before_help = help::USER, after_help = help::ADMIN_EXITS, help_template = help::TEMPLATE)]
    User(UserCommand),
    /// Open the app in a browser
    #[command(before_help = help::BROWSE, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    Browse(BrowseArgs),
    /// Show the settings and where they come from
    #[command(subcommand, before_help = help::CONFIG, after_help = help::CONFIG_EXITS, help_template = help::TEMPLATE)]
    Config(ConfigCommand),
    /// Check the credentials
    #[command(subcommand, before_help = help::AUTH, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    Auth(AuthCommand),
    /// Let apps run their own JavaScript on CouchDB 3.5, or forbid it again
    #[command(subcommand, before_help = help::CSP, after_help = help::CSP_EXITS, help_template = help::TEMPLATE)]
    Csp(CspCommand),
    /// Print the completions of a shell
    #[command(before_help = help::COMPLETIONS, after_help = help::CONFIG_EXITS, help_template = help::TEMPLATE)]
    Completions {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual in another form
    #[command(hide = true)]
    Generate {
        /// The form
        #[arg(value_enum, value_name = "FORM")]
        form: Generated,
        /// Write one file per command into this folder (man pages only)
        #[arg(long, value_name = "DIR")]
        into: Option<std::path::PathBuf>,
    },
    /// The old name of `push --docs`
    #[command(hide = true, disable_help_flag = true)]
    Pushdocs(OldArgs),
    /// The old name of a push of several folders
    #[command(hide = true, disable_help_flag = true)]
    Pushapps(OldArgs),
    /// The old name of a push on every change
    #[command(hide = true, disable_help_flag = true)]
    Autopush(OldArgs),
}

/// Reads the command line; the first argument is the program's name.
///
/// The error is clap's own: `--help` and `--version` are among them ([`crate::report::Printer::usage`] prints them all).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments)
}

/// The description of the whole command line, for completions and man pages.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(std::iter::once("couchapp").chain(line.split_whitespace()).map(Into::into))
    }

    #[test]
    fn the_definitions_are_sound() {
        command().debug_assert();
    }

    #[test]
    fn an_argument_and_a_global_flag_never_share_a_name() {
        let all = command();
        let global: Vec<_> = all.get_arguments().filter(|argument| argument.is_global_set()).collect();
        assert!(global.len() > 20);
        for subcommand in all.get_subcommands() {
            for argument in subcommand.get_arguments() {
                assert!(global.iter().all(|flag| flag.get_id() != argument.get_id()), "{argument:?}");
            }
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["-n push", "push -n", "push --dry-run x", "push x -n", "--dry-run push"] {
            assert!(parsed(line).unwrap().global.dry_run, "{line}");
        }
        let cli = parsed("-v config show -v --jobs 3").unwrap();
        assert_eq!((cli.global.verbose, cli.global.jobs), (1, Some(3)));
        assert_eq!(parsed("status -qq").unwrap().global.quiet, 2);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "push a b c",
            "sync-dir a",
            "sync-dir a b c",
            "sync-dir a b --delete-excluded",
            "sync-dir a b --thumbnails 0",
            "sync-dir a b --metadata all",
            "dump",
            "dump a b --verify --delete",
            "push . :db --to :other",
            "push --output x",
            "push --max-delete some",
            "push --export --open",
            "watch --export",
            "watch --delay soon",
            "dump a b --watch --verify",
            "push --password VALUE",
            "status -q -v",
            "--config x --no-config status",
            "--password-stdin --password-file x push",
            "clone",
            "frobnicate",
            "config",
            "--retries -1 push",
            "--timeout 0 push",
            "completions tcsh",
        ] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["", "push", "push --no-docs --docs", "pushapps -x y --z", "help push"] {
            assert!(parsed(line).is_ok() || line.starts_with("help"), "{line}");
        }
        let hint = parsed("psuh").unwrap_err().to_string();
        assert!(hint.contains("'push'"), "{hint}");
    }

    #[test]
    fn help_begins_with_examples_and_ends_with_exit_codes() {
        let mut all = command().term_width(100);
        all.build();
        let mut pages = 0;
        examine(&mut all, &mut pages);
        assert!(pages > 12);
    }

    fn examine(parent: &mut clap::Command, pages: &mut usize) {
        let visible = |command: &&mut clap::Command| !command.is_hide_set() && command.get_name() != "help";
        for subcommand in parent.get_subcommands_mut().filter(visible) {
            *pages += 1;
            let help = subcommand.render_help().to_string();
            assert!(help.contains("\nExamples\n"), "{help}");
            assert!(help.find("Examples") < help.find("Usage:"), "{help}");
            assert!(help.lines().last().unwrap().starts_with("Exit codes 0 1 2"), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
            examine(subcommand, pages);
        }
    }

    #[test]
    fn the_help_of_sync_dir_and_dump() {
        let mut all = command().term_width(100);
        all.build();
        let help = all.find_subcommand_mut("sync-dir").unwrap().render_help();
        insta::assert_snapshot!(help, @r"
        Copy a folder of files to a database or document, or back; only what differs

        Examples
          couchapp sync-dir ~/Pictures http://127.0.0.1:5984/pics --tag holiday
          couchapp sync-dir ~/Pictures :pics --delete -n      what would be sent and removed
          couchapp sync-dir dist :site/_design/www            attachments of one document
          couchapp sync-dir :pics ~/Pictures                  the other way
          couchapp sync-dir ~/Pictures :pics --watch          and go on as files come and change

        In a database each file is a document: its id is the file's path, the file is its attachment.
        Whatever else people add to such a document stays. Nothing is removed without --delete.

        Usage: couchapp sync-dir [OPTIONS] <FROM> <TO>

        Arguments:
          <FROM>  What is copied: a folder, or a URL, target or :database
          <TO>    What becomes the same: a URL, target or :database, or a folder

        Options:
              --tag <TAG>          Tag new documents; downwards: only documents with all these tags
              --tags-from-folders  Tag new documents with the names of the folders they are in
              --metadata <HOW>     What is read from the files themselves [default: basic] [possible values:
                                   none, basic]
              --thumbnails <SIZE>  Store a small picture of at most SIZE x SIZE pixels beside each picture
                                   [default: off]
              --times              Carry over the time of a file whose content is the same
              --checksum           Read every file, whatever is remembered of it
              --fsync              Wait for the disk after each file, not once at the end
              --escape-names       Store names that this system cannot have in an escaped form
              --watch              Go on when that is done: copy what changes until Ctrl-C
          -n, --dry-run            Show what would be done and stop before the first write
          -y, --yes                Answer yes to the question a command may ask
              --no-input           Never ask, not even on a terminal
          -h, --help               Print help (see more with '--help')

        Selection:
              --prefix <PATH>        Only what is below this folder
              --exclude <PATTERN>    Leave out what matches a gitignore pattern, on both sides
              --include <PATTERN>    Keep what matches a gitignore pattern that another rule leaves out
              --exclude-from <FILE>  Leave out what matches the patterns in a file

        Safety:
              --delete           Remove what is gone from the source
              --delete-excluded  With --delete: remove what is left out of the selection, too
              --max-delete <N>   Remove at most this many: a number, a percentage, or all
              --allow-empty      Go on with a source that holds no files
              --force            Overwrite what others changed on the other side
              --create-db        Create the database when it does not exist

        Output:
          -q, --quiet...    Errors only; twice: nothing
          -v, --verbose...  Say more; twice: every HTTP request
              --json        Write JSON to stdout, one object per line

        Exit codes 0 1 2 4 5 6 7 8 9; `couchapp --help` explains them
        ");
        let help = all.find_subcommand_mut("dump").unwrap().render_help();
        insta::assert_snapshot!(help, @r"
        Write the files that a database or document holds to a folder

        Examples
          couchapp dump http://127.0.0.1:5984/pics restored
          couchapp dump :pics restored                        again: only what changed since
          couchapp dump :pics --tag holiday --prefix 2010     a part, into pics/
          couchapp dump :pics restored --verify               compare, write nothing
          couchapp dump :pics restored --watch                and go on as the database changes
          couchapp dump :pics - --docs > pics.ndjson          for pipes

        Usage: couchapp dump [OPTIONS] <SRC> [DIR]

        Arguments:
          <SRC>  A database or document: a URL, a target, or :database
          [DIR]  The folder to write, `-` for JSON lines on stdout [default: the database's name]

        Options:
              --docs          Write the documents as JSON, too
              --conflicts     Write the revisions that lost a conflict, too, as NAME~REV
              --since <SEQ>   Only what changed after this update sequence
              --verify        Compare the folder with the server, byte for byte, and write nothing
              --checksum      Read every file, whatever is remembered of it
              --fsync         Wait for the disk after each file, not once at the end
              --escape-names  Store names that this system cannot have in an escaped form
              --watch         Go on when that is done: dump what changes until Ctrl-C
          -n, --dry-run       Show what would be done and stop before the first write
          -y, --yes           Answer yes to the question a command may ask
              --no-input      Never ask, not even on a terminal
          -h, --help          Print help (see more with '--help')

        Selection:
              --tag <TAG>            Only documents with all these tags
              --view <DDOC/VIEW>     Only the documents that a view lists
              --prefix <PATH>        Only what is below this folder
              --exclude <PATTERN>    Leave out what matches a gitignore pattern, on both sides
              --include <PATTERN>    Keep what matches a gitignore pattern that another rule leaves out
              --exclude-from <FILE>  Leave out what matches the patterns in a file

        Safety:
              --delete          Remove files whose documents are gone
              --max-delete <N>  Remove at most this many: a number, a percentage, or all
              --force           Overwrite files that were changed here

        Output:
          -q, --quiet...    Errors only; twice: nothing
          -v, --verbose...  Say more; twice: every HTTP request
              --json        Write JSON to stdout, one object per line

        Exit codes 0 1 2 3 4 5 6 7 8 9; `couchapp --help` explains them
        ");
    }

    #[test]
    fn the_help_of_push() {
        let mut all = command().term_width(100);
        all.build();
        let help = all.find_subcommand_mut("push").unwrap().render_help().to_string();
        insta::assert_snapshot!(help, @r"
        Send the folder to a design document

        Examples
          couchapp push                        default target
          couchapp push prod -n                show what would change
          couchapp push . http://127.0.0.1:5984/blog
          couchapp push --to eu --to us        two targets, in order
          couchapp push --export               print the document, send nothing

        Usage: couchapp push [OPTIONS] [DIR] [DEST]

        Arguments:
          [DIR]   The app's folder [default: the app around the current folder]
          [DEST]  A URL, a target from couchapp.toml, or :database [default: the default target]

        Options:
              --to <DEST>        Where to push; may be given several times
              --keep-going       Go on with the next target when one fails
              --only <GLOB>      Push only the files that match; the rest stays as it is on the server
              --layout <LAYOUT>  How the folder is laid out [default: auto] [possible values: auto,
                                 couchapp, web]
              --docid <ID>       Push to this document instead of the one the folder names
              --docs             Push the documents in _docs as well (as is done when there are any)
              --no-docs          Leave the documents in _docs alone
              --open             Open the app in a browser afterwards
              --export           Print the document instead of sending it
              --output <FILE>    With --export: write the document to a file
          -n, --dry-run          Show what would be done and stop before the first write
          -y, --yes              Answer yes to the question a command may ask
              --no-input         Never ask, not even on a terminal
          -h, --help             Print help (see more with '--help')

        Safety:
              --force           Overwrite what others changed on the server
              --delete          Remove what is only on the server, whoever put it there
              --max-delete <N>  Remove at most this many: a number, a percentage, or all
              --allow-empty     Push a folder that has no files
              --create-db       Create the database when it does not exist
              --no-check        Do not check the functions
              --lenient         Warn where an old app would otherwise be refused

        Output:
          -q, --quiet...    Errors only; twice: nothing
          -v, --verbose...  Say more; twice: every HTTP request
              --json        Write JSON to stdout, one object per line

        Exit codes 0 1 2 4 5 6 7 8 9; `couchapp --help` explains them
        ");
    }
}
