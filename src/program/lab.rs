//! The demo, and the parts of the lab.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::cli::{Cli, DemoArgs, LabCommand, ScenarioArgs};
use crate::config::{self, Profile};
use crate::headless::Snapshot;
use crate::lab::scenario::Adjustment;
use crate::lab::{self, Demo, DemoOptions, FaultOptions, Host, LabError, LoadOptions, Traffic, UpOptions};
use crate::pipeline;
use crate::record::{RecorderState, Target};
use crate::session::{Session, Tap};

use super::console::{Watch, require_terminal};
use super::{Failure, Program, block_on, complain, print, until_interrupted};

/// Threads of a worker, which mostly waits for NATS and Postgres: each further one would only hold
/// memory of its own.
const WORKER_THREADS: usize = 1;

impl Program<'_> {
    /// What a lab needs of this process.
    fn host(&self) -> Result<Host, Failure> {
        Ok(Host {
            program: std::env::current_exe()?,
            environment: self.surroundings.environment.clone(),
            clock: self.clock.clone(),
        })
    }

    /// A private pipeline with a load, and a console on it.
    pub(crate) fn demo(&self, cli: &Cli, args: &DemoArgs) -> Result<u8, Failure> {
        if args.headless.is_none() {
            require_terminal()?;
        }
        let missing = lab::missing_servers(self.surroundings.environment);
        if args.recorded || !missing.is_empty() {
            return self.recorded_demo(cli, args, &missing);
        }
        let looks = config::console_options(&cli.overrides(), &self.surroundings)?;
        let options = DemoOptions {
            scenario: args.scenario.scenario.clone(),
            change: adjustment(&args.scenario),
        };
        let host = self.host()?;
        self.start_log(cli.log.as_deref(), &config::redactor_of(self.surroundings.environment))?;
        block_on(async {
            let started = until_interrupted(Box::pin(Demo::start(&options, host))).await?;
            let (demo, mut profile) = started.map_err(lab_failure)?;
            profile.read_only |= cli.overrides().read_only;
            let shown = match args.headless {
                Some(wait) => Box::pin(self.last_reading(&profile, wait, cli.record())).await,
                None => {
                    let keys = Some(demo.lab().signing_environment());
                    let (record, history) = (cli.record(), cli.history());
                    let watch = Watch {
                        profiles: &[&profile],
                        looks: &looks,
                        notices: Vec::new(),
                        demo: keys,
                        record,
                        history,
                    };
                    Box::pin(self.console(watch)).await.map(|code| (None, code))
                }
            };
            // The lab goes down whatever became of the reading, and only then it is printed.
            let down = demo.down().await.map_err(lab_failure);
            let (json, code) = shown?;
            if let Some(json) = json {
                print(format!("{json}\n").as_bytes())?;
            }
            down.map(|()| code)
        })?
    }

    /// What is known of a profile after a while, as JSON, and the exit code; recorded where a
    /// file is named.
    async fn last_reading(
        &self,
        profile: &Profile,
        wait: Duration,
        file: Option<&Path>,
    ) -> Result<(Option<String>, u8), Failure> {
        let Some(file) = file else {
            let snapshot = until_interrupted(Box::pin(Snapshot::take(profile, &self.clock, wait))).await?;
            return Ok((Some(snapshot.json()?), snapshot.exit_code()));
        };
        let session = Session::live(profile, &self.clock);
        let mut tap = Tap::new(profile, session.settings.clone());
        tap.record(Target::of(file, false), session.started)?;
        let watching = Box::pin(Snapshot::record(profile, session, tap, &self.clock, wait));
        let (snapshot, progress) = until_interrupted(watching).await?;
        complain(&progress.told());
        match progress.state {
            RecorderState::Stopped(reason) => Err(Failure::Failed(format!("the recording stopped: {reason}"))),
            _ => Ok((Some(snapshot.json()?), snapshot.exit_code())),
        }
    }

    /// One part of the lab, each a process of its own.
    pub(crate) fn lab(&self, cli: &Cli, command: &LabCommand) -> Result<u8, Failure> {
        if matches!(command, LabCommand::Guard) {
            return Ok(lab::guard::run(io::stdin(), io::stdout()));
        }
        let environment = self.surroundings.environment;
        self.start_log(cli.log.as_deref(), &config::redactor_of(environment))?;
        let host = self.host()?;
        let out = &mut io::stdout();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if matches!(command, LabCommand::Worker) {
            runtime.worker_threads(WORKER_THREADS);
        }
        let runtime = runtime.enable_all().build()?;
        Ok(runtime.block_on(async {
            match command.clone() {
                LabCommand::Up(args) => {
                    let options = UpOptions {
                        change: adjustment(&args.scenario),
                        scenario: args.scenario.scenario,
                        servers_only: args.servers_only,
                        lasts: args.lasts,
                        json: args.json,
                    };
                    lab::up_command(options, host, out).await
                }
                LabCommand::Load(args) => {
                    let options = LoadOptions {
                        to: args.to,
                        lab: args.lab,
                        traffic: Traffic {
                            rate: args.rate,
                            ..Traffic::default()
                        },
                        count: args.count,
                        lasts: args.lasts,
                        seed: args.seed,
                        json: args.json,
                    };
                    lab::load_command(options, host, out).await
                }
                LabCommand::Fault(args) => {
                    let options = FaultOptions {
                        what: args.what,
                        target: args.target,
                        value: args.value,
                        lasts: args.lasts,
                        undo: args.undo,
                        lab: args.lab,
                    };
                    lab::fault_command(options, environment).await
                }
                LabCommand::Gateway => part(pipeline::serve_gateway(environment).await),
                LabCommand::Worker => part(pipeline::serve_worker(environment).await),
                LabCommand::Guard => 0,
            }
        }))
    }
}

fn adjustment(args: &ScenarioArgs) -> Adjustment {
    Adjustment {
        workers: args.workers,
        rate: args.rate,
        seed: args.seed,
    }
}

fn lab_failure(error: LabError) -> Failure {
    match error {
        LabError::Missing(_) | LabError::Scenario(_) | LabError::Refused(_) => {
            Failure::Refused(vec![error.to_string()])
        }
        error => Failure::Failed(error.to_string()),
    }
}

/// The exit code of a part of the pipeline: 2 when its environment makes no sense.
fn part(outcome: Result<(), pipeline::Error>) -> u8 {
    let Err(error) = outcome else { return 0 };
    complain(&error.to_string());
    if matches!(error, pipeline::Error::Config(_)) {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::FAULTS;
    use crate::lab::scenario::What;

    #[test]
    fn every_fault_of_a_scenario_can_be_typed() {
        for fault in FAULTS {
            let read: Result<What, _> = serde_json::from_value(fault.into());
            assert!(read.is_ok(), "{fault}");
        }
        // The error lists them all.
        let error = serde_json::from_value::<What>("".into()).unwrap_err().to_string();
        let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(known.len(), FAULTS.len(), "{error}");
        assert!(known.iter().all(|name| FAULTS.contains(name)), "{error}");
    }
}
