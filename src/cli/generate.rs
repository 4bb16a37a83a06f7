//! Completions, man pages and a Markdown page, all made from the one description of the command line.

use std::fmt::Write;
use std::io;

use clap_complete::Shell as Completer;

use super::commands::Shell;
use super::{command, help};

/// The completions of a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let completer = match shell {
        Shell::Bash => Completer::Bash,
        Shell::Zsh => Completer::Zsh,
        Shell::Fish => Completer::Fish,
        Shell::Powershell => Completer::PowerShell,
        Shell::Elvish => Completer::Elvish,
    };
    let mut script = Vec::new();
    clap_complete::generate(completer, &mut command(), "couchapp", &mut script);
    script
}

/// The man pages: file name (`couchapp-push.1`) and text, the main page first.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    pages()
        .into_iter()
        .map(|page| {
            let name = page.get_name().to_owned();
            let mut text = Vec::new();
            clap_mangen::Man::new(page).render(&mut text)?;
            Ok((format!("{name}.1"), text))
        })
        .collect()
}

/// The whole manual as one Markdown page.
pub fn markdown() -> String {
    let mut text = format!("# couchapp\n\n```text\n{}```\n", help::CONCISE);
    for mut page in pages() {
        let name = page.get_name().replace('-', " ");
        let long = page.render_long_help().to_string();
        let long: Vec<&str> = long.lines().map(str::trim_end).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", long.join("\n").trim_end());
    }
    text
}

/// The program and its visible commands, each by its full name.
fn pages() -> Vec<clap::Command> {
    let mut all = command().disable_help_subcommand(true).term_width(100);
    all.build();
    let mut pages = vec![all.clone()];
    collect(&all, "couchapp", &mut pages);
    pages
}

fn collect(parent: &clap::Command, prefix: &str, pages: &mut Vec<clap::Command>) {
    for child in parent.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("{prefix}-{}", child.get_name());
        pages.push(child.clone().name(name.clone()).display_name(name.clone()));
        collect(child, &name, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_command_is_documented() {
        let markdown = markdown();
        let names: Vec<String> = man_pages().unwrap().into_iter().map(|(name, _)| name).collect();
        for name in ["init", "clone", "push", "status", "diff", "browse", "config-show", "auth-check", "csp-allow"] {
            assert!(names.contains(&format!("couchapp-{name}.1")), "{names:?}");
            assert!(markdown.contains(&format!("## `couchapp {}`", name.replace('-', " "))), "{name}");
        }
        assert!(!markdown.contains("pushdocs") && names.iter().all(|name| !name.contains("generate")));
        assert!(!markdown.contains("http://…") && !markdown.contains("https://…"));
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell, Shell::Elvish] {
            let script = String::from_utf8(completions(shell)).unwrap();
            assert!(script.contains("couchapp") && script.contains("max-delete"), "{shell:?}");
        }
    }
}
