//! Dead letters on the command line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::act::audit::AuditLog;
use crate::act::fire::SecretSource;
use crate::act::journal::{Folder, Settlement};
use crate::act::replay::{Resume, Timing};
use crate::base::json_match::JsonMatch;
use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::cli::{Cli, ConsentArgs, DlqCommand, FilterArgs, Form, FormArgs, GroupKey, ImportArgs, InDoubt, ReplayArgs};
use crate::headless::dlq::action::ActionContext;
use crate::headless::dlq::browse::{BrowseError, Browser};
use crate::headless::dlq::consent::Consent;
use crate::headless::dlq::import::ImportOptions;
use crate::headless::dlq::replay::ReplayOptions;
use crate::headless::dlq::retry::RetryOptions;
use crate::headless::dlq::{audit, import, replay, retry};
use crate::model::letters::{GroupBy, LetterFilter};
use crate::sample::LetterForm;
use crate::signature::{Scheme, Signer, UnknownScheme};
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, Program, block_on, complain, until_interrupted};

impl Program<'_> {
    /// What is done with dead letters.
    pub(crate) fn dlq(&self, cli: &Cli, command: &DlqCommand) -> Result<u8, Failure> {
        match command {
            DlqCommand::List(args) => {
                let filter = filter(&args.filter, self.clock.now().at)?;
                let (max, json) = (args.max, args.json);
                self.browse(cli, args.form, async |mailbox| {
                    mailbox.list(&filter, max, json, &mut lines()).await
                })
            }
            DlqCommand::Show(args) => {
                let (sequence, json) = (args.sequence, args.json);
                self.browse(cli, args.form, async |mailbox| {
                    mailbox.show(sequence, json, &mut lines()).await
                })
            }
            DlqCommand::Groups(args) => {
                let filter = filter(&args.filter, self.clock.now().at)?;
                let (by, json) = (group_by(args.by), args.json);
                self.browse(cli, args.form, async |mailbox| {
                    mailbox.groups(&filter, by, json, &mut lines()).await
                })
            }
            DlqCommand::Export(args) => {
                let filter = filter(&args.filter, self.clock.now().at)?;
                let most = args.max.unwrap_or(u64::MAX);
                self.browse(cli, args.form, async |mailbox| {
                    let mut file = BufWriter::new(create(&args.file, args.force)?);
                    let seen = mailbox.export(&filter, most, &mut file).await?;
                    let shown = args.file.display().to_string();
                    complain(&format!("{} in {shown}", text::counted(seen, "letter", "letters")));
                    Ok(())
                })
            }
            DlqCommand::Import(args) => self.import(cli, args),
            DlqCommand::Retry(args) => {
                let context = self.surroundings_of_an_action(cli)?;
                let options = RetryOptions {
                    reason_like: args.reason_like.clone(),
                    ids: args.ids.as_ref().map(|ids| ids.iter().cloned().collect()),
                    max: args.max,
                    consent: consent(&args.consent),
                    json: args.json,
                };
                let (out, err) = (&mut io::stdout(), &mut io::stderr());
                block_on(until_interrupted(Box::pin(retry::retry(&options, &context, out, err))))?
            }
            DlqCommand::Replay(args) => self.replay(cli, args, false),
            DlqCommand::Archive(args) => self.replay(cli, args, true),
            DlqCommand::Audit(args) => {
                let log = AuditLog::new(&self.state()?, self.resolve(cli)?.profile.redactor);
                Ok(audit::audit(&log, args.json, &mut io::stdout(), &mut io::stderr()))
            }
        }
    }

    /// Reads letters. ^C ends it; a reader that has gone away (`| head`) has seen enough.
    fn browse(
        &self,
        cli: &Cli,
        form: FormArgs,
        read: impl AsyncFnOnce(&Browser) -> Result<(), BrowseError>,
    ) -> Result<u8, Failure> {
        let resolved = self.resolve(cli)?;
        // Without a home there are no journals, and nothing of ours to subtract.
        let journals = self.state().ok().map(|state| Folder::new(&state, self.clock.clone()));
        let reading = async {
            let (profile, clock) = (&resolved.profile, &self.clock);
            let mailbox = match form_of(form.form) {
                LetterForm::Copy => Browser::open(profile, clock).await?,
                form => Browser::open_source(profile, form, journals.as_ref(), clock).await?,
            };
            read(&mailbox).await
        };
        match block_on(until_interrupted(Box::pin(reading)))?? {
            Ok(()) => Ok(0),
            Err(BrowseError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            Err(error @ BrowseError::Write(_)) => Err(Failure::Failed(error.to_string())),
            Err(error) => {
                let error = resolved.profile.redactor.clean(&error.to_string()).into_owned();
                Err(Failure::Refused(vec![error]))
            }
        }
    }

    fn surroundings_of_an_action(&self, cli: &Cli) -> Result<ActionContext, Failure> {
        Ok(ActionContext {
            profile: self.resolve(cli)?.profile,
            who: self.operator(),
            state: self.state()?,
            clock: self.clock.clone(),
            terminal: io::stderr().is_terminal(),
        })
    }

    fn import(&self, cli: &Cli, args: &ImportArgs) -> Result<u8, Failure> {
        let context = self.surroundings_of_an_action(cli)?;
        let name = args.file.display().to_string();
        let letters: Box<dyn BufRead> = if name == "-" {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&args.file).map_err(|error| {
                Failure::Refused(vec![format!(
                    "read {}: {error} → check path and rights",
                    text::safe(&name)
                )])
            })?;
            Box::new(BufReader::new(file))
        };
        let options = ImportOptions {
            name,
            consent: consent(&args.consent),
            json: args.json,
        };
        let (out, err) = (&mut io::stdout(), &mut io::stderr());
        let importing = Box::pin(import::import(&options, &context, letters, out, err));
        block_on(until_interrupted(importing))?
    }

    fn replay(&self, cli: &Cli, args: &ReplayArgs, archive: bool) -> Result<u8, Failure> {
        let mut context = self.surroundings_of_an_action(cli)?;
        let options = ReplayOptions {
            signer: self.signer(args, &mut context.profile.redactor)?,
            ..options(args, archive, self.clock.now().at)?
        };
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

    /// What signs letters anew.
    fn signer(&self, args: &ReplayArgs, redactor: &mut Redactor) -> Result<Option<Signer>, Failure> {
        let Some(scheme) = &args.sign else { return Ok(None) };
        let refused = |reason: String| Failure::Refused(vec![reason]);
        let scheme: Scheme = scheme
            .parse()
            .map_err(|error: UnknownScheme| refused(format!("--sign: {error} → {}", error.next())))?;
        if scheme == Scheme::Twilio && args.to_url.is_none() {
            return Err(refused(
                "--sign twilio signs the URL that is requested → give --to-url".to_owned(),
            ));
        }
        let source = match (&args.secret_env, &args.secret_file) {
            (Some(variable), _) => SecretSource::Variable(variable.clone()),
            (None, Some(file)) => SecretSource::File(file.clone()),
            (None, None) => {
                return Err(refused(
                    "--sign needs a key → --secret-env VARIABLE or --secret-file FILE".to_owned(),
                ));
            }
        };
        let secret = source
            .read(self.surroundings.environment)
            .map_err(|error| refused(error.to_string()))?;
        redactor.learn(secret.expose_secret());
        let signer = Signer::new(&scheme, &secret).map_err(|error| refused(error.to_string()))?;
        Ok(Some(signer))
    }

    /// Where journals and the audit log are kept.
    pub(crate) fn state(&self) -> Result<PathBuf, Failure> {
        let folder = self.surroundings.state_folder().map(|folder| folder.join("hookwatch"));
        folder.ok_or_else(|| Failure::Refused(vec!["there is no home folder → set HOME or XDG_STATE_HOME".to_owned()]))
    }

    /// `user@host`, as other operators see us.
    pub(crate) fn operator(&self) -> Arc<str> {
        let user = ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| self.surroundings.variable(name));
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        text::safe(&format!("{}@{host}", user.unwrap_or("unknown"))).into()
    }
}

