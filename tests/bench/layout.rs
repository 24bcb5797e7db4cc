//! The functions that a console runs, written down for `build.rs`: from its start until it has been
//! on screen for a while, with the help once.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::terminal::Terminal;
use crate::{Error, SIZE, has_rate, say};

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/program/layout.txt");

const HEAD: &str = "\
# The functions that a console runs, for build.rs. Written by `make layout`.
# A star stands for what differs between compilers and versions.
";

/// Under valgrind everything takes 50 times as long.
const PATIENCE: Duration = Duration::from_mins(2);

/// On screen for this long: the ring has sealed a chunk, and has begun the next one.
const WATCHED: Duration = Duration::from_secs(30);

/// Writes the list. Needs valgrind, and a program that was built with `strip = "none"`.
pub(crate) fn write(arguments: &[String]) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let calls = folder.path().join("calls");
    let mut words = vec![
        "--tool=callgrind".to_owned(),
        "--demangle=no".to_owned(),
        format!("--callgrind-out-file={}", calls.display()),
        format!("--log-file={}", folder.path().join("log").display()),
        env!("CARGO_BIN_EXE_hookwatch").to_owned(),
    ];
    words.extend_from_slice(arguments);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut console = Terminal::start_program(Path::new("valgrind"), &words, &[], SIZE.0, SIZE.1);
    console.wait("rates", PATIENCE, has_rate);
    console.press("?");
    console.wait("help", PATIENCE, |screen| screen.contains("Keys"));
    console.press("?");
    std::thread::sleep(WATCHED);
    console.press("q");
    console.end(PATIENCE);
    let names = functions(&fs::read_to_string(&calls)?);
    if names.len() < 1_000 {
        return Err(format!("{} functions with a name: CARGO_PROFILE_BENCH_STRIP=none", names.len()).into());
    }
    let lines: Vec<&str> = names.iter().map(String::as_str).collect();
    fs::write(LIST, format!("{HEAD}{}\n", lines.join("\n")))?;
    say(&format!("{LIST}: {} functions", names.len()));
    Ok(())
}

/// The program's functions in callgrind's report, as patterns. Names of objects and functions are
/// given once, with a number, and by their number from then on.
fn functions(report: &str) -> BTreeSet<String> {
    let (mut objects, mut names) = (HashMap::<&str, &str>::new(), HashMap::new());
    let mut is_own = false;
    let mut found = BTreeSet::new();
    for line in report.lines() {
        let Some((key, rest)) = line.split_once("=(") else {
            continue;
        };
        let known = match key {
            "ob" | "cob" => &mut objects,
            "fn" | "cfn" => &mut names,
            _ => continue,
        };
        let Some((number, name)) = rest.split_once(')') else {
            continue;
        };
        if !name.is_empty() {
            known.insert(number, name.trim());
        }
        let name = known.get(number).copied().unwrap_or_default();
        match key {
            // Of a program with two sections of code, valgrind gives only one to the program.
            "ob" => is_own = name == env!("CARGO_BIN_EXE_hookwatch") || name == "???",
            "fn" if is_own => found.extend(pattern(name)),
            _ => {}
        }
    }
    found
}

/// A function's name with stars for the hashes in it.
fn pattern(name: &str) -> Option<String> {
    // Recursion is counted behind an apostrophe.
    let name = name.split('\'').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
    if name.starts_with("0x") || !name.chars().all(plain) {
        return None;
    }
    if name.starts_with("_ZN") {
        let (path, _) = name.rsplit_once("17h")?;
        return Some(format!("{path}17h*"));
    }
    let name = name.split(".llvm.").next()?;
    if !name.starts_with("_R") {
        return Some(name.to_owned());
    }
    // Crates, in the compiler's newer names: `Cs`, a hash, `_`, the length of the name, the name.
    let mut out = String::new();
    let mut rest = name;
    while let Some((before, hashed)) = rest.split_once("Cs") {
        out.push_str(before);
        match hashed.split_once('_') {
            Some((hash, after)) if hash.len() > 8 && hash.chars().all(char::is_alphanumeric) => {
                out.push_str("Cs*_");
                rest = after;
            }
            _ => {
                out.push_str("Cs");
                rest = hashed;
            }
        }
    }
    out.push_str(rest);
    Some(format!("{out}*"))
}
