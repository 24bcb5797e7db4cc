//! The demo: a lab with a story, for the console to watch.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::play::Player;
use super::scenario::{Adjustment, DEMO, Scenario};
use super::{Host, Lab, LabError, Options};
use crate::config::Profile;

/// What a demo is to be.
#[derive(Clone, Debug, Default)]
pub struct DemoOptions {
    /// The scenario, by name or path; the demo's own when not given.
    pub scenario: Option<String>,
    /// What is changed of it.
    pub change: Adjustment,
}

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    lab: Arc<Lab>,
    stop: CancellationToken,
    story: JoinHandle<Result<(), LabError>>,
}

impl Demo {
    /// Starts a lab and its story, which goes on by itself, again and again where the scenario
    /// says so. Returns it with the profile to watch.
    ///
    /// # Errors
    /// When a server is missing or does not start, or when the scenario is broken.
    pub async fn start(options: &DemoOptions, host: Host) -> Result<(Self, Profile), LabError> {
        let scenario = Scenario::load(options.scenario.as_deref().unwrap_or(DEMO))?.adjusted(options.change)?;
        let lab = Lab::up(Options::scenario(host.program, host.environment, &scenario)).await?;
        let profile = lab.profile("demo")?;
        let lab = Arc::new(lab);
        let stop = CancellationToken::new();
        let story = tokio::spawn(tell_story(lab.clone(), scenario, host.clock, stop.clone()));
        Ok((Self { lab, stop, story }, profile))
    }

    /// The lab.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Ends the story, takes the lab down and waits until it is gone.
    ///
    /// # Errors
    /// When the story had failed, or when something could not be removed.
    pub async fn down(self) -> Result<(), LabError> {
        self.stop.cancel();
        let told = match self.story.await {
            Ok(told) => told,
            Err(error) => Err(LabError::server("tell the demo's story", &error)),
        };
        // The story is over and held the only other handle.
        if let Some(lab) = Arc::into_inner(self.lab) {
            lab.down().await?;
        }
        told
    }
}

async fn tell_story(
    lab: Arc<Lab>,
    scenario: Scenario,
    clock: crate::base::time::SharedClock,
    stop: CancellationToken,
) -> Result<(), LabError> {
    let mut player = Player::new(&lab, scenario.seed, clock);
    let mut tell = |what: &str| tracing::info!(what, "demo");
    while player.round(&scenario, &stop, &mut tell).await? {
        if !scenario.repeat {
            player.hold(&stop, &mut tell).await?;
            break;
        }
    }
    player.finish().await.map(drop)
}
