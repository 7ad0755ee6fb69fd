//! The files in `deploy/` are what the programs read.

use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use s3rec_cli::connection::ConnectionArgs;
use s3rec_node::Overrides;
use s3rec_node::config::{PeerSettings, RatingPeer, SocialPeer, load};
use s3rec_node::pki::{CertificateRole, Pin};
use s3rec_tests::binaries::Program;
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

/// What Kubernetes mounts, with the keys where the manifest has them.
#[test]
fn configurations_for_kubernetes_are_read() {
    let home = tempfile::tempdir().unwrap();
    let pin = home.path().join("peer.pin");
    std::fs::write(&pin, format!("{}\n", "ab".repeat(32))).unwrap();
    let overrides = Overrides {
        set: vec![format!("peer.pin_file={}", pin.display())],
        ..Overrides::default()
    };
    let rating = deploy("kubernetes/rating/rating.toml");
    let rating = load::<RatingPeer>(&rating, &overrides).unwrap();
    let social = deploy("kubernetes/social/social.toml");
    let social = load::<SocialPeer>(&social, &overrides).unwrap();
    // The ports of the base and of the network policies.
    for operator in [&rating.operator, &social.operator] {
        assert_eq!(operator.listen.port(), 7100);
    }
    assert_eq!(social.peer.listen.port(), 7201);
    assert!(rating.peer.address.ends_with(":7201"));
    // A kustomization may name no file outside its directory.
    let read = |file| std::fs::read_to_string(deploy(file)).unwrap();
    assert_eq!(read("kubernetes/social/policy.toml"), read("policy.toml"));
}

#[test]
fn the_sample_data_are_those_that_generate_draws() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("drawn");
    let drawn = run(home.path(), &["generate", "--out", out.to_str().unwrap()]);
    assert_eq!(drawn.code, Some(0), "{drawn:?}");
    for file in ["ratings.tsv", "links.tsv"] {
        let kept = std::fs::read(deploy("samples").join(file)).unwrap();
        let drawn = std::fs::read(out.join(file)).unwrap();
        assert!(
            kept == drawn,
            "deploy/samples/{file}: draw it again with s3rec generate"
        );
    }
}

#[test]
fn pages_and_completions_are_of_this_command_line() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("man");
    let made = run(home.path(), &["man", out.to_str().unwrap()]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let page = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert!(page("s3rec-rating-propose.1").contains("held\\-out\\-share"));
    for daemon in ["s3rec-rating.1", "s3rec-social.1"] {
        assert!(page(daemon).contains("\\-\\-config"), "{daemon}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let printed = run(home.path(), &["completions", shell]);
        assert!(printed.stdout.contains("propose"), "{shell}");
    }
}

/// A wheel has one program for all three.
#[test]
fn called_by_a_daemons_name_the_command_is_that_daemon() {
    for name in ["s3rec-rating", "s3rec-social"] {
        let called = std::process::Command::new(Program::Command.path())
            .arg0(format!("/somewhere/{name}"))
            .arg("--version")
            .output()
            .unwrap();
        let said = String::from_utf8(called.stdout).unwrap();
        assert!(said.starts_with(&format!("{name} ")), "{said}");
    }
}

/// As a secret of Kubernetes has them: behind links, and read by a group.
#[test]
fn installed_keys_are_the_daemons_alone() {
    let home = tempfile::tempdir().unwrap();
    let (from, to) = (home.path().join("secret"), home.path().join("keys"));
    std::fs::create_dir_all(from.join("..data")).unwrap();
    for (name, text) in [("rating.key", "k"), ("ca.pem", "c"), ("readme.txt", "r")] {
        std::fs::write(from.join("..data").join(name), text).unwrap();
        symlink(Path::new("..data").join(name), from.join(name)).unwrap();
    }
    let install = |from: &Path| {
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        run(home.path(), &["pki", "install", "--from", from, "--to", to])
    };
    // Twice: a secret may have changed.
    for key in ["k", "new"] {
        std::fs::write(from.join("..data/rating.key"), key).unwrap();
        let installed = install(&from);
        assert_eq!(installed.code, Some(0), "{installed:?}");
        assert_eq!(std::fs::read_to_string(to.join("rating.key")).unwrap(), key);
    }
    let mode = |name: &str| std::fs::metadata(to.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("rating.key"), mode("ca.pem")), (0o600, 0o644));
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 2);
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_eq!(install(&empty).code, Some(2));
}

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(file)
}
