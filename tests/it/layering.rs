//! The arrows between the rooms, as the map in `src/lib.rs` draws them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms that it may use. `console/run`, `console/outside.rs` and
/// `console/terminal.rs` are a room of their own: the loop, what it does, and the terminal. `program`
/// may use anything.
const ARROWS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("config", &["base"]),
    ("sample", &["base"]),
    ("signature", &["base"]),
    ("observe", &["base", "config", "sample"]),
    ("model", &["base", "config", "sample"]),
    ("record", &["base", "sample"]),
    ("act", &["base", "config", "sample", "signature", "model", "observe"]),
    (
        "session",
        &["base", "config", "sample", "observe", "record", "act", "model"],
    ),
    ("console", &["base", "config", "sample", "model", "act"]),
    (
        "console::run",
        &[
            "base", "config", "sample", "model", "act", "console", "session", "export", "record",
        ],
    ),
    ("export", &["base", "config", "sample", "model", "record", "console"]),
    (
        "headless",
        &[
            "base",
            "config",
            "sample",
            "observe",
            "session",
            "model",
            "export",
            "act",
            "record",
            "signature",
        ],
    ),
    ("pipeline", &["base", "config", "signature"]),
    ("lab", &["base", "config", "pipeline", "act", "signature"]),
    ("cli", &["base", "config"]),
    ("program", &["*"]),
    ("main", &["program"]),
    ("lib", &["*"]),
];

/// Rooms that are pure: no runtime, no client crate, no clock, no randomness, no hash map.
const PURE: &[&str] = &["sample", "model", "console"];
const IMPURE: &[&str] = &[
    "tokio",
    "async_nats",
    "reqwest",
    "sqlx",
    "rand",
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::net",
];

struct File {
    room: String,
    path: PathBuf,
    /// The file without comments and without its test modules.
    code: String,
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&root).unwrap().to_path_buf();
                let code = production_code(&fs::read_to_string(&path).unwrap());
                files.push(File {
                    room: room_of(&inside),
                    path: inside,
                    code,
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn room_of(inside: &Path) -> String {
    let text = inside.to_str().unwrap();
    let is_loop = ["console/run.rs", "console/outside.rs", "console/terminal.rs"].contains(&text);
    if is_loop || text.starts_with("console/run/") {
        return "console::run".to_owned();
    }
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|c| {
        let name = c.as_os_str().to_str().unwrap();
        name == "tests" || name == "tests.rs" || name.starts_with("test_") || name.ends_with("_tests.rs")
    })
}

/// Cuts comments and everything from `#[cfg(test)]` on: tests stand last in a file.
fn production_code(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        if !line.starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Rooms that a text uses: `crate::room` and `use crate::{a::…, b::…}`.
fn used_rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        rooms.insert(first_segment(&word));
                        word.clear();
                    }
                    c if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            rooms.insert(first_segment(&word));
        } else {
            rooms.insert(first_segment(rest));
        }
    }
    rooms.remove("");
    rooms
}

fn first_segment(path: &str) -> String {
    path.trim()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn every_arrow_is_on_the_map() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    for file in files() {
        if is_test_file(&file.path) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == file.room) else {
            wrong.push(format!(
                "{}: room `{}` is not on the map",
                file.path.display(),
                file.room
            ));
            continue;
        };
        if allowed.contains(&"*") {
            continue;
        }
        for used in used_rooms(&file.code) {
            if used != file.room && known.contains(used.as_str()) && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {} → {used}", file.path.display(), file.room));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that are not on the map:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn pure_rooms_know_no_runtime_no_client_and_no_clock() {
    let mut wrong = Vec::new();
    for file in files() {
        if !PURE.contains(&file.room.as_str()) || is_test_file(&file.path) {
            continue;
        }
        for line in file.code.lines() {
            for word in IMPURE {
                if names(line, word) {
                    wrong.push(format!("{}: {line}", file.path.display()));
                }
            }
            if file.room != "console" && names(line, "ratatui") {
                wrong.push(format!("{}: {line}", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "impure:\n{}", wrong.join("\n"));
}

#[test]
fn colours_are_named_in_the_theme_alone() {
    let mut wrong = Vec::new();
    for file in files() {
        let inside = file.path.to_str().unwrap();
        if !inside.starts_with("console") || inside.starts_with("console/theme") || is_test_file(&file.path) {
            continue;
        }
        wrong.extend(
            file.code
                .lines()
                .filter(|line| names(line, "Color"))
                .map(|line| format!("{inside}: {line}")),
        );
    }
    assert!(wrong.is_empty(), "colours outside the theme:\n{}", wrong.join("\n"));
}

/// Whether `word` stands in `line` as a whole word.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside(before) && !inside(after)
    })
}

#[test]
fn the_check_itself_sees_every_form_of_an_arrow() {
    let code = "use crate::{base::{text, time}, observe::jetstream};\nlet x = crate::model::View;";
    let rooms: Vec<_> = used_rooms(code).into_iter().collect();
    assert_eq!(rooms, ["base", "model", "observe"]);
    assert!(names("use tokio::sync;", "tokio"));
    assert!(!names("let tokio_like = 1;", "tokio"));
}
