//! The files in `deploy/` are what the daemons read.

use std::path::Path;

use s3rec_node::Overrides;
use s3rec_node::config::{RatingPeer, SocialPeer, load};

#[test]
fn sample_configurations_are_read() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let none = Overrides::default();
    let rating = load::<RatingPeer>(&deploy.join("rating.toml"), &none).unwrap();
    let social = load::<SocialPeer>(&deploy.join("social.toml"), &none).unwrap();
    // What docker-compose.yml publishes and what the one calls the other.
    assert_eq!(rating.operator.listen.port(), 7100);
    assert_eq!(social.operator.listen.port(), 7200);
    assert!(
        rating
            .peer
            .address
            .ends_with(&social.peer.listen.port().to_string())
    );
    assert_eq!(rating.data_dir, social.data_dir);
}
