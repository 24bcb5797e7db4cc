//! What is fired: templates and their weights, attacks and poison and their shares. From this, a
//! seed and a number follow all of a shot but its time.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::http::uri::PathAndQuery;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::SecretString;

use super::error::PlanError;
use super::template::{BodyKind, Template, Webhook};
use super::variant::Variant;
use crate::signature::{Scheme, SecretPair, Signer, UnknownScheme};

/// One template among others.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is rendered.
    pub template: Arc<Template>,
    /// How often, in relation to the others' weights.
    pub weight: f64,
    /// How it is signed; `None`: not at all.
    pub signer: Option<Signer>,
    /// The path and query to request instead of the plan's: `/webhooks/telnyx`.
    pub path: Option<String>,
}

impl Entry {
    /// A template with a weight of 1, signed with a provider's key in its own scheme or another.
    ///
    /// # Errors
    /// When the scheme is not known or the key does not fit it.
    pub fn signed(template: Arc<Template>, scheme: Option<&str>, secret: &SecretString) -> Result<Self, PlanError> {
        let scheme = match scheme {
            Some(name) => name
                .parse()
                .map_err(|error: UnknownScheme| PlanError::Key(error.to_string()))?,
            None => template.scheme().clone(),
        };
        let signer = Signer::new(&scheme, secret).map_err(|error| PlanError::Key(error.to_string()))?;
        Ok(Self {
            signer: Some(signer),
            ..Self::unsigned(template)
        })
    }

    /// A template with a weight of 1, not signed.
    #[must_use]
    pub fn unsigned(template: Arc<Template>) -> Self {
        Self {
            template,
            weight: 1.0,
            signer: None,
            path: None,
        }
    }
}

/// Webhooks that are in order for a gateway and make the reference worker fail:
/// `{"hookwatch":{"poison":"<cause>"}, …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Poison {
    /// The share of the valid ones, from 0 to 1.
    pub share: f64,
    /// The causes, all alike often.
    pub causes: Vec<Arc<str>>,
}

/// What is fired. May change while a run goes on.
#[derive(Debug)]
pub struct Mix {
    entries: Vec<Prepared>,
    /// Upper ends of the entries' parts of 1.
    weights: Vec<f64>,
    /// Upper ends of the variants' parts of 1; beyond the last: valid.
    variants: Vec<(f64, Variant)>,
    poison: Option<Poison>,
}

/// An entry, checked.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) template: Arc<Template>,
    pub(super) signer: Option<Signer>,
    /// Signs with a key that nobody knows.
    pub(super) stranger: Signer,
    pub(super) path: Option<PathAndQuery>,
}

/// What one shot is.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub(super) entry: &'a Prepared,
    pub(super) variant: Variant,
    pub(super) poison: Option<Arc<str>>,
}

impl Mix {
    /// A mix of `entries`, of which the `variants` with their shares (0 to 1 each, 1 at most
    /// together) are wrong on purpose, and of the rest some are poisoned.
    ///
    /// # Errors
    /// When nothing is left to fire, a number is out of its range, or a variant or poison is
    /// asked of a template that cannot have it.
    pub fn new(entries: Vec<Entry>, variants: &[(Variant, f64)], poison: Option<Poison>) -> Result<Self, PlanError> {
        let poison = poison.filter(|poison| poison.share != 0.0);
        let variants: Vec<_> = variants.iter().copied().filter(|(_, share)| *share != 0.0).collect();
        for (what, share) in variants
            .iter()
            .map(|(variant, share)| (variant.name(), *share))
            .chain(poison.iter().map(|poison| ("poison", poison.share)))
        {
            if !(0.0..=1.0).contains(&share) {
                return Err(PlanError::Share { what, share });
            }
        }
        let together: f64 = variants.iter().map(|(_, share)| share).sum();
        if together > 1.0 + 1e-9 {
            return Err(PlanError::Share {
                what: "all variants together",
                share: together,
            });
        }
        if poison.as_ref().is_some_and(|poison| poison.causes.is_empty()) {
            return Err(PlanError::NoPoisonCause);
        }
        let asked: BTreeSet<_> = variants.iter().map(|(variant, _)| *variant).collect();
        for entry in &entries {
            check(entry, &asked, poison.is_some())?;
        }
        let total: f64 = entries.iter().map(|entry| entry.weight).sum();
        if entries.is_empty() || total <= 0.0 {
            return Err(PlanError::NothingToFire);
        }
        Ok(Self {
            weights: upper_ends(entries.iter().map(|entry| entry.weight / total)),
            variants: upper_ends(variants.iter().map(|(_, share)| *share))
                .into_iter()
                .zip(variants.iter().map(|(variant, _)| *variant))
                .collect(),
            entries: entries.into_iter().map(prepare).collect::<Result<_, _>>()?,
            poison,
        })
    }

    /// One template and nothing wrong with it.
    ///
    /// # Errors
    /// As [`Mix::new`].
    pub fn single(template: Arc<Template>, signer: Option<Signer>) -> Result<Self, PlanError> {
        let entry = Entry {
            signer,
            ..Entry::unsigned(template)
        };
        Self::new(vec![entry], &[], None)
    }