/// Standard output, a line at a time where somebody watches.
fn lines() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

fn create(path: &Path, force: bool) -> Result<File, io::Error> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AlreadyExists => "it exists → another name, or --force".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("{}: {reason}", path.display()))
    })
}

fn consent(args: &ConsentArgs) -> Consent {
    Consent {
        write: args.write,
        yes: args.yes,
        confirm_profile: args.confirm_profile.clone(),
        reason: args.reason.clone(),
    }
}

fn form_of(form: Form) -> LetterForm {
    match form {
        Form::Copy => LetterForm::Copy,
        Form::Parked => LetterForm::Parked,
        Form::Orphaned => LetterForm::Orphaned,
    }
}

fn group_by(key: GroupKey) -> GroupBy {
    match key {
        GroupKey::Cause => GroupBy::Cause,
        GroupKey::Provider => GroupBy::Provider,
        GroupKey::Subject => GroupBy::Subject,
        GroupKey::Hour => GroupBy::Hour,
    }
}

fn options(args: &ReplayArgs, archive: bool, now: Timestamp) -> Result<ReplayOptions, Failure> {
    let settlement = args.in_doubt.map(|what| match what {
        InDoubt::Resend => Settlement::Resend,
        InDoubt::Keep => Settlement::Keep,
        InDoubt::Drop => Settlement::Drop,
    });
    Ok(ReplayOptions {
        filter: filter(&args.filter, now)?,
        in_source: args.form.form != Form::Copy,
        archive,
        consent: consent(&args.consent),
        rate: args.rate,
        canary: args.canary,
        to_subject: args.to_subject.clone(),
        to_url: args.to_url.clone(),
        payload: args.payload.as_deref().map(payload).transpose()?,
        signer: None,
        max: args.max,
        ordered: args.ordered,
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

/// The bytes of a file, or of standard input where it is `-`.
fn payload(path: &Path) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map(Bytes::from).map_err(|error| {
        let shown = text::safe(&path.display().to_string()).into_owned();
        Failure::Refused(vec![format!(
            "--payload: read {shown}: {error} → check path and rights"
        )])
    })
}

fn filter(args: &FilterArgs, now: Timestamp) -> Result<LetterFilter, Failure> {
    let refused = |reason| Failure::Refused(vec![reason]);
    let ids = args.ids.as_deref().map(LetterFilter::parse_ids).transpose();
    let matching = args.matching.iter().map(|typed| match JsonMatch::parse(typed) {
        Ok(wanted) => Ok((typed.clone(), wanted)),
        Err(reason) => Err(format!(
            "--match {}: {reason} → write it like $.data.status=failed",
            text::safe(typed)
        )),
    });
    let (since, until) = (args.since.map(|when| when.at(now)), args.until.map(|when| when.at(now)));
    if since.is_some() && until.is_some() && since > until {
        return Err(refused("--since lies after --until → exchange them".to_owned()));
    }
    Ok(LetterFilter {
        provider: args.provider.clone(),
        event: args.event.clone(),
        reason_like: args.reason_like.clone(),
        ids: ids.map_err(refused)?,
        upto: None,
        since,
        until,
        matching: matching.collect::<Result<_, _>>().map_err(refused)?,
        text: args.text.clone(),
        group: args.cause.as_deref().map(|cause| (GroupBy::Cause, cause.into())),
    })
}
