//! What is printed, and how.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use super::environment::Environment;
use super::layers::{self, Layers};
use super::values::{ColorChoice, ProgressChoice, switch, times};
use crate::cli::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::local::outside;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-qq`: nothing at all.
    Silent,
    /// `-q`: errors, and the answer.
    Quiet,
    /// What is done and what came of it.
    #[default]
    Normal,
    /// `-v`: every item.
    Verbose,
    /// `-vv`: every HTTP request.
    Requests,
}

/// How progress is shown, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressStyle {
    /// A bar on stderr.
    Bar,
    /// A line on stderr every ten seconds.
    Lines,
    /// JSON events on stdout.
    Json,
    /// Nothing.
    None,
}

/// What is printed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSettings {
    /// How much is said.
    pub verbosity: Verbosity,
    /// JSON on stdout.
    pub json: bool,
    /// How progress is shown.
    pub progress: ProgressStyle,
    /// Colours on stdout.
    pub color_out: bool,
    /// Colours on stderr.
    pub color_err: bool,
    /// stdout is a terminal: names are escaped there.
    pub terminal_out: bool,
    /// A question may be asked.
    pub interactive: bool,
    /// `--log-file`, absolute.
    pub log_file: Option<PathBuf>,
    /// `RUST_LOG`.
    pub log_filter: Option<String>,
    /// `RUST_BACKTRACE`: errors are printed with where they arose.
    pub backtrace: bool,
}

impl OutputSettings {
    /// Opens `--log-file` for appending.
    pub fn open_log(&self) -> Result<Option<Box<dyn Write + Send>>, Failure> {
        let open = |path: &PathBuf| {
            let log = outside::open_log(path).map(|file| Box::new(file) as Box<dyn Write + Send>);
            log.map_err(|error| {
                let message = format!("cannot write the log file `{}`", path.display());
                Failure::new(Exit::Usage, message).because(error)
            })
        };
        self.log_file.as_ref().map(open).transpose()
    }
}

/// From flags, environment and files.
pub(super) fn resolve(
    flags: &GlobalArgs,
    layers: &mut Layers<'_>,
    environment: &Environment,
) -> Result<OutputSettings, Failure> {
    let no_input = layers.switch(&layers::NO_INPUT, flags.no_input)?;
    let given = |count: u8| Some(count.min(2)).filter(|count| *count > 0);
    let quiet = layers.get(&layers::QUIET, given(flags.quiet), 0, times)?;
    let verbose = layers.get(&layers::VERBOSE, given(flags.verbose), 0, times)?;
    // A flag wins over the opposite variable.
    let (quiet, verbose) = if flags.verbose > 0 { (0, verbose) } else { (quiet, verbose) };
    let json = layers.get(&layers::JSON, flags.json.then_some(true), false, switch)?;
    let progress = layers.get(&layers::PROGRESS, flags.progress, ProgressChoice::Auto, str::parse)?;
    let color = layers.get(&layers::COLOR, flags.color, ColorChoice::Auto, str::parse)?;
    let log_file = layers.path(&layers::LOG_FILE, flags.log_file.as_deref());
    let mut output = decide(environment, verbosity(quiet, verbose), json, progress, color);
    output.interactive &= !no_input;
    output.log_file = log_file;
    Ok(output)
}

/// From raw arguments and environment alone, bad values ignored: for errors in reading the rest.
pub(super) fn early(arguments: &[OsString], environment: &Environment) -> OutputSettings {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let variable = |name: &str| environment.text(name);
    let json = words.contains(&"--json") || variable("COUCHAPP_JSON").is_some_and(|text| switch(text) == Ok(true));
    let color = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).copied(),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    let color = color.or_else(|| variable("COUCHAPP_COLOR")).and_then(|text| text.parse().ok()).unwrap_or_default();
    let quiet = words.iter().map(|word| match *word {
        "-qq" => 2,
        "-q" | "--quiet" => 1,
        _ => 0,
    });
    let quiet = quiet.sum::<u8>().max(variable("COUCHAPP_QUIET").map_or(0, |text| times(text).unwrap_or(0)));
    let mut output = decide(environment, verbosity(quiet, 0), json, ProgressChoice::None, color);
    output.interactive = false;
    output
}

fn verbosity(quiet: u8, verbose: u8) -> Verbosity {
    match (quiet, verbose) {
        (0, 0) => Verbosity::Normal,
        (0, 1) => Verbosity::Verbose,
        (0, _) => Verbosity::Requests,
        (1, _) => Verbosity::Quiet,
        _ => Verbosity::Silent,
    }
}

fn decide(
    environment: &Environment,
    verbosity: Verbosity,
    json: bool,
    progress: ProgressChoice,
    color: ColorChoice,
) -> OutputSettings {
    let dumb = environment.text("TERM") == Some("dumb");
    let progress = match progress {
        _ if verbosity < Verbosity::Normal => ProgressStyle::None,
        ProgressChoice::None => ProgressStyle::None,
        _ if json => ProgressStyle::Json,
        ProgressChoice::Bar => ProgressStyle::Bar,
        ProgressChoice::Auto if environment.terminal_err && !dumb => ProgressStyle::Bar,
        ProgressChoice::Auto | ProgressChoice::Lines => ProgressStyle::Lines,
    };
    OutputSettings {
        verbosity,
        json,
        progress,
        color_out: colors(environment, color, environment.terminal_out),
        color_err: colors(environment, color, environment.terminal_err),
        terminal_out: environment.terminal_out,
        interactive: environment.terminal_in && environment.terminal_err,
        log_file: None,
        log_filter: environment.text("RUST_LOG").map(str::to_owned),
        backtrace: environment.text("RUST_BACKTRACE").is_some_and(|text| text != "0"),
    }
}

/// <https://no-color.org>, <https://bixense.com/clicolors>
fn colors(environment: &Environment, choice: ColorChoice, terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let variable = |name: &str| environment.text(name);
            if variable("NO_COLOR").is_some() {
                false
            } else if variable("CLICOLOR_FORCE").is_some_and(|text| text != "0") {
                true
            } else {
                terminal && variable("CLICOLOR") != Some("0") && variable("TERM") != Some("dumb")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::environment::testing::environment;

    /// Choice, variables, whether it is a terminal, whether there are colours.
    type Case<'a> = (ColorChoice, &'a [(&'a str, &'a str)], bool, bool);

    #[test]
    fn colours_follow_flag_variables_and_terminal() {
        use ColorChoice::{Always, Auto, Never};
        let cases: &[Case] = &[
            (Auto, &[], true, true),
            (Auto, &[], false, false),
            (Always, &[("NO_COLOR", "1")], false, true),
            (Never, &[("CLICOLOR_FORCE", "1")], true, false),
            (Auto, &[("NO_COLOR", "1")], true, false),
            (Auto, &[("NO_COLOR", "")], true, true),
            (Auto, &[("CLICOLOR_FORCE", "1")], false, true),
            (Auto, &[("CLICOLOR_FORCE", "0")], false, false),
            (Auto, &[("CLICOLOR", "0")], true, false),
            (Auto, &[("TERM", "dumb")], true, false),
        ];
        for (choice, variables, terminal, expected) in cases {
            let environment = environment(Path::new("/"), variables);
            assert_eq!(colors(&environment, *choice, *terminal), *expected, "{choice:?} {variables:?} {terminal}");
        }
    }

    #[test]
    fn output_is_known_before_anything_else_is() {
        let early = |line: &str, variables: &[(&str, &str)]| {
            let arguments: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
            let output = early(&arguments, &environment(Path::new("/"), variables));
            (output.json, output.verbosity, output.color_err)
        };
        let normal = (false, Verbosity::Normal, false);
        assert_eq!(early("couchapp push --nonsense", &[]), normal);
        assert_eq!(early("couchapp --json push -q", &[]), (true, Verbosity::Quiet, false));
        assert_eq!(early("couchapp push -q --quiet --color always", &[]), (false, Verbosity::Silent, true));
        assert_eq!(early("couchapp -- --json --color=always", &[]), normal);
        assert_eq!(early("couchapp --color=always", &[("COUCHAPP_JSON", "1")]), (true, Verbosity::Normal, true));
        assert_eq!(early("couchapp --color", &[("COUCHAPP_QUIET", "2")]), (false, Verbosity::Silent, false));
    }

    #[test]
    fn progress_is_a_bar_only_where_it_can_be_drawn() {
        use ProgressChoice as C;
        use ProgressStyle as S;
        let decided = |terminal, term, json, verbosity, choice| {
            let made_up = Environment { terminal_err: terminal, ..environment(Path::new("/"), &[("TERM", term)]) };
            decide(&made_up, verbosity, json, choice, ColorChoice::Auto).progress
        };
        let cases = [
            (true, "xterm", false, Verbosity::Normal, C::Auto, S::Bar),
            (true, "dumb", false, Verbosity::Normal, C::Auto, S::Lines),
            (false, "xterm", false, Verbosity::Normal, C::Auto, S::Lines),
            (false, "xterm", false, Verbosity::Normal, C::Bar, S::Bar),
            (true, "xterm", false, Verbosity::Normal, C::Lines, S::Lines),
            (true, "xterm", true, Verbosity::Normal, C::Auto, S::Json),
            (true, "xterm", true, Verbosity::Normal, C::None, S::None),
            (true, "xterm", true, Verbosity::Quiet, C::Auto, S::None),
            (true, "xterm", false, Verbosity::Quiet, C::Bar, S::None),
        ];
        for (terminal, term, json, verbosity, choice, style) in cases {
            assert_eq!(decided(terminal, term, json, verbosity, choice), style, "{terminal} {term} {json} {choice:?}");
        }
    }
}
