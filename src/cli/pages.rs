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

/// The manual page of the program, or of one of its commands: `lab`, `lab up`, or as pages name
/// each other, `lab-up`.
///
/// # Errors
/// When there is no such command; the names of those that there are.
pub fn man(name: &[String]) -> Result<Vec<u8>, Vec<String>> {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    for word in name.iter().flat_map(|name| name.split('-')) {
        command = command.find_subcommand(word).ok_or_else(|| {
            command
                .get_subcommands()
                .map(|c| c.get_name().to_owned())
                .collect::<Vec<_>>()
        })?;
    }
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(command.clone()).source(concat!("hookwatch ", env!("CARGO_PKG_VERSION")));
    let rendered: io::Result<()> = manual.render(&mut page);
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
        let man = |words: &[&str]| man(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        let page = String::from_utf8(man(&[]).unwrap()).unwrap();
        assert!(
            page.contains(".TH hookwatch 1") && page.contains("hookwatch\\-snapshot(1)"),
            "{page}"
        );
        let mut root = Cli::command();
        root.build();
        for command in root.get_subcommands() {
            let name = command.get_name();
            let page = String::from_utf8(man(&[name]).unwrap()).unwrap();
            assert!(page.contains(&format!(".TH hookwatch-{name} 1")), "{page}");
            // And so has every one that its page names.
            let nested = command
                .get_subcommands()
                .filter(|sub| name != "help" && !sub.is_hide_set());
            for sub in nested {
                let sub = sub.get_name();
                assert!(page.contains(&format!("hookwatch\\-{name}\\-{sub}(1)")), "{page}");
                let words = String::from_utf8(man(&[name, sub]).unwrap()).unwrap();
                assert!(words.contains(&format!(".TH hookwatch-{name}-{sub} 1")), "{words}");
                let dashed = format!("{name}-{sub}");
                assert_eq!(man(&[dashed.as_str()]).unwrap(), words.into_bytes());
            }
        }
        assert!(man(&["nope"]).unwrap_err().contains(&"snapshot".to_owned()));
        assert!(man(&["lab", "nope"]).unwrap_err().contains(&"up".to_owned()));
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
