//! Arguments, the log file, and the pages that only the command line has.

mod args;
mod dlq;
mod fire;
mod lab;
mod log;
mod options;
mod pages;

pub use args::{
    CheckArgs, Cli, Command, ConfigArgs, ExportArgs, ExportForm, PlayArgs, RecordArgs, SnapshotArgs, WatchArgs,
};
pub use dlq::{
    AuditArgs, ConsentArgs, DlqCommand, ExportLettersArgs, FilterArgs, Form, FormArgs, GroupKey, GroupsArgs,
    ImportArgs, InDoubt, ListArgs, ReplayArgs, RetryArgs, ShowArgs, When,
};
pub use fire::{BatchArg, FireArgs};
pub use lab::{DemoArgs, FAULTS, FaultArgs, LabCommand, LoadArgs, ScenarioArgs, UpArgs};
pub use log::{LogError, OpenLog, start_log};
pub use options::{ConnectionArgs, ConsoleArgs};
pub use pages::{completions, config_page, man};
