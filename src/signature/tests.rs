use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde::Deserialize;

use super::*;

const TOLERANCE: Duration = Duration::from_mins(5);
const URL: &str = "https://example.com/hooks?tenant=7";

/// A published or recomputed signature.
#[derive(Deserialize)]
struct Vector {
    scheme: String,
    source: String,
    secret: String,
    body: serde_json::Value,
    signature: String,
    id: Option<String>,
    timestamp: Option<i64>,
    public: Option<String>,
    url: Option<String>,
}

impl Vector {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("../../tests/data/signatures.json")).unwrap()
    }

    fn body(&self) -> Vec<u8> {
        match &self.body {
            serde_json::Value::String(text) => text.clone().into_bytes(),
            serde_json::Value::Object(fields) => form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields.iter().map(|(name, value)| (name, value.as_str().unwrap())))
                .finish()
                .into_bytes(),
            other => panic!("a body is a text or an object, not {other}"),
        }
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::from_second(self.timestamp.unwrap_or(1_600_000_000)).unwrap()
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn lookup<'a>(headers: &'a [(String, String)]) -> impl Fn(&str) -> Option<&'a str> {
    move |name| {
        headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A request of a provider, and the receiver that knows it.
struct Exchange {
    signer: Signer,
    verifier: Verifier,
    id: String,
    at: Timestamp,
    body: Vec<u8>,
    url: String,
}

impl Exchange {
    fn new(scheme: &Scheme, seed: u64, body: &[u8], content_type: &str) -> Self {
        let pair = SecretPair::generate(scheme, &mut SmallRng::seed_from_u64(seed));
        let signer = Signer::new(scheme, &pair.signing).unwrap();
        Self {
            url: signer.request_url(URL, body, content_type).into_owned(),
            verifier: Verifier::new(scheme, &pair.verifying).unwrap(),
            signer,
            id: "msg_1".to_owned(),
            at: Timestamp::from_second(1_700_000_000).unwrap(),
            body: body.to_vec(),
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.signer.sign(&Message {
            id: &self.id,
            timestamp: self.at,
            body: &self.body,
            url: &self.url,
        })
    }

    fn verify(&self, headers: &[(String, String)]) -> Result<(), Rejection> {
        self.verify_at(headers, self.at)
    }

    fn verify_at(&self, headers: &[(String, String)], now: Timestamp) -> Result<(), Rejection> {
        self.verifier
            .verify(&lookup(headers), &self.body, &self.url, now, TOLERANCE)
    }
}

fn exchanges() -> impl Iterator<Item = Exchange> {
    Scheme::all().into_iter().flat_map(|scheme| {
        [
            Exchange::new(&scheme, 1, br#"{"a": "b"}"#, "application/json"),
            Exchange::new(&scheme, 1, b"a=b&c=d", "application/x-www-form-urlencoded"),
        ]
    })
}

#[test]
fn every_published_vector_is_what_we_sign() {
    let vectors = Vector::all();
    assert_eq!(vectors.len(), 15);
    for vector in vectors {
        let scheme: Scheme = vector.scheme.parse().unwrap();
        let signer = Signer::new(&scheme, &secret(&vector.secret)).unwrap();
        let headers = signer.sign(&Message {
            id: vector.id.as_deref().unwrap_or_default(),
            timestamp: vector.timestamp(),
            body: &vector.body(),
            url: vector.url.as_deref().unwrap_or_default(),
        });
        let values: Vec<&str> = headers.iter().map(|(_, value)| value.as_str()).collect();
        let expected = match scheme {
            Scheme::Stripe => format!("t={},v1={}", vector.timestamp.unwrap(), vector.signature),
            _ => vector.signature.clone(),
        };
        assert!(
            values.contains(&expected.as_str()),
            "{} ({}): {values:?} lacks {expected}",
            vector.scheme,
            vector.source
        );
    }
}

#[test]
fn every_published_vector_is_accepted() {
    for vector in Vector::all() {
        let scheme: Scheme = vector.scheme.parse().unwrap();
        let key = vector.public.as_deref().unwrap_or(&vector.secret);
        let verifier = Verifier::new(&scheme, &secret(key)).unwrap();
        let timestamp = vector.timestamp.unwrap_or_default();
        // The headers as the provider's documentation has them, not as our signer writes them.
        let named: &[(&str, String)] = &match scheme {
            Scheme::StandardWebhooks | Scheme::StandardWebhooksEd25519 => vec![
                ("webhook-id", vector.id.clone().unwrap()),
                ("webhook-timestamp", timestamp.to_string()),
                ("webhook-signature", vector.signature.clone()),
            ],
            Scheme::GitHub => vec![("x-hub-signature-256", vector.signature.clone())],
            Scheme::Slack => vec![
                ("x-slack-signature", vector.signature.clone()),
                ("x-slack-request-timestamp", timestamp.to_string()),
            ],
            Scheme::Stripe => vec![(
                "stripe-signature",
                format!(
                    "t={timestamp},v1={},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
                    vector.signature
                ),
            )],
            Scheme::Telnyx => vec![
                ("telnyx-signature-ed25519", vector.signature.clone()),
                ("telnyx-timestamp", timestamp.to_string()),
            ],
            Scheme::Shopify => vec![("x-shopify-hmac-sha256", vector.signature.clone())],
            Scheme::HmacSha256Hex { .. } => vec![("x-webhook-signature", vector.signature.clone())],
            Scheme::Twilio => vec![("x-twilio-signature", vector.signature.clone())],
            other => panic!("no vector is of {other}"),
        };
        let headers: Vec<_> = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let outcome = verifier.verify(
            &lookup(&headers),
            &vector.body(),
            vector.url.as_deref().unwrap_or_default(),
            vector.timestamp(),
            TOLERANCE,
        );
        assert_eq!(outcome, Ok(()), "{} ({})", vector.scheme, vector.source);
    }
}

/// The example of Telnyx's API v1 documentation.
#[test]
fn telnyx_v1_signs_and_accepts_the_documented_example() {
    let body = "{\n  \"sms_id\":\"834f3d53-8a3c-4aa0-a733-7f2d682a72df\",\n  \"direction\": \"inbound\",\n  \"from\": \"+13129450002\",\n  \"to\": \"+13125550001\",\n  \"body\": \"Hello!\"\n}";
    let key = secret("rq789onm321yxzkjihfEdcAm");
    let at = Timestamp::from_second(1_520_983_646).unwrap();
    let headers = Signer::new(&Scheme::TelnyxV1, &key).unwrap().sign(&Message {
        id: "",
        timestamp: at,
        body: body.as_bytes(),
        url: "",
    });
    assert_eq!(
        headers[0].1,
        "t=1520983646,h=WlEXoEsHH2RMgy2x8eyvg10JlMBco0s51fdNpMORF00="
    );
    let verifier = Verifier::new(&Scheme::TelnyxV1, &key).unwrap();
    assert_eq!(
        verifier.verify(&lookup(&headers), body.as_bytes(), "", at, TOLERANCE),
        Ok(())
    );
}

/// The example of SendGrid's own helper libraries: its private key is not public.
#[test]
fn sendgrid_accepts_the_published_example() {
    let verifier = Verifier::new(
        &Scheme::SendGrid,
        &secret(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        ),
    )
    .unwrap();
    let body = concat!(
        r#"[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","#,
        r#""sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]"#,
        "\r\n"
    );
    let headers = [
        (
            "X-Twilio-Email-Event-Webhook-Signature".to_owned(),
            "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
                .to_owned(),
        ),
        (
            "X-Twilio-Email-Event-Webhook-Timestamp".to_owned(),
            "1600112502".to_owned(),
        ),
    ];
    let at = Timestamp::from_second(1_600_112_502).unwrap();
    let verify = |body: &str| verifier.verify(&lookup(&headers), body.as_bytes(), "", at, TOLERANCE);
    assert_eq!(verify(body), Ok(()));
    assert_eq!(verify(body.trim_end()), Err(Rejection::Mismatch));
}

/// The example of Twilio's helper libraries for bodies that are no forms.
#[test]
fn twilio_signs_a_json_body_through_its_hash() {
    let body = br#"{"property": "value", "boolean": true}"#;
    let signer = Signer::new(&Scheme::Twilio, &secret("12345")).unwrap();
    let url = signer.request_url("https://mycompany.com/myapp.php?foo=1&bar=2", body, "application/json");
    assert_eq!(
        url,
        "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    );
    let headers = signer.sign(&Message {
        id: "",
        timestamp: Timestamp::UNIX_EPOCH,
        body,
        url: &url,
    });
    assert_eq!(headers[0].1, "a9nBmqA0ju/hNViExpshrM61xv4=");
}

#[test]
fn twilio_is_accepted_with_the_port_written_out_or_left_out() {
    let exchange = Exchange::new(&Scheme::Twilio, 3, b"a=b", "application/x-www-form-urlencoded");
    let headers = exchange.headers();
    let with_port = "https://example.com:443/hooks?tenant=7";
    let verify = |url| {
        exchange
            .verifier
            .verify(&lookup(&headers), &exchange.body, url, exchange.at, TOLERANCE)
    };
    assert_eq!(verify(with_port), Ok(()));
    assert_eq!(verify("https://example.com/hooks?tenant=8"), Err(Rejection::Mismatch));
}

#[test]
fn names_are_read_back_as_they_are_written() {
    for scheme in Scheme::all() {
        assert_eq!(scheme.to_string().parse::<Scheme>().unwrap(), scheme);
    }
    let custom: Scheme = "hmac-sha256-hex:X-Acme-Signature".parse().unwrap();
    assert_eq!(custom.to_string(), "hmac-sha256-hex:X-Acme-Signature");
    assert_eq!("resend".parse::<Scheme>().unwrap(), Scheme::Svix);
    let error = "hmac".parse::<Scheme>().unwrap_err().to_string();
    assert!(
        error.contains("\"hmac\"") && error.contains("hmac-sha256-hex"),
        "{error}"
    );
    assert!("hmac-sha256-hex:no header".parse::<Scheme>().is_err());
}

#[test]
fn the_generic_scheme_uses_the_header_that_was_named() {
    let scheme: Scheme = "hmac-sha256-hex:X-Acme-Signature".parse().unwrap();
    let exchange = Exchange::new(&scheme, 1, b"{}", "application/json");
    let mut headers = exchange.headers();
    assert_eq!(headers[0].0, "X-Acme-Signature");
    assert_eq!(exchange.verify(&headers), Ok(()));
    headers[0].1.insert_str(0, "sha256=");
    assert_eq!(exchange.verify(&headers), Ok(()));
}

#[test]
fn a_changed_body_is_rejected() {
    for mut exchange in exchanges() {
        let headers = exchange.headers();
        assert_eq!(exchange.verify(&headers), Ok(()), "{}", exchange.signer.scheme());
        exchange.body.push(b'x');
        assert_eq!(
            exchange.verify(&headers),
            Err(Rejection::Mismatch),
            "{}",
            exchange.signer.scheme()
        );
    }
}

#[test]
fn a_changed_url_is_rejected_where_it_is_signed() {
    for mut exchange in exchanges() {
        let headers = exchange.headers();
        exchange.url.insert("https://example.com/".len(), 'x');
        let expected = match exchange.signer.scheme() {
            Scheme::Twilio => Err(Rejection::Mismatch),
            _ => Ok(()),
        };
        assert_eq!(exchange.verify(&headers), expected);
    }
}

#[test]
fn a_changed_timestamp_is_rejected_where_it_is_signed() {
    for exchange in exchanges() {
        let changed: Vec<_> = exchange
            .headers()
            .into_iter()
            .map(|(name, value)| (name, value.replace("1700000000", "1700000001")))
            .collect();
        let expected = if exchange.signer.scheme().has_timestamp() {
            Err(Rejection::Mismatch)
        } else {
            Ok(())
        };
        assert_eq!(exchange.verify(&changed), expected, "{}", exchange.signer.scheme());
    }
}

#[test]
fn a_changed_id_is_rejected_where_it_is_signed() {
    for exchange in exchanges() {
        let changed: Vec<_> = exchange
            .headers()
            .into_iter()
            .map(|(name, value)| (name, value.replace("msg_1", "msg_2")))
            .collect();
        let signs_id = matches!(
            exchange.signer.scheme(),
            Scheme::StandardWebhooks | Scheme::StandardWebhooksEd25519 | Scheme::Svix
        );
        let expected = if signs_id { Err(Rejection::Mismatch) } else { Ok(()) };
        assert_eq!(exchange.verify(&changed), expected, "{}", exchange.signer.scheme());
    }
}

#[test]
fn a_signature_of_another_key_is_rejected() {
    for scheme in Scheme::all() {
        let ours = Exchange::new(&scheme, 1, b"{}", "application/json");
        let theirs = Exchange::new(&scheme, 2, b"{}", "application/json");
        assert_eq!(ours.verify(&theirs.headers()), Err(Rejection::Mismatch), "{scheme}");
    }
}

#[test]
fn a_missing_header_is_named() {
    for exchange in exchanges() {
        let headers = exchange.headers();
        for left_out in 0..headers.len() {
            let mut headers = headers.clone();
            let (name, _) = headers.remove(left_out);
            match exchange.verify(&headers) {
                Err(Rejection::Missing { header }) => {
                    assert!(header.eq_ignore_ascii_case(&name), "{header} for {name}");
                }
                other => panic!("{}: {other:?} without {name}", exchange.signer.scheme()),
            }
        }
    }
}

#[test]
fn a_timestamp_outside_the_tolerance_is_stale_in_both_directions() {
    for exchange in exchanges().filter(|exchange| exchange.signer.scheme().has_timestamp()) {
        let headers = exchange.headers();
        for (offset, fresh) in [(300, true), (-300, true), (301, false), (-301, false), (86_400, false)] {
            let now = Timestamp::from_second(exchange.at.as_second() + offset).unwrap();
            let expected = if fresh {
                Ok(())
            } else {
                Err(Rejection::Stale {
                    age_s: offset,
                    tolerance_s: 300,
                })
            };
            assert_eq!(exchange.verify_at(&headers, now), expected);
        }
    }
    let stale = |age_s| Rejection::Stale {
        age_s,
        tolerance_s: 300,
    };
    assert_eq!(
        stale(301).to_string(),
        "the timestamp is 301 s old, 300 s are tolerated"
    );
    assert_eq!(
        stale(-400).to_string(),
        "the timestamp is 400 s ahead, 300 s are tolerated"
    );
}

#[test]
fn garbage_in_a_signature_header_is_malformed() {
    let garbage = ["", "x", "v1", "v1,", "sha256=zz", "t=1700000000", "v1,====", "\u{fffd}"];
    for exchange in exchanges() {
        for garbage in garbage {
            let headers: Vec<_> = exchange
                .headers()
                .into_iter()
                .map(|(name, value)| {
                    let keep = name.contains("timestamp") || name.ends_with("-id");
                    let value = if keep { value } else { garbage.to_owned() };
                    (name, value)
                })
                .collect();
            assert!(
                matches!(exchange.verify(&headers), Err(Rejection::Malformed { .. })),
                "{}: {garbage:?} gave {:?}",
                exchange.signer.scheme(),
                exchange.verify(&headers)
            );
        }
    }
}

#[test]
fn a_timestamp_that_is_no_number_is_malformed() {
    for exchange in exchanges().filter(|exchange| exchange.signer.scheme().has_timestamp()) {
        for text in ["", "-1", "+1700000000", "1e9", "99999999999999999999"] {
            let headers: Vec<_> = exchange
                .headers()
                .into_iter()
                .map(|(name, value)| (name, value.replace("1700000000", text)))
                .collect();
            let outcome = exchange.verify(&headers);
            assert!(
                matches!(outcome, Err(Rejection::Malformed { .. })),
                "{}: {text:?} gave {outcome:?}",
                exchange.signer.scheme()
            );
        }
    }
}

#[test]
fn one_of_several_signatures_suffices_while_a_key_is_rotated() {
    let rotated = |scheme: &Scheme, join: &str, header: &str| {
        let ours = Exchange::new(scheme, 1, b"{}", "application/json");
        let theirs = Exchange::new(scheme, 2, b"{}", "application/json");
        let value = |headers: Vec<(String, String)>| headers.into_iter().find(|(name, _)| name == header).unwrap().1;
        let (mine, other) = (value(ours.headers()), value(theirs.headers()));
        for joined in [format!("{mine}{join}{other}"), format!("{other}{join}{mine}")] {
            let mut headers = ours.headers();
            headers.retain(|(name, _)| name != header);
            headers.push((header.to_owned(), joined));
            assert_eq!(ours.verify(&headers), Ok(()), "{scheme}");
        }
    };
    rotated(&Scheme::StandardWebhooks, " ", "webhook-signature");
    rotated(&Scheme::StandardWebhooksEd25519, " ", "webhook-signature");
    rotated(&Scheme::Svix, " ", "svix-signature");
    rotated(&Scheme::Stripe, ",", "stripe-signature");
}

#[test]
fn a_header_of_a_thousand_signatures_is_not_worked_through() {
    let ours = Exchange::new(&Scheme::StandardWebhooksEd25519, 1, b"{}", "application/json");
    let theirs = Exchange::new(&Scheme::StandardWebhooksEd25519, 2, b"{}", "application/json");
    let mut headers = ours.headers();
    let bogus = theirs.headers()[2].1.clone();
    headers[2].1 = format!("{}{}", format!("{bogus} ").repeat(1_000), headers[2].1);
    assert_eq!(ours.verify(&headers), Err(Rejection::Mismatch));
}

/// A key that does not fit, the scheme and side it was given for, and what the error says of it.
const UNFIT: &[(&str, bool, &str, &str)] = &[
    ("standard-webhooks", true, "", "it is empty"),
    ("standard-webhooks", true, "   ", "it is empty"),
    ("standard-webhooks", true, "whsec_", "nothing follows whsec_"),
    ("standard-webhooks", true, "whsec_not base64!", "it is not base64"),
    ("standard-webhooks", true, "whsec_AAAA\n", "line break"),
    ("standard-webhooks", false, "whpk_AAAA", "it begins with whpk_"),
    ("svix", true, "whsk_AAAA", "it begins with whsk_"),
    ("standard-webhooks-ed25519", true, "whsec_AAAA", "it begins with whsec_"),
    ("standard-webhooks-ed25519", true, "whpk_AAAA", "it begins with whpk_"),
    ("standard-webhooks-ed25519", true, "whsk_AAAA", "3 bytes where 32 or 64"),
    ("standard-webhooks-ed25519", false, "whsk_AAAA", "it begins with whsk_"),
    (
        "telnyx",
        true,
        "9d61b19deffd5a60ba844af492ec2cc4",
        "24 bytes where 32 or 64",
    ),
    ("telnyx", true, "not a key", "neither hex nor base64"),
    (
        "telnyx",
        false,
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "private seed",
    ),
    ("telnyx", false, "KEY0123456789", "it is not base64"),
    ("telnyx", false, "AAAA", "3 bytes where 32"),
    (
        "telnyx",
        false,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "weak key",
    ),
    ("stripe", true, "sk_live_abc", "API key"),
    ("github", true, "", "it is empty"),
    ("github", true, "secret\n", "line break"),
    ("sendgrid", false, "SG.abc", "neither PEM nor base64"),
    ("sendgrid", false, "AAAA", "no public key"),
    ("sendgrid", true, "AAAA", "no private key"),
    (
        "sendgrid",
        true,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "no private key",
    ),
    (
        "sendgrid",
        true,
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        "no private key",
    ),
];

#[test]
fn an_unfit_key_is_refused_and_the_error_says_why() {
    for (scheme, signing, key, why) in UNFIT {
        let scheme: Scheme = scheme.parse().unwrap();
        let error = if *signing {
            Signer::new(&scheme, &secret(key)).map(|_| ()).unwrap_err()
        } else {
            Verifier::new(&scheme, &secret(key)).map(|_| ()).unwrap_err()
        }
        .to_string();
        assert!(error.contains(why) && error.contains(scheme.name()), "{error}");
        assert!(error.contains(" → "), "{error} names no next step");
        assert!(
            *key == "whsec_" || key.trim().is_empty() || !error.contains(key.trim()),
            "{error} quotes the key"
        );
    }
}

#[test]
fn stripe_takes_the_whole_secret_and_the_others_decode_what_follows_the_prefix() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let sign = |scheme, key| {
        let headers = Signer::new(&scheme, &secret(key)).unwrap().sign(&Message {
            id: "i",
            timestamp: Timestamp::UNIX_EPOCH,
            body: b"{}",
            url: "",
        });
        headers.last().unwrap().1.clone()
    };
    let bare = key.strip_prefix("whsec_").unwrap();
    assert_eq!(sign(Scheme::Svix, key), sign(Scheme::Svix, bare));
    assert_eq!(
        sign(Scheme::StandardWebhooks, key),
        sign(Scheme::StandardWebhooks, bare)
    );
    assert_ne!(sign(Scheme::Stripe, key), sign(Scheme::Stripe, bare));
}

#[test]
fn a_p256_key_is_read_from_every_form_it_comes_in() {
    use p256::pkcs8::EncodePrivateKey as _;
    let key = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let pkcs8 = key.to_pkcs8_pem(p256::pkcs8::LineEnding::LF).unwrap();
    let sec1 = codec::to_base64(&key.to_sec1_der().unwrap());
    for text in [pkcs8.to_string(), pkcs8.trim_end().replace('\n', "\\n"), sec1] {
        assert!(Signer::new(&Scheme::SendGrid, &secret(&text)).is_ok());
    }
}

#[test]
fn no_debug_text_shows_a_key() {
    for scheme in Scheme::all() {
        let pair = SecretPair::generate(&scheme, &mut SmallRng::seed_from_u64(9));
        let signer = Signer::new(&scheme, &pair.signing).unwrap();
        let verifier = Verifier::new(&scheme, &pair.verifying).unwrap();
        let text = format!("{signer:?} {verifier:?} {pair:?}");
        assert!(!text.contains(pair.signing.expose_secret()), "{text}");
        assert!(!text.contains(pair.verifying.expose_secret()), "{text}");
    }
}

#[test]
fn the_same_seed_generates_the_same_pair() {
    for scheme in Scheme::all() {
        let key = |seed| SecretPair::generate(&scheme, &mut SmallRng::seed_from_u64(seed)).signing;
        assert_eq!(key(5).expose_secret(), key(5).expose_secret());
        assert_ne!(key(5).expose_secret(), key(6).expose_secret());
    }
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    proptest::sample::select(Scheme::all().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_signed_is_accepted(
        scheme in any_scheme(),
        seed: u64,
        second in 0i64..9_999_999_999,
        id in "[a-zA-Z0-9_-]{1,40}",
        body in proptest::collection::vec(any::<u8>(), 0..600),
        form: bool,
    ) {
        let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut exchange = Exchange::new(&scheme, seed, &body, content_type);
        exchange.id = id;
        exchange.at = Timestamp::from_second(second).unwrap();
        prop_assert_eq!(exchange.verify(&exchange.headers()), Ok(()));
    }

    #[test]
    fn a_flipped_bit_of_the_body_is_rejected(
        scheme in any_scheme(),
        seed: u64,
        body in proptest::collection::vec(any::<u8>(), 1..200),
        at: proptest::sample::Index,
        bit in 0u8..8,
    ) {
        let mut exchange = Exchange::new(&scheme, seed, &body, "application/json");
        let headers = exchange.headers();
        let at = at.index(exchange.body.len());
        exchange.body[at] ^= 1 << bit;
        prop_assert_eq!(exchange.verify(&headers), Err(Rejection::Mismatch));
    }

    #[test]
    fn no_header_text_makes_a_verifier_panic_or_accept(
        scheme in any_scheme(),
        texts in proptest::collection::vec(".{0,80}", 3),
    ) {
        let exchange = Exchange::new(&scheme, 1, b"{}", "application/json");
        let mut headers = exchange.headers();
        for ((_, value), text) in headers.iter_mut().zip(texts) {
            *value = text;
        }
        prop_assert!(exchange.verify(&headers).is_err());
    }
}
