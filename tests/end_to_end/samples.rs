//! The files in `deploy/` are what the programs read.

use std::path::{Path, PathBuf};

use s3rec_cli::connection::ConnectionArgs;
use s3rec_node::Overrides;
use s3rec_node::config::{PeerSettings, RatingPeer, SocialPeer, load};
use s3rec_node::pki::{CertificateRole, Pin};
use s3rec_tests::command::run;

#[test]
fn sample_configurations_are_read() {
    let home = tempfile::tempdir().unwrap();
    let pin = home.path().join("peer.pin");
    std::fs::write(&pin, format!("{}\n", "ab".repeat(32))).unwrap();
    let overrides = Overrides {
        set: vec![format!("peer.pin_file={}", pin.display())],
        ..Overrides::default()
    };
    let rating = load::<RatingPeer>(&deploy("rating.toml"), &overrides).unwrap();
    let social = load::<SocialPeer>(&deploy("social.toml"), &overrides).unwrap();
    for (operators, tls) in [
        (&rating.operator, &rating.tls),
        (&social.operator, &social.tls),
    ] {
        assert!(operators.ca.is_some() && tls.revoked.is_some());
    }
    let policy = social.peer.policy.unwrap();
    let check = ["social", "policy", "check", policy.to_str().unwrap()];
    let checked = run(home.path(), &check);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    // What docker-compose.yml listens on and what the one calls the other.
    assert_eq!(rating.operator.listen.port(), 7100);
    assert_eq!(social.operator.listen.port(), 7200);
    assert!(
        rating
            .peer
            .address
            .ends_with(&social.peer.listen.port().to_string())
    );
    assert_eq!(rating.data_dir, social.data_dir);
    let pins = rating.peer.pins().unwrap().read().unwrap();
    assert_eq!(pins, ["ab".repeat(32).parse::<Pin>().unwrap()]);

    for (file, port) in [
        ("rating-operator.toml", rating.operator.listen.port()),
        ("social-operator.toml", social.operator.listen.port()),
    ] {
        let role = match file.starts_with("rating") {
            true => CertificateRole::RatingOperator,
            false => CertificateRole::SocialOperator,
        };
        let client = ConnectionArgs {
            client: Some(deploy(file)),
            ..ConnectionArgs::default()
        };
        let connection = client.resolve(role).unwrap();
        assert!(
            connection.address.ends_with(&format!(":{port}")),
            "{connection:?}"
        );
    }
}

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(file)
}
