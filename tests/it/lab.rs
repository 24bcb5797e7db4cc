use hookwatch::lab::{Lab, Options};
use std::time::Instant;

#[tokio::test]
async fn updown() {
    let env = std::env::vars().collect();
    let t = Instant::now();
    let lab = Lab::up(Options::servers(env!("CARGO_BIN_EXE_hookwatch"), env))
        .await
        .unwrap();
    eprintln!("up {:?} {:?}", t.elapsed(), lab.folder());
    eprintln!("{:?} {:?}", lab.nats_url(), lab.postgres_url("postgres"));
    let t = Instant::now();
    let f = lab.folder().to_owned();
    lab.down().await.unwrap();
    eprintln!("down {:?}", t.elapsed());
    assert!(!f.exists());
}
