//! One webhook followed through the lab's real pipeline.

use std::path::Path;

use hookwatch::lab::{DATABASE, Lab, Options};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tempfile::TempDir;

use super::{Run, fire};
use crate::support;

/// The lab's only worker.
const WORKER: &str = "worker-1";

/// A lab with one gateway and one worker.
pub(super) struct Pipeline {
    pub(super) url: String,
    lab: Lab,
    folder: TempDir,
}

pub(super) async fn pipeline() -> Pipeline {
    let folder = crate::lab::folder();
    let mut environment = support::environment();
    environment.insert("TMPDIR".to_owned(), folder.path().to_str().unwrap().to_owned());
    let lab = Lab::up(Options::pipeline(support::PROGRAM, environment, 1))
        .await
        .unwrap();
    Pipeline {
        url: lab.target().unwrap().url,
        lab,
        folder,
    }
}

impl Pipeline {
    /// A provider's signing key.
    pub(super) fn key(&self, provider: &str) -> String {
        self.lab.target().unwrap().keys[provider].expose_secret().to_owned()
    }

    pub(super) async fn down(self) {
        self.lab.down().await.unwrap();
        drop(self.folder);
    }

    /// Puts everything into a profile below `home`; the keys are in variables, which are returned.
    pub(super) fn configure(&self, home: &Path) -> [(&'static str, String); 2] {
        let config = home.join(".config/hookwatch/hookwatch.toml");
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        let topology = self.lab.topology().unwrap();
        std::fs::write(
            config,
            format!(
                "[profile.lab.nats]\nurl = '{}'\n[profile.lab.postgres]\nurl = '{}'\n[profile.lab.pipeline]\nstream = '{}'\nconsumer = '{}'\ndlq = '{}'\n\
                 [profile.lab.fire]\nurl = '{}/webhooks/{{provider}}'\nsecrets.telnyx = {{ env = 'TELNYX' }}\nsecrets.resend = {{ env = 'RESEND' }}\ntrace.within = '3s'\n",
                self.lab.nats_url().unwrap(),
                self.lab.postgres_url(DATABASE).unwrap(),
                topology.stream,
                topology.consumer,
                topology.dlq,
                self.url,
            ),
        )
        .unwrap();
        [("TELNYX", self.key("telnyx")), ("RESEND", self.key("resend"))]
    }

    /// Ends its only worker.
    pub(super) async fn kill_worker(&self) {
        self.lab.kill(WORKER).await.unwrap();
    }

    /// Traces with everything in a profile, the key in a variable.
    async fn trace(&self, template: &str, args: &[&str]) -> Run {
        let home = tempfile::tempdir().unwrap();
        let keys = self.configure(home.path());
        let keys = [(keys[0].0, keys[0].1.as_str()), (keys[1].0, keys[1].1.as_str())];
        let all = [&[template, "--trace"], args].concat();
        fire(home.path(), &all, &keys).await
    }
}

fn after(step: &Value) -> f64 {
    step["after_s"].as_f64().unwrap_or_else(|| panic!("{step}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_ends_with_the_row_and_its_four_delays_and_a_canary_repeats_it() {
    let lab = pipeline().await;
    for template in ["telnyx.message.sent", "resend.email.sent"] {
        let run = lab.trace(template, &["--json"]).await;
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        let line = run.last();
        let steps = line["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["state"] == "reached"), "{line}");
        let [accepted, stored, acked, written] = [0, 1, 2, 3].map(|index| after(&steps[index]));
        assert!(stored <= accepted && accepted <= written, "{line}");
        // The worker writes before it acks.
        assert!(line["total_s"].as_f64().unwrap() >= acked.max(written), "{line}");
        let (stream, id) = (steps[1]["detail"].as_str().unwrap(), line["id"].as_str().unwrap());
        assert!(stream.contains('#'), "{stream}");
        assert!(steps[3]["detail"].as_str().unwrap().ends_with(id), "{line}");
    }
    let text = lab.trace("telnyx.message.sent", &[]).await;
    assert_eq!(text.code, 0, "{}{}", text.out, text.err);
    for stage in ["● accepted", "● stored", "● acked", "● written", "✓ through in"] {
        assert!(text.out.contains(stage), "{}", text.out);
    }

    let canary = lab
        .trace("telnyx.message.sent", &["--every", "100ms", "-n", "3", "--json"])
        .await;
    assert_eq!(canary.code, 0, "{}{}", canary.out, canary.err);
    assert_eq!(canary.lines().len(), 4);
    let summary = canary.last();
    assert_eq!((&summary["runs"], &summary["passed"]), (&3.into(), &3.into()));
    assert!(summary["written_s"]["p99"].is_f64(), "{summary}");
    lab.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_says_where_a_webhook_is_stuck() {
    let lab = pipeline().await;
    lab.kill_worker().await;
    let run = lab.trace("telnyx.message.sent", &["--json"]).await;
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    let line = run.last();
    assert_eq!(line["reason"], "waiting in the stream, no worker pulls", "{line}");
    let states: Vec<_> = line["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["state"].clone())
        .collect();
    assert_eq!(states, ["reached", "reached", "pending", "pending"], "{line}");
    let text = lab.trace("telnyx.message.sent", &[]).await;
    assert!(text.out.contains("▲ acked"), "{}", text.out);
    assert!(
        text.out.contains("▲ waiting in the stream, no worker pulls"),
        "{}",
        text.out
    );

    // An answer that is not as expected ends it at its first step.
    lab.lab.start(WORKER).await.unwrap();
    let wrong = lab
        .trace("telnyx.message.sent", &["--json", "--expect", "$.status=lost"])
        .await;
    assert_eq!(wrong.code, 1, "{}{}", wrong.out, wrong.err);
    assert!(
        wrong.last()["reason"]
            .as_str()
            .unwrap()
            .contains("expected $.status=lost"),
        "{}",
        wrong.out
    );
    lab.down().await;
}
