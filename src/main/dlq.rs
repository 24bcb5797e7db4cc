//! Dead letters on the command line.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use hookwatch::act::audit::AuditLog;
use hookwatch::act::journal::Settlement;
use hookwatch::act::replay::{Resume, Timing};
use hookwatch::base::text;
use hookwatch::cli::{Cli, DlqCommand, FilterArgs, InDoubt, ReplayArgs};
use hookwatch::headless::dlq::replay::{ReplayContext, ReplayOptions};
use hookwatch::headless::dlq::{LetterFilter, audit, replay};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{Failure, Program, block_on};

impl Program<'_> {
    /// What is done with dead letters.
    pub(crate) fn dlq(&self, cli: &Cli, command: &DlqCommand) -> Result<u8, Failure> {
        match command {
            DlqCommand::Replay(args) => self.replay(cli, args, false),
            DlqCommand::Archive(args) => self.replay(cli, args, true),
            DlqCommand::Audit(args) => {
                let log = AuditLog::new(&self.state()?, self.resolve(cli)?.profile.redactor);
                Ok(audit::audit(&log, args.json, &mut io::stdout(), &mut io::stderr()))
            }
        }
    }

    fn replay(&self, cli: &Cli, args: &ReplayArgs, archive: bool) -> Result<u8, Failure> {
        let resolved = self.resolve(cli)?;
        let context = ReplayContext {
            profile: resolved.profile,
            who: self.operator(),
            state: self.state()?,
            clock: self.clock.clone(),
            terminal: io::stderr().is_terminal(),
        };
        let options = options(args, archive)?;
        block_on(async {
            let stop = CancellationToken::new();
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let asked = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                asked.cancel();
            });
            let (out, err) = (&mut io::stdout(), &mut io::stderr());
            Ok(Box::pin(replay::replay(&options, &context, stop, out, err)).await)
        })?
    }

    /// Where journals and the audit log are kept.
    fn state(&self) -> Result<PathBuf, Failure> {
        let folder = self.surroundings.state_folder().map(|folder| folder.join("hookwatch"));
        folder.ok_or_else(|| Failure::Refused(vec!["there is no home folder → set HOME or XDG_STATE_HOME".to_owned()]))
    }

    /// `user@host`, as other operators see us.
    fn operator(&self) -> Arc<str> {
        let user = ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| self.surroundings.variable(name));
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        text::safe(&format!("{}@{host}", user.unwrap_or("unknown"))).into()
    }
}

fn options(args: &ReplayArgs, archive: bool) -> Result<ReplayOptions, Failure> {
    let settlement = args.in_doubt.map(|what| match what {
        InDoubt::Resend => Settlement::Resend,
        InDoubt::Keep => Settlement::Keep,
        InDoubt::Drop => Settlement::Drop,
    });
    Ok(ReplayOptions {
        filter: filter(&args.filter)?,
        archive,
        write: args.write,
        yes: args.yes,
        confirm_profile: args.confirm_profile.clone(),
        rate: args.rate,
        canary: args.canary,
        to_subject: args.to_subject.clone(),
        max: args.max,
        ordered: args.ordered,
        reason: args.reason.clone(),
        resume: args.resume.then(|| Resume {
            in_doubt: settlement,
            take_over: args.take_over.clone(),
        }),
        timing: Timing {
            lease: args.lease,
            verify: args.verify,
            follow: args.follow,
            ..Timing::default()
        },
        json: args.json,
    })
}

fn filter(args: &FilterArgs) -> Result<LetterFilter, Failure> {
    let ids = args.ids.as_deref().map(LetterFilter::parse_ids).transpose();
    Ok(LetterFilter {
        provider: args.provider.clone(),
        event: args.event.clone(),
        reason_like: args.reason_like.clone(),
        ids: ids.map_err(|reason| Failure::Refused(vec![reason]))?,
    })
}