    /// The provider of its first entry.
    pub(crate) fn provider(&self) -> &str {
        self.entries.first().map_or("", |entry| entry.template.provider())
    }

    /// Whether several webhooks of every entry fit into one array.
    pub(super) fn check_batch(&self) -> Result<(), PlanError> {
        for Prepared { template, .. } in &self.entries {
            if !matches!(template.kind(), BodyKind::Object | BodyKind::Json) {
                return Err(PlanError::Unfit {
                    template: template.name().clone(),
                    what: "batch",
                    reason: "its body is no JSON".to_owned(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn choose(&self, random: &mut SmallRng) -> Choice<'_> {
        let at: f64 = random.random();
        let entry = self
            .weights
            .partition_point(|end| *end <= at)
            .min(self.entries.len() - 1);
        let at: f64 = random.random();
        let variant = self
            .variants
            .iter()
            .find(|(end, _)| at < *end)
            .map_or(Variant::Valid, |(_, variant)| *variant);
        let at: f64 = random.random();
        let poison = self
            .poison
            .as_ref()
            .filter(|poison| variant == Variant::Valid && at < poison.share)
            .map(|poison| poison.causes[random.random_range(0..poison.causes.len())].clone());
        Choice {
            entry: &self.entries[entry],
            variant,
            poison,
        }
    }
}

/// Whether a scheme is known.
///
/// # Errors
/// That it is not, and which one comes near.
pub fn check_scheme(name: &str) -> Result<(), PlanError> {
    let known: Result<Scheme, UnknownScheme> = name.parse();
    known.map(drop).map_err(|error| PlanError::Key(error.to_string()))
}

/// Parts of 1 as the points at which they end.
fn upper_ends(parts: impl Iterator<Item = f64>) -> Vec<f64> {
    parts
        .scan(0.0, |end, part| {
            *end += part;
            Some(*end)
        })
        .collect()
}

fn check(entry: &Entry, asked: &BTreeSet<Variant>, poison: bool) -> Result<(), PlanError> {
    let template = &entry.template;
    if !entry.weight.is_finite() || entry.weight < 0.0 {
        return Err(PlanError::Weight {
            template: template.name().clone(),
            weight: entry.weight,
        });
    }
    let is_json = matches!(template.kind(), BodyKind::Object | BodyKind::Json);
    let scheme = scheme_of(entry);
    let unfit = |what: &'static str, reason: String| {
        Err(PlanError::Unfit {
            template: template.name().clone(),
            what,
            reason,
        })
    };
    for variant in asked {
        match variant {
            Variant::MalformedJson if !is_json => return unfit(variant.name(), "its body is no JSON".to_owned()),
            Variant::StaleTimestamp if !scheme.has_timestamp() => {
                return unfit(variant.name(), format!("{scheme} signs no timestamp"));
            }
            Variant::StaleTimestamp | Variant::MissingHeader | Variant::TamperedBody if entry.signer.is_none() => {
                return unfit(variant.name(), "it is not signed".to_owned());
            }
            _ => {}
        }
    }
    if poison && template.kind() != BodyKind::Object {
        return unfit("poison", "its body is no JSON object".to_owned());
    }
    Ok(())
}

fn scheme_of(entry: &Entry) -> &Scheme {
    entry
        .signer
        .as_ref()
        .map_or_else(|| entry.template.scheme(), Signer::scheme)
}

fn prepare(entry: Entry) -> Result<Prepared, PlanError> {
    let scheme = scheme_of(&entry);
    // A fixed seed will do: whoever knows this key gains nothing.
    let key: SecretString = SecretPair::generate(scheme, &mut SmallRng::seed_from_u64(0x5714_AC6E)).signing;
    let stranger = Signer::new(scheme, &key).map_err(|error| PlanError::Key(error.to_string()))?;
    let path = entry.path.map(|path| {
        let unfit = |reason: &str| PlanError::Unfit {
            template: entry.template.name().clone(),
            what: "the path",
            reason: reason.to_owned(),
        };
        if !path.starts_with('/') {
            return Err(unfit("it does not begin with /"));
        }
        path.parse().map_err(|_| unfit("it is no path of a URL"))
    });
    Ok(Prepared {
        signer: entry.signer,
        stranger,
        path: path.transpose()?,
        template: entry.template,
    })
}

/// The random numbers of shot `seq` of a run, whichever connection sends it.
pub(super) fn random_of(seed: u64, seq: u64) -> SmallRng {
    // SplitMix64's increment keeps neighbouring shots apart.
    SmallRng::seed_from_u64(seed ^ seq.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Puts the poison at the top of a JSON object.
pub(super) fn poison(webhook: &mut Webhook, cause: &str) {
    let Some(open) = webhook.body.find('{') else { return };
    let rest_is_empty = webhook.body[open + 1..].trim_start().starts_with('}');
    let comma = if rest_is_empty { "" } else { "," };
    let cause = serde_json::Value::from(cause);
    webhook
        .body
        .insert_str(open + 1, &format!(r#""hookwatch":{{"poison":{cause}}}{comma}"#));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::act::fire::Library;
    use crate::base::time::Timestamp;

    fn entry(name: &str, weight: f64) -> Entry {
        let template = Library::load(None).get(name).unwrap().clone();
        let pair = SecretPair::generate(template.scheme(), &mut SmallRng::seed_from_u64(1));
        Entry {
            signer: Some(Signer::new(template.scheme(), &pair.signing).unwrap()),
            template,
            weight,
            path: None,
        }
    }

    fn error(entries: Vec<Entry>, variants: &[(Variant, f64)], poison: Option<Poison>) -> String {
        Mix::new(entries, variants, poison).unwrap_err().to_string()
    }

    #[test]
    fn weights_and_shares_are_kept_and_a_seed_repeats_every_choice() {
        let mix = Mix::new(
            vec![
                entry("telnyx.message.sent", 3.0),
                entry("resend.email.sent", 1.0),
                entry("resend.email.bounced", 0.0),
            ],
            &[(Variant::WrongSignature, 0.1), (Variant::Oversized, 0.05)],
            Some(Poison {
                share: 0.5,
                causes: vec!["timeout".into(), "reject".into()],
            }),
        )
        .unwrap();
        let draw = |seed| {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for seq in 0..40_000 {
                let choice = mix.choose(&mut random_of(seed, seq));
                *counts.entry(choice.entry.template.name().to_string()).or_default() += 1;
                *counts.entry(choice.variant.to_string()).or_default() += 1;
                if let Some(cause) = choice.poison {
                    assert_eq!(choice.variant, Variant::Valid);
                    *counts.entry(cause.to_string()).or_default() += 1;
                }
            }
            counts
        };
        let counts = draw(7);
        assert_eq!(counts, draw(7));
        assert_ne!(counts, draw(8));
        for (name, share) in [
            ("telnyx.message.sent", 0.75),
            ("resend.email.sent", 0.25),
            ("wrong-signature", 0.1),
            ("oversized", 0.05),
            ("timeout", 0.85 * 0.25),
            ("reject", 0.85 * 0.25),
        ] {
            let seen = f64::from(counts[name]) / 40_000.0;
            assert!((seen - share).abs() < 0.01, "{name}: {seen} for {share}");
        }
        assert!(!counts.contains_key("resend.email.bounced"));
    }

    #[test]
    fn a_mix_that_makes_no_sense_is_refused_with_its_reason() {
        let sent = || vec![entry("telnyx.message.sent", 1.0)];
        let poison = |share, causes| Some(Poison { share, causes });
        assert!(error(vec![], &[], None).contains("nothing to fire"));
        assert!(error(vec![entry("generic", 0.0)], &[], None).contains("nothing to fire"));
        assert!(error(vec![entry("generic", f64::NAN)], &[], None).contains("weight NaN of generic"));
        assert!(error(sent(), &[(Variant::Oversized, 1.5)], None).contains("oversized"));
        assert!(
            error(
                sent(),
                &[(Variant::Oversized, 0.6), (Variant::MissingHeader, 0.6)],
                None
            )
            .contains("together")
        );
        assert!(error(sent(), &[], poison(0.1, vec![])).contains("cause"));
        assert!(error(sent(), &[], poison(-1.0, vec!["x".into()])).contains("poison"));
        assert!(
            error(vec![entry("github.push", 1.0)], &[(Variant::StaleTimestamp, 0.1)], None).contains("no timestamp")
        );
        assert!(error(vec![entry("twilio", 1.0)], &[(Variant::MalformedJson, 0.1)], None).contains("no JSON"));
        assert!(error(vec![entry("sendgrid", 1.0)], &[], poison(0.1, vec!["x".into()])).contains("no JSON object"));
        let unsigned = Entry {
            signer: None,
            ..entry("generic", 1.0)
        };
        assert!(error(vec![unsigned], &[(Variant::MissingHeader, 0.1)], None).contains("not signed"));
    }

    #[test]
    fn poison_stands_at_the_top_of_the_object() {
        let poisoned = |body: &str| {
            let mut webhook = Webhook {
                id: String::new(),
                headers: Vec::new(),
                body: body.to_owned(),
            };
            poison(&mut webhook, "a \"b\"");
            webhook.body
        };
        assert_eq!(poisoned("{}"), r#"{"hookwatch":{"poison":"a \"b\""}}"#);
        assert_eq!(poisoned(r#"{"a":1}"#), r#"{"hookwatch":{"poison":"a \"b\""},"a":1}"#);
        for template in Library::load(None).templates() {
            if template.kind() == BodyKind::Object {
                let mut webhook = template.render(0, Timestamp::UNIX_EPOCH, &mut SmallRng::seed_from_u64(0));
                poison(&mut webhook, "timeout");
                let value: serde_json::Value = serde_json::from_str(&webhook.body).unwrap();
                assert_eq!(value["hookwatch"]["poison"], "timeout");
            }
        }
    }
}
