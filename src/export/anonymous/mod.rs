//! A recording without names: hosts, streams, consumers, subjects, providers, workers and the
//! like become pseudonyms, the same ones throughout; figures and times stay. What is made of the
//! copy, a cast or a report, holds no more names than the copy does.

mod class;
mod places;
mod pseudonyms;
mod readings;
mod sent;
mod text;
mod visit;

pub use class::Class;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::places::Places;
use self::pseudonyms::Pseudonyms;
use self::readings::Names;
use self::visit::visit;
use crate::base::secret::Redactor;
use crate::model::Settings;
use crate::record::{
    Gap, Item, Note, RecordError, RecordWriter, Recording, RecordingFile, Redaction, SessionInfo, WriteError,
};

/// A recording without names.
#[derive(Clone, Debug)]
pub struct Anonymous {
    /// The copy.
    pub recording: Arc<Recording>,
    /// The files that it consists of, one for each session.
    pub files: Vec<Arc<[u8]>>,
    /// The notes on it.
    pub notes: Vec<Note>,
    /// Distinct names of each kind that were replaced.
    pub names: BTreeMap<Class, usize>,
    /// Places where a name was replaced.
    pub places: u64,
}

/// Why a recording could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum AnonymousError {
    /// The copy cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The copy cannot be written.
    #[error("copy the recording without names: {0}")]
    Write(#[from] WriteError),
    /// Its settings are not understood: they may hold names.
    #[error("copy the recording without names: its settings cannot be read: {0}")]
    Settings(#[from] serde_json::Error),
}

impl Anonymous {
    /// Copies a recording and the notes on it without names. It is read twice: names are known before the first is
    /// replaced, so that the same recording gives the same pseudonyms.
    ///
    /// # Errors
    /// When its settings are not understood, or there is not enough memory.
    pub fn of(recording: &Arc<Recording>, notes: &[Note]) -> Result<Self, AnonymousError> {
        let mut names = Names::default();
        let mut reader = recording.reader();
        for number in 0..recording.chunks().len() {
            clean_info(recording.session_of(number), &mut names)?;
            // Damage is told by the second reading.
            for (_, mut item) in reader.read(number).unwrap_or_default() {
                visit(&mut item, &mut names);
            }
        }
        let mut pseudonyms = names.into_pseudonyms();
        let files = copy(recording, &mut pseudonyms)?;
        let mut notes = notes.to_vec();
        for Note { at: _, text } in &mut notes {
            pseudonyms.text(text);
        }
        let opened: Result<Vec<_>, _> = files
            .iter()
            .map(|bytes| RecordingFile::in_memory(bytes.clone()))
            .collect();
        Ok(Self {
            recording: Arc::new(Recording::of(opened?, Vec::new())?),
            files,
            notes,
            places: pseudonyms.places(),
            names: pseudonyms.counts(),
        })
    }
}

fn copy(recording: &Arc<Recording>, pseudonyms: &mut Pseudonyms) -> Result<Vec<Arc<[u8]>>, AnonymousError> {
    let mut files = Vec::new();
    let mut open: Option<(String, RecordWriter<Vec<u8>>)> = None;
    let mut reader = recording.reader();
    for number in 0..recording.chunks().len() {
        let info = recording.session_of(number);
        if open.as_ref().is_none_or(|(session, _)| *session != info.session) {
            files.extend(open.take().map(|(_, writer)| finish(writer)).transpose()?);
            let clean = clean_info(info, pseudonyms)?;
            let begun = clean.start;
            let writer = RecordWriter::new(Vec::new(), clean, begun, Redaction::new(Redactor::default()))?;
            open = Some((info.session.clone(), writer));
        }
        let Some((_, writer)) = &mut open else { continue };
        let items = reader.read(number).unwrap_or_else(|_| {
            let moment = info.start;
            let reason = "a damaged chunk was left out".to_owned();
            vec![(
                0,
                Item::Gap(Gap {
                    moment,
                    lost: 0,
                    reason,
                }),
            )]
        });
        for (_, mut item) in items {
            if !matches!(item, Item::Session(_)) {
                visit(&mut item, pseudonyms);
                writer.write(item)?;
            }
        }
    }
    files.extend(open.map(|(_, writer)| finish(writer)).transpose()?);
    Ok(files)
}

fn finish(writer: RecordWriter<Vec<u8>>) -> Result<Arc<[u8]>, WriteError> {
    writer.finish().map(Arc::from).map_err(|(error, _)| error)
}

/// What a session says of its profile, without names.
fn clean_info(info: &SessionInfo, places: &mut impl Places) -> Result<SessionInfo, AnonymousError> {
    let mut settings: Settings = serde_json::from_value(info.settings.clone())?;
    places.word(Class::Profile, &mut settings.profile);
    let pipeline = &mut settings.pipeline;
    places.words(Class::Stream, pipeline.stream.as_mut());
    places.words(Class::Consumer, pipeline.consumer.as_mut());
    places.words(Class::Stream, pipeline.dlq.as_mut());
    for url in settings.runbooks.values_mut() {
        places.text(url);
    }
    let mut info = SessionInfo {
        file: 0,
        settings: serde_json::to_value(settings)?,
        ..info.clone()
    };
    places.word(Class::Profile, &mut info.profile);
    Ok(info)
}
