//! The example file: whole, true, and with every default.

use super::*;

/// The example with every key in force: `#key = …` and `#[[…]]` become `key = …` and `[[…]]`.
fn whole_example() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    // The list of URLs and the tables are two ways to say the same.
    lines
        .filter(|line| !line.starts_with("targets = "))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The paths of the keys in a document, profiles' keys as if they stood at the top.
fn paths(value: &toml::Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = match path {
                    "" | "@" => key.clone(),
                    "profile" => "@".to_owned(),
                    "metrics.targets.headers" | "probes.headers" | "fire.secrets" | "fire.schemes" | "runbooks" => {
                        format!("{path}.*")
                    }
                    _ => format!("{path}.{key}"),
                };
                paths(value, &path, out);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for item in items {
                paths(item, path, out);
            }
        }
        _ => {
            out.insert(path.to_owned());
        }
    }
}

#[test]
fn the_example_holds_as_it_stands() {
    let resolved = Case::new().config(EXAMPLE).ok();
    assert_eq!(&*resolved.profile.name, "local");
    assert_eq!(servers(&resolved), ["nats://127.0.0.1:4222"]);
    assert_eq!(resolved.warnings, Vec::<String>::new());
}

#[test]
fn every_key_is_in_the_example_and_no_other() {
    let whole = whole_example();
    let (_, problems) = Reader::read::<FileSection>(Path::new("example.toml"), &whole);
    assert_eq!(problems, []);
    let mut shown = BTreeSet::new();
    paths(&toml::from_str(&whole).unwrap(), "", &mut shown);
    let mut keys = Vec::new();
    FileSection::section_keys("", &mut keys);
    assert_eq!(shown, keys.into_iter().collect::<BTreeSet<_>>());
}

#[test]
fn the_examples_values_are_the_defaults_where_there_are_defaults() {
    let defaults = ["thresholds", "metrics.names"];
    let whole = whole_example();
    for section in defaults {
        let header = format!("[profile.local.{section}]");
        let text = whole.split(&header).nth(1).unwrap().split("\n[").next().unwrap();
        let resolved = Case::new().config(&format!("[{section}]{text}")).ok();
        let thresholds = Thresholds {
            // That it is configured is the one difference.
            lag_set: false,
            ..resolved.profile.thresholds
        };
        assert_eq!(thresholds, Thresholds::default());
        assert_eq!(resolved.profile.families, Families::default());
    }
    let (file, _) = Reader::read::<FileSection>(Path::new("example.toml"), &whole);
    let local = &file.profile["local"];
    let plain = Case::new()
        .config("[metrics]\ntargets = ['a']\n[postgres]\nurl = 'postgres://a/b'\n")
        .ok()
        .profile;
    assert_eq!(
        local.metrics.0.interval.as_ref().unwrap().value,
        plain.targets[0].interval
    );
    assert_eq!(
        local.metrics.0.timeout.as_ref().unwrap().value,
        plain.targets[0].timeout
    );
    let postgres = plain.postgres.unwrap();
    assert_eq!(
        local.postgres.statement_timeout.as_ref().unwrap().value,
        postgres.statement_timeout
    );
    assert_eq!(local.postgres.pool.as_ref().unwrap().value, postgres.pool);
}

#[test]
fn every_family_has_a_default_name_and_a_key_of_its_own() {
    let named: BTreeSet<Family> = Families::default().names.values().copied().collect();
    assert_eq!(named, Family::ALL.iter().copied().collect());
    let keys: BTreeSet<&str> = Family::ALL.iter().map(|family| family.key()).collect();
    assert_eq!(keys.len(), Family::ALL.len());
}
