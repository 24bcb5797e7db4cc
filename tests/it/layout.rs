//! The list of functions that a console runs (`src/program/layout.txt`) still fits the program.

use std::fs;
use std::path::{Path, PathBuf};

/// Of the program's own functions on the list, how many may be gone before it is to be written anew.
const GONE: f64 = 0.2;

/// The names in a symbol `_ZN9hookwatch5model5Model4take17h*`, outermost first.
fn segments(symbol: &str) -> Option<Vec<&str>> {
    let mut rest = symbol.strip_prefix("_ZN")?.strip_suffix("17h*")?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let length: usize = rest[..digits].parse().ok()?;
        found.push(rest.get(digits..digits + length)?);
        rest = &rest[digits + length..];
    }
    Some(found)
}

/// The file of the module that a path begins with.
fn file_of(path: &[&str]) -> PathBuf {
    let mut module = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for name in &path[1..] {
        let inner = module.join(name);
        if !inner.is_dir() && !inner.with_extension("rs").is_file() {
            break;
        }
        module = inner;
    }
    let beside = module.with_extension("rs");
    if beside.is_file() {
        beside
    } else {
        module.join("mod.rs")
    }
}

/// Whether a function stands where its path says.
fn is_there(path: &[&str]) -> bool {
    let Some(name) = path.iter().rev().find(|name| !name.contains('$')) else {
        return false;
    };
    fs::read_to_string(file_of(path)).is_ok_and(|code| code.contains(&format!("fn {name}")))
}

#[test]
fn most_functions_on_the_list_are_still_where_they_were() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/program/layout.txt");
    let list = fs::read_to_string(list).unwrap();
    let own: Vec<Vec<&str>> = list
        .lines()
        .filter_map(segments)
        .filter(|path| path[0] == "hookwatch")
        .collect();
    let gone: Vec<String> = own
        .iter()
        .filter(|path| !is_there(path))
        .map(|path| path.join("::"))
        .collect();
    assert!(own.len() > 100, "{} functions", own.len());
    assert!(
        gone.len() as f64 <= GONE * own.len() as f64,
        "{} of {} are gone: make layout\n{}",
        gone.len(),
        own.len(),
        gone.join("\n")
    );
}

#[test]
fn a_symbol_is_taken_apart() {
    let path = segments("_ZN9hookwatch5model5Model4take17h*").unwrap();
    assert_eq!(path, ["hookwatch", "model", "Model", "take"]);
    assert_eq!(segments("ZSTD_compress"), None);
}
