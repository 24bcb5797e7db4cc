//! The binary: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["lab", "guard"] {
        return ExitCode::from(hookwatch::lab::guard::run(std::io::stdin(), std::io::stdout()));
    }
    ExitCode::from(2)
}
