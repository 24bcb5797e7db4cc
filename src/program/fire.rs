//! Test webhooks.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::act::fire::{Order, SecretSource};
use crate::base::text;
use crate::cli::{Cli, FireArgs};
use crate::config::Tls;
use crate::headless::fire::{self, Batch, FireContext, FireOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, Program, complain};

impl Program<'_> {
    /// The user's templates.
    pub(crate) fn templates(&self) -> Option<PathBuf> {
        let folder = self.surroundings.config_folder()?;
        Some(folder.join("hookwatch").join("templates"))
    }

    /// Fires, or lists, shows and saves what can be fired.
    pub(crate) fn fire(&self, cli: &Cli, args: &FireArgs) -> Result<u8, Failure> {
        let resolved = self.resolve(cli)?;
        let context = FireContext {
            environment: self.surroundings.environment.clone(),
            templates: self.templates(),
            profile: resolved.profile,
            is_live: io::stderr().is_terminal(),
            clock: self.clock.clone(),
        };
        let (mut out, mut err) = (io::stdout(), io::stderr());
        if args.list {
            return Ok(fire::list(&context, args.json, &mut out, &mut err));
        }
        if let Some(name) = &args.show {
            return Ok(fire::show(name, &context, &mut out, &mut err));
        }
        if let Some([file, name]) = args.save_from.as_deref() {
            return Ok(fire::save(Path::new(file), name, &context, &mut out, &mut err));
        }
        let mut options = options(args);
        if let Some(host) = fire::host_to_confirm(&options, &context) {
            options.yes = confirm(&host)?;
        }
        // A runtime of its own: a load wants every core.
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let stop = CancellationToken::new();
            let stopping = stop.clone();
            let listener = tokio::spawn(async move {
                interrupt.recv().await;
                stopping.cancel();
            });
            let code = fire::fire(&options, &context, stop, &mut out, &mut err).await;
            listener.abort();
            Ok(code)
        })
    }
}

/// Asks for a host's name where somebody can type it; elsewhere --yes says that it is meant.
fn confirm(host: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    let shown = text::safe(host);
    write!(
        io::stderr(),
        "{shown} is neither on this machine nor listed in the profile. Type its name to fire at it: "
    )?;
    io::stderr().flush()?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == host {
        return Ok(true);
    }
    complain("not confirmed: nothing was fired");
    Err(Failure::Refused(Vec::new()))
}

fn options(args: &FireArgs) -> FireOptions {
    let secret = match (&args.secret_env, &args.secret_file, &args.secret) {
        (Some(variable), ..) => Some(SecretSource::Variable(variable.clone())),
        (_, Some(file), _) => Some(SecretSource::File(file.clone())),
        (.., Some(secret)) => Some(SecretSource::Given(secret.clone().into())),
        _ => None,
    };
    FireOptions {
        order: Order {
            template: args.template.clone().unwrap_or_default(),
            to: args.to.clone(),
            scheme: args.scheme.clone(),
            secret,
            set: args.set.clone(),
            body: None,
        },
        count: args.count,
        duration: args.lasts,
        rate: args.rate,
        burst: args.burst,
        concurrency: args.concurrency,
        batch: args.batch.map(|batch| Batch {
            size: batch.size,
            within: batch.within,
        }),
        timeout: args.timeout,
        retries: args.retries,
        http2: args.http2,
        variant: args.variant.clone(),
        selftest: args.selftest,
        trace: args.trace,
        every: args.every,
        expect: args.expect.clone(),
        seed: args.seed,
        tls: Tls {
            ca: args.ca.clone(),
            ..Tls::default()
        },
        yes: args.yes,
        json: args.json,
    }
}
