//! The binary: arguments in, exit code out.

use std::process::ExitCode;

/// Nothing else is here: what is asynchronous in the library would be compiled once more for every
/// crate that calls it.
fn main() -> ExitCode {
    hookwatch::program::main()
}
