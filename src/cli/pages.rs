//! Pages that are printed: the resolved configuration, completions, the manual.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::base::text;
use crate::config::Resolved;

/// Widest value that others are aligned to; a longer one pushes its origin to the right.
const VALUE_WIDTH: usize = 48;

/// What holds, and where each value is from. Values are without secrets.
#[must_use]
pub fn config_page(resolved: &Resolved) -> String {
    let mut page = match &resolved.file {
        Some(path) => format!("# {}\n", text::safe(&path.display().to_string())),
        None => "# no configuration file\n".to_owned(),
    };
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let keys = widest(&mut resolved.values.iter().map(|shown| text::width(&shown.key)));
    let values = widest(
        &mut resolved
            .values
            .iter()
            .map(|shown| text::width(&shown.value).min(VALUE_WIDTH)),
    );
    for shown in &resolved.values {
        let key = pad(&shown.key, keys);
        let value = pad(&shown.value, values);
        let origin = shown.origin.describe();
        page.extend([&key, "  ", &value, "  ", &text::safe(&origin), "\n"]);
    }
    page
}

fn pad(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(text::width(cell))))
}

/// A completion script.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hookwatch", &mut script);
    script
}

/// The manual page of the program, or of one of its commands.
///
/// # Errors
/// When there is no such command; the names of those that there are.
pub fn man(name: Option<&str>) -> Result<Vec<u8>, Vec<String>> {
    let mut root = Cli::command();
    root.build();
    let command = match name {
        None => root,
        Some(name) => match root.find_subcommand(name) {
            Some(found) => found.clone().version(env!("CARGO_PKG_VERSION")),
            None => return Err(root.get_subcommands().map(|c| c.get_name().to_owned()).collect()),
        },
    };
    let mut page = Vec::new();
    let rendered: io::Result<()> = clap_mangen::Man::new(command).render(&mut page);
    debug_assert!(rendered.is_ok(), "writing to memory does not fail");
    Ok(page)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::config::{Environment, Overrides, Surroundings, resolve};

    #[test]
    fn every_shell_gets_a_script_that_knows_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell} {}", command.get_name());
            }
        }
    }

    #[test]
    fn every_command_has_a_manual_page() {
        let page = String::from_utf8(man(None).unwrap()).unwrap();
        assert!(
            page.contains(".TH hookwatch 1") && page.contains("hookwatch\\-snapshot(1)"),
            "{page}"
        );
        for command in Cli::command().get_subcommands() {
            let page = String::from_utf8(man(Some(command.get_name())).unwrap()).unwrap();
            assert!(
                page.contains(&format!(".TH hookwatch-{} 1", command.get_name())),
                "{page}"
            );
        }
        assert!(man(Some("nope")).unwrap_err().contains(&"snapshot".to_owned()));
    }

    #[test]
    fn the_configuration_is_shown_with_origins() {
        let environment = Environment::from([("NATS_URL".to_owned(), "nats://env:4222".to_owned())]);
        let surroundings = Surroundings {
            environment: &environment,
            home: None,
        };
        let overrides = Overrides {
            stream: Some("hooks".to_owned()),
            ..Overrides::default()
        };
        let page = config_page(&resolve(&overrides, &surroundings).unwrap());
        assert!(page.starts_with("# no configuration file\n"), "{page}");
        let line = |key: &str| page.lines().find(|line| line.starts_with(&format!("{key} "))).unwrap();
        assert!(line("nats.url").ends_with("environment NATS_URL"), "{page}");
        assert!(line("pipeline.stream").contains("hooks") && line("pipeline.stream").ends_with("flag --stream"));
        assert!(line("thresholds.lag_warning").contains("5s") && page.trim_end().ends_with("default"));
    }
}
