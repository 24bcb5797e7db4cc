//! Published vectors and examples, in both directions.

use super::*;

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
        serde_json::from_str(include_str!("../../../tests/data/signatures.json")).unwrap()
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
