//! Where functions stand in the program, and how its table of relocations is written.
//!
//! A console runs an eighth of the program. The kernel brings a program into memory 64 KiB at a
//! time, so what runs, scattered among what does not, brings nearly all of it along (16 MB instead
//! of 8). `src/program/layout.txt` names the functions that a console runs; here the names become a
//! linker script that puts these functions side by side. It adds to the linker's own and is
//! understood by lld and GNU ld.
//!
//! The list is written by `make layout`. It may be out of date: a name that no function has is
//! passed over, and a function that is not named stands where it always did.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

const LIST: &str = "src/program/layout.txt";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={LIST}");
    if !takes_scripts() {
        return Ok(());
    }
    let mut script = String::from("SECTIONS\n{\n  .text.console :\n  {\n    *(\n");
    for name in fs::read_to_string(LIST)?.lines().filter(|line| !line.starts_with('#')) {
        // Functions that are seldom called bear the compiler's prefix.
        writeln!(script, "      .text.{name} .text.unlikely.{name}")?;
    }
    script.push_str("    )\n  }\n}\nINSERT BEFORE .text;\n");
    let folder = variable("OUT_DIR").ok_or("cargo says where to write to")?;
    let path = PathBuf::from(folder).join("layout.ld");
    fs::write(&path, script)?;
    println!("cargo::rustc-link-arg-bins=-T{}", path.display());
    if packs_relocations() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    Ok(())
}

/// Whether this machine's C library reads packed relocations: a table of a megabyte, all of which
/// is read at every start, becomes one of a few kilobytes.
fn packs_relocations() -> bool {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = said.ok().and_then(|text| {
        let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    });
    // Elsewhere the program would not start. Who builds for another machine gets the plain table.
    version.is_some_and(|version| version >= (2, 36)) && variable("HOST") == variable("TARGET")
}

/// Whether a release is linked by the linker that the compiler chooses on Linux. Whoever chose
/// another one may have one that takes no scripts.
fn takes_scripts() -> bool {
    let chosen = variable("RUSTC_LINKER").is_some()
        || variable("CARGO_ENCODED_RUSTFLAGS").is_some_and(|flags| flags.contains("link"));
    let is = |name: &str, value: &str| variable(name).is_some_and(|found| found == value);
    is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && !chosen
}

#[expect(clippy::disallowed_methods, reason = "how cargo speaks to a build script")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}
