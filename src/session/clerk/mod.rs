//! Who answers a console's questions about dead letters and does what it orders. Every question
//! is a task of its own: of each slot the latest is answered, and the screen waits for none.

mod others;
mod plan;
mod read;
mod replay;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::act::audit::AuditLog;
use crate::act::fire::Library;
use crate::act::journal::Folder;
use crate::act::letters::{Answer, Order, Query, Request, Slot, Told};
use crate::act::replay::Steering;
use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{Environment, NatsLink, PostgresLink, Profile};
use crate::observe::letters::{LetterError, Mailbox};
use crate::sample::LetterForm;

/// Answers that may wait for the screen.
const QUEUE: usize = 64;

/// A search waits so long before it begins: while somebody types, only the last one does.
const TYPING: Duration = Duration::from_millis(120);

/// What answers need of their surroundings.
#[derive(Clone)]
pub struct Setting {
    /// The profile.
    pub profile: Profile,
    /// Where keys are looked up that letters are signed with.
    pub environment: Environment,
    /// The templates: they know how a provider signs.
    pub library: Arc<Library>,
    /// Who: `user@host`.
    pub who: Arc<str>,
    /// The program's state folder; `None`: there is no home, and nothing can be journalled.
    pub state: Option<PathBuf>,
    /// The clock.
    pub clock: SharedClock,
}

impl fmt::Debug for Setting {
    /// The environment may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Setting");
        shown.field("profile", &self.profile.name).field("who", &self.who);
        shown.finish_non_exhaustive()
    }
}

/// Who answers and does. What it does ends with it; a replay then is as if it was killed, and can
/// be resumed.
#[derive(Debug)]
pub struct Clerk {
    desk: Desk,
    asked: BTreeMap<Slot, DropGuard>,
    steer: Option<watch::Sender<Steering>>,
    answers: mpsc::Receiver<Told>,
}

/// What every task has.
#[derive(Clone, Debug)]
struct Desk {
    setting: Arc<Setting>,
    told: mpsc::Sender<Told>,
    /// Streams that were read before, by name.
    mailboxes: Arc<Mutex<BTreeMap<Arc<str>, Mailbox>>>,
}

/// Why there is no answer: a sentence with the next step.
type Reason = String;

impl Clerk {
    /// A clerk.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        let (told, answers) = mpsc::channel(QUEUE);
        let desk = Desk {
            setting: Arc::new(setting),
            told,
            mailboxes: Arc::default(),
        };
        Self {
            desk,
            asked: BTreeMap::new(),
            steer: None,
            answers,
        }
    }

    /// What it tells next; nothing is lost when this is dropped and called again.
    pub async fn next(&mut self) -> Told {
        match self.answers.recv().await {
            Some(told) => told,
            // Its own desk can always tell something.
            None => std::future::pending().await,
        }
    }

    /// Takes a request. Returns at once.
    pub fn take(&mut self, request: Request) {
        match request {
            Request::Ask(number, query) => self.ask(number, query),
            Request::Drop(slot) => drop(self.asked.remove(&slot)),
            Request::Perform(order) => self.perform(order),
            Request::Steer(steering) => {
                if let Some(steer) = &self.steer {
                    steer.send_replace(steering);
                }
            }
        }
    }

    fn ask(&mut self, number: u64, query: Query) {
        let stop = CancellationToken::new();
        let desk = self.desk.clone();
        let ended = stop.clone();
        // Ends the one before.
        self.asked.insert(query.slot(), stop.drop_guard());
        tokio::spawn(async move {
            let answered = async {
                if let Err(reason) = desk.answer(number, query).await {
                    desk.tell(number, Answer::Failed(desk.clean(&reason))).await;
                }
            };
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                () = answered => {}
            }
        });
    }

    fn perform(&mut self, order: Order) {
        let (steer, steering) = watch::channel(Steering::Run);
        self.steer = Some(steer);
        let desk = self.desk.clone();
        tokio::spawn(async move {
            let told = match order {
                Order::Retry { plan, said } => {
                    let end = desk.retry(&plan, &said).await;
                    Told::Retried(end.map_err(|reason| desk.clean(&reason)))
                }
                order => {
                    let end = Box::pin(desk.perform(order, steering)).await;
                    Told::Ended(end.map(Box::new).map_err(|reason| desk.clean(&reason)))
                }
            };
            // A screen that is gone needs no telling.
            let _ = desk.told.send(told).await;
        });
    }
}

impl Desk {
    async fn tell(&self, number: u64, answer: Answer) {
        // A screen that is gone needs no telling.
        let _ = self.told.send(Told::Answer(number, answer)).await;
    }

    /// A reason without secrets, in one safe line.
    fn clean(&self, reason: &str) -> String {
        text::safe(&self.setting.profile.redactor.clean(reason)).into_owned()
    }

    fn link(&self) -> Result<&NatsLink, Reason> {
        let link = self.setting.profile.nats.as_ref();
        link.ok_or_else(|| "no NATS server is configured → give --nats".to_owned())
    }

    fn database(&self) -> Result<&PostgresLink, Reason> {
        let link = self.setting.profile.postgres.as_ref();
        link.ok_or_else(|| "no Postgres is configured → give --postgres".to_owned())
    }

    /// The stream that letters of a form lie in.
    fn stream(&self, form: LetterForm) -> Result<&Arc<str>, Reason> {
        let pipeline = &self.setting.profile.pipeline;
        let (stream, missing) = match form {
            LetterForm::Copy => (&pipeline.dlq, "no dead letter stream is configured → give --dlq"),
            LetterForm::Parked | LetterForm::Orphaned => {
                (&pipeline.stream, "no source stream is configured → give --stream")
            }
            LetterForm::Row => (&None, "failed calls lie in no stream"),
        };
        stream.as_ref().ok_or_else(|| missing.to_owned())
    }

    fn journals(&self) -> Result<Folder, Reason> {
        let state = self.setting.state.as_ref();
        let state = state.ok_or_else(|| "there is no home folder → set HOME or XDG_STATE_HOME".to_owned())?;
        Ok(Folder::new(state, self.setting.clock.clone()))
    }

    fn audit(&self, redactor: Redactor) -> Result<AuditLog, Reason> {
        let state = self.setting.state.as_ref();
        let state = state.ok_or_else(|| "there is no home folder → set HOME or XDG_STATE_HOME".to_owned())?;
        Ok(AuditLog::new(state, redactor))
    }

    /// The stream that letters of a form lie in; connects at the first question, and after a
    /// failure again.
    async fn mailbox(&self, form: LetterForm) -> Result<Mailbox, Reason> {
        let (link, stream) = (self.link()?, self.stream(form)?);
        let mut known = self.mailboxes.lock().await;
        if let Some(mailbox) = known.get(stream) {
            return Ok(mailbox.clone());
        }
        let mailbox = Mailbox::open(link, stream, &self.setting.clock).await.map_err(said)?;
        known.insert(stream.clone(), mailbox.clone());
        Ok(mailbox)
    }
}

fn said(error: impl Into<LetterError>) -> Reason {
    error.into().to_string()
}
