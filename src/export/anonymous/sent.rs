//! The places of what a pipeline says of the webhooks that it sends, of its connections and of
//! its health endpoints.

use super::Class;
use super::places::Places;
use crate::sample::{
    CallCount, Connection, ConnectionsReading, KnownWebhook, OutboundReading, OutboundRows, ProbeCheck, ProbeReading,
    SendFailure, Sent, SentLatency, WorkerStats,
};

pub(super) fn visit_outbound(reading: &mut OutboundReading, places: &mut impl Places) {
    let OutboundReading {
        panel: _,
        rows,
        left_out: _,
        now: _,
        took: _,
        period: _,
    } = reading;
    match rows {
        OutboundRows::Known(rows) => rows.iter_mut().for_each(|row| visit_known(row, places)),
        OutboundRows::Sent(rows) => rows.iter_mut().for_each(|row| visit_sent(row, places)),
        OutboundRows::Latency(rows) => {
            for row in rows {
                let SentLatency {
                    name,
                    subject,
                    count: _,
                    p50_ms: _,
                    p95_ms: _,
                    p99_ms: _,
                } = row;
                places.word(Class::Label, name);
                for subject in subject.iter_mut() {
                    places.subject(subject);
                }
            }
        }
        OutboundRows::Calls(rows) => {
            for row in rows {
                let CallCount {
                    webhook: _,
                    status,
                    count: _,
                    oldest: _,
                } = row;
                // The schema's own words decide what is counted.
                places.text(status);
            }
        }
        OutboundRows::Failures(rows) => {
            for row in rows {
                let SendFailure {
                    name,
                    subject,
                    error,
                    at: _,
                } = row;
                places.word(Class::Label, name);
                for subject in subject.iter_mut() {
                    places.subject(subject);
                }
                // Nothing in it is known to be harmless.
                places.word(Class::Quoted, error);
            }
        }
        OutboundRows::Workers(rows) => {
            for row in rows {
                let WorkerStats {
                    stream,
                    name,
                    acknowledged: _,
                    delivered: _,
                    avg_ms: _,
                    last_active: _,
                    active: _,
                } = row;
                places.words(Class::Stream, stream.as_mut());
                places.word(Class::Worker, name);
            }
        }
    }
}

fn visit_known(row: &mut KnownWebhook, places: &mut impl Places) {
    let KnownWebhook {
        id: _,
        name,
        mode,
        subject,
        enabled: _,
    } = row;
    places.word(Class::Label, name);
    places.texts(mode.as_mut());
    for subject in subject.iter_mut() {
        places.subject(subject);
    }
}

fn visit_sent(row: &mut Sent, places: &mut impl Places) {
    let Sent {
        name,
        subject,
        mode,
        total: _,
        successful: _,
        failed: _,
        pending: _,
        retrying: _,
        avg_ms: _,
        max_ms: _,
        last_at: _,
    } = row;
    places.word(Class::Label, name);
    places.texts(mode.as_mut());
    for subject in subject.iter_mut() {
        places.subject(subject);
    }
}

pub(super) fn visit_connections(reading: &mut ConnectionsReading, places: &mut impl Places) {
    let ConnectionsReading {
        connections,
        unnamed: _,
        left_out: _,
        now: _,
        took: _,
    } = reading;
    for connection in connections {
        let Connection {
            name,
            started: _,
            last_activity: _,
            ended: _,
            // The server's own words (`Client Closed`).
            reason,
            pending_bytes: _,
            subscriptions: _,
        } = connection;
        places.word(Class::Worker, name);
        places.texts(reason.as_mut());
    }
}

pub(super) fn visit_probe(reading: &mut ProbeReading, places: &mut impl Places) {
    let ProbeReading {
        state: _,
        status: _,
        service,
        version: _,
        checks,
        left_out: _,
        took: _,
    } = reading;
    places.words(Class::Label, service.as_mut());
    for check in checks {
        let ProbeCheck { name, state: _, detail } = check;
        places.word(Class::Label, name);
        places.word(Class::Quoted, detail);
    }
}
