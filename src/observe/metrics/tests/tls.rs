//! Certificates, on both sides.

use super::*;

async fn tls_server(authority: &Authority, names: &[&str], until: i32, clients: bool) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let acceptor = authority.acceptor(&authority.sign("server", names, until), clients);
    Server::start_with(Some(acceptor), |_, _| page(PAGE)).await
}

fn tls_target(server: &Server, authority: &Authority) -> Target {
    let mut target = target(&format!("https://localhost:{}/metrics", server.port));
    target.tls.ca = Some(authority.ca.clone());
    target
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["localhost"], 4_000, false).await;
    let mut target = tls_target(&server, &authority);
    assert_eq!(Rig::new(&target).read().await.unwrap().values, [7.0]);

    let stranger = Authority::new();
    target.tls.ca = Some(stranger.ca.clone());
    let said = Rig::new(&target).refusal().await;
    assert!(
        said.contains("signed by nobody we trust → give this target the ca that signed it"),
        "{said}"
    );

    target.tls.ca = None;
    match Rig::try_new(&target) {
        Ok(mut rig) => assert!(rig.refusal().await.contains("signed by nobody we trust")),
        // A machine without any authorities of its own.
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[tokio::test]
async fn a_wrong_or_expired_certificate_is_said_so() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["elsewhere"], 4_000, false).await;
    let said = Rig::new(&tls_target(&server, &authority)).refusal().await;
    assert!(said.contains("its certificate is for another host name"), "{said}");
    let server = tls_server(&authority, &["localhost"], 2_001, false).await;
    let said = Rig::new(&tls_target(&server, &authority)).refusal().await;
    assert!(said.contains("its certificate has expired → renew it"), "{said}");
}

#[tokio::test]
async fn an_authority_s_certificate_shown_as_a_server_s_is_said_in_words() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = Authority::new();
    let server = Server::start_with(Some(authority.acceptor(&authority.itself(), false)), |_, _| page(PAGE)).await;
    let said = Rig::new(&tls_target(&server, &authority)).refusal().await;
    assert!(
        said.contains("its certificate is that of an authority, and not of a server → give the server"),
        "{said}"
    );
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["localhost"], 4_000, true).await;
    let mut target = tls_target(&server, &authority);
    let said = Rig::new(&target).refusal().await;
    assert!(
        said.contains("→ give this target a cert and key that it accepts"),
        "{said}"
    );
    let (cert, key) = authority.sign("client", &["console"], 4_000);
    target.tls.cert = Some(cert);
    let said = Rig::try_new(&target).err().unwrap().to_string();
    assert!(
        said.ends_with("a certificate and its key belong together → give this target both cert and key"),
        "{said}"
    );
    target.tls.key = Some(key);
    assert_eq!(Rig::new(&target).read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn http_and_https_mixed_up_are_said_so() {
    let authority = Authority::new();
    let server = tls_server(&authority, &["localhost"], 4_000, false).await;
    let said = Rig::new(&target(&server.url())).refusal().await;
    assert!(
        said.contains("write https:// if it speaks TLS") || said.contains("closed the connection"),
        "{said}"
    );
    let plain = Server::start(|_, _| page(PAGE)).await;
    let mut target = tls_target(&server, &authority);
    target.url = target.url.replace(&server.port.to_string(), &plain.port.to_string());
    // The server reads the greeting as a request that never ends.
    target.timeout = Duration::from_millis(300);
    let said = Rig::new(&target).refusal().await;
    assert!(
        said.contains("no answer within 300 ms") || said.contains("it does not speak TLS"),
        "{said}"
    );
}

#[test]
fn certificate_files_that_are_missing_or_empty_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let mut target = target("https://h/metrics");
    target.tls.ca = Some(path.clone());
    let said = Metrics::new(&target, &Families::default()).unwrap_err().to_string();
    assert!(
        said.contains("ca.pem: No such file") && said.contains("→ check the path"),
        "{said}"
    );
    std::fs::write(&path, "nothing").unwrap();
    let said = Metrics::new(&target, &Families::default()).unwrap_err().to_string();
    assert!(
        said.contains("ca.pem: no certificate in it → ca wants certificates in PEM form"),
        "{said}"
    );
}
