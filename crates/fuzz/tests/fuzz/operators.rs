//! What people hand to the commands and the daemons besides data files and keys.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use s3rec_cli::connection::ConnectionArgs;
use s3rec_data::{RatingOptions, RatingSet};
use s3rec_fuzz::edited;
use s3rec_wire::convert::{file_header_from_wire, request_from_wire};
use s3rec_wire::record::Record;
use s3rec_wire::v1;

/// A policy with every field, as the manual shows it.
const POLICY: &str = "default = \"ask\"\n[[rule]]\npeer = \"*\"\ndataset = \"links\"\n\
    decide = \"approve\"\nprotocols = [\"preprocessed\", \"he\"]\npatterns = [\"nothing\"]\n\
    releases = [\"exact\", \"noised\"]\nlargest_rank = 10\nmost_intersections = 20\n\
    most_ids_asked = 100000\nmost_columns_per_day = 200\n\
    most_values_per_day = 1000000\nmost_columns = 2000\nmost_values = 100000000\n\
    most_stocks = 20\nmost_rho = 0.5\nmost_epsilon = 3.5\ndelta = 1e-6\n\
    least_common_users = 100\ndegree_bound = 128\nlinks_bound = 65536\nbounds = \"stated\"\n\
    longest_days = 14\n\
    expires = \"2030-01-01T00:00:00Z\"\n";

#[test]
fn policies() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    fs::write(&path, POLICY).unwrap();
    s3rec_social::check_policy(&path).unwrap();
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let base = if *whole { POLICY.as_bytes() } else { &[] };
            fs::write(&path, edited(base, edits, tail)).unwrap();
            if let Err(refused) = s3rec_social::check_policy(&path) {
                // Whoever wrote it must find it.
                assert!(refused.to_string().contains("policy.toml"), "{refused}");
            }
        });
}

#[test]
fn client_files() {
    const CLIENT: &[u8] = include_bytes!("../../../../deploy/rating-operator.toml");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("client.toml");
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let base = if *whole { CLIENT } else { &[] };
            fs::write(&path, edited(base, edits, tail)).unwrap();
            let given = ConnectionArgs {
                client: Some(path.clone()),
                ..ConnectionArgs::default()
            };
            if let Ok(connection) = given.resolve(s3rec_node::pki::CertificateRole::RatingOperator)
            {
                assert!(connection.address.contains("://"), "{connection:?}");
            }
        });
}

/// How a file is to be read, and what is to be trained on it: both are a caller's words.
#[test]
fn imports_and_proposals() {
    static RATINGS: OnceLock<RatingSet> = OnceLock::new();
    let ratings = RATINGS.get_or_init(|| {
        let text = "a\tx\t4\nb\tx\t3\na\ty\t1\nc\ty\t2\nb\tz\t5\n";
        let path = Path::new("ratings.tsv");
        RatingSet::read_from(path, text.as_bytes(), &RatingOptions::default()).unwrap()
    });
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(header) = v1::FileHeader::from_record(bytes)
            && let Ok(options) = s3rec_rating::rating_options(&file_header_from_wire(header))
        {
            let _ = RatingSet::read_from(Path::new("ratings"), bytes, &options);
        }
        if let Ok(request) = v1::ProposeJobRequest::from_record(bytes)
            && let Ok(request) = request_from_wire(request)
        {
            let _ = s3rec_rating::plan(ratings, &request);
        }
    });
}

/// What `s3rec bench report` puts together.
#[test]
fn benchmark_documents() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("products-small.json");
    bolero::check!().for_each(|bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let _ = s3rec_bench::Document::<serde_json::Value>::read(&path);
    });
}
