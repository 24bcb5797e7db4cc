//! The binary: arguments in, exit code out.

use std::process::ExitCode;

use hookwatch::base::time::SystemClock;
use hookwatch::lab;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["lab", "guard"] {
        return ExitCode::from(lab::guard::run(std::io::stdin(), std::io::stdout()));
    }
    let surroundings = lab::Surroundings {
        program: std::env::current_exe().unwrap_or_default(),
        environment: std::env::vars().collect(),
        clock: SystemClock::shared(),
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return ExitCode::FAILURE;
    };
    let options = lab::UpOptions {
        servers_only: true,
        lasts: None,
        json: arguments.iter().any(|argument| argument == "--json"),
    };
    ExitCode::from(runtime.block_on(lab::up_command(options, surroundings, &mut std::io::stdout())))
}
