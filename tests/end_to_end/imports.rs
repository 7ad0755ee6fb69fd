//! Files that are not what they should be: refused whole, with file, line and field.

use std::io::Write;
use std::path::Path;

use s3rec_cli::client::{self, Columns, FileSource};
use s3rec_cli::failure::Failure;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;

#[tokio::test]
async fn a_bad_ratings_file_changes_nothing_and_is_explained() {
    let pair = Pair::start();
    let mut client = client::rating(&pair.rating_connection()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let good = write(
        directory.path(),
        "good.tsv",
        b"a\tx\t1\na\ty\t4\nb\tx\t3\nb\ty\t2\n",
    );
    let imported = client::import_ratings(&mut client, &good).await.unwrap();
    assert_eq!(
        (imported.users, imported.items, imported.ratings),
        (2, 2, 4)
    );

    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0xe4];
    let cases: [(&str, &[u8], &str); 6] = [
        ("truncated.tsv", b"a\tx\t1\nb\ty\n", "truncated.tsv:2"),
        ("letters.tsv", b"a\tx\t1\nb\ty\tgood\n", "letters.tsv:2"),
        ("nan.tsv", b"a\tx\t1\nb\ty\tNaN\n", "nan.tsv:2"),
        ("binary.tsv", b"a\tx\t1\n\xff\xfe\ty\t2\n", "binary.tsv:2"),
        ("empty.tsv", b"", "empty.tsv"),
        ("cut.tsv.gz", &gzip, "cut.tsv.gz"),
    ];
    for (name, content, place) in cases {
        let source = write(directory.path(), name, content);
        let failure = client::import_ratings(&mut client, &source)
            .await
            .unwrap_err();
        assert_eq!(failure.reason(), "INVALID_FILE", "{name}: {failure}");
        assert!(failure.to_string().contains(place), "{name}: {failure}");
    }

    // What was there before is still what a proposal would use.
    let proposal = v1::ProposeJobRequest {
        no_held_out: true,
        ..s3rec_tests::job::proposal(1)
    };
    client.propose_job(proposal).await.unwrap();
}

#[tokio::test]
async fn a_bad_links_file_is_explained() {
    let pair = Pair::start();
    let mut client = client::social(&pair.social_connection()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("one.tsv", b"a\tb\nc\n".as_slice()),
        ("none.tsv", b"a\ta\n"),
    ] {
        let source = write(directory.path(), name, content);
        let failure = client::import_links(&mut client, &source)
            .await
            .unwrap_err();
        assert_eq!(failure.reason(), "INVALID_FILE", "{name}: {failure}");
        assert!(failure.to_string().contains(name), "{name}: {failure}");
    }
    let good = write(directory.path(), "good.tsv", b"a\tb\na\tb\nb\tb\nb\tc\n");
    let imported = client::import_links(&mut client, &good).await.unwrap();
    let counted = (
        imported.users,
        imported.links,
        imported.duplicates,
        imported.self_links,
    );
    assert_eq!(counted, (3, 2, 1, 1));
}

#[tokio::test]
async fn columns_times_and_counts_are_read_as_told() {
    let pair = Pair::start();
    let mut client = client::rating(&pair.rating_connection()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let plays = b"when,film,who,plays\n30,x,a,3\n10,y,a,1\n20,x,b,7\n40,x,a,4\n50,y,b,2\n";
    let mut source = write(directory.path(), "plays.csv", plays);
    source.columns = Columns {
        from: "who".into(),
        to: "2".into(),
        value: "plays".into(),
        timestamp: "when".into(),
    };
    source.counts = true;
    let imported = client::import_ratings(&mut client, &source).await.unwrap();
    let sizes = (
        imported.rows,
        imported.users,
        imported.items,
        imported.ratings,
    );
    assert_eq!(sizes, (5, 2, 2, 4));
    assert_eq!((imported.density, imported.timestamped), (1.0, true));
    assert_eq!(
        (imported.duplicates, imported.conflicting_duplicates),
        (1, 1)
    );
    // a played x 3 + 4 times, b 7 times: log2(8); a played y once: log2(2).
    assert_eq!((imported.scale_min, imported.scale_max), (1.0, 3.0));

    let proposal = |held_out_latest| v1::ProposeJobRequest {
        held_out_latest,
        held_out_share: Some(0.5),
        ..s3rec_tests::job::proposal(1)
    };
    client.propose_job(proposal(true)).await.unwrap();
    source.columns.timestamp = String::new();
    client::import_ratings(&mut client, &source).await.unwrap();
    let refused = client.propose_job(proposal(true)).await.unwrap_err();
    assert!(refused.message().contains("times"), "{refused}");
    client.propose_job(proposal(false)).await.unwrap();

    source.columns.from = "nobody".into();
    let refused = client::import_ratings(&mut client, &source).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), "INVALID_FILE", "{refused}");
    assert!(refused.to_string().contains("nobody"), "{refused}");
}

#[tokio::test]
async fn an_import_tells_how_it_read_and_what_looks_wrong() {
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let mut client = client::rating(&pair.rating_connection()).await.unwrap();
    let swapped = b"item_id,user_id,rating\nx,01,5\ny,01,NULL\nx,02,3\n";
    let mut source = write(directory.path(), "ratings.csv", swapped);
    let refused = client::import_ratings(&mut client, &source)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("--drop-missing"), "{refused}");
    source.drop_missing = true;
    let imported = client::import_ratings(&mut client, &source).await.unwrap();
    assert_eq!(
        (imported.users, imported.items, imported.missing),
        (2, 1, 1)
    );
    let reading = imported.reading.unwrap();
    assert_eq!(reading.sample_users, ["01", "02"]);
    assert_eq!(reading.sample_items, ["x"]);
    assert!(
        reading.read_as.contains("user \"user_id\""),
        "{}",
        reading.read_as
    );
    assert_eq!(
        (reading.suspicions.len(), reading.suspicions[0].count),
        (1, 2)
    );

    let mut client = client::social(&pair.social_connection()).await.unwrap();
    let mut source = write(directory.path(), "links.txt", b"# friends\n1: 2 3\n2: 1\n");
    source.undirected = true;
    let imported = client::import_links(&mut client, &source).await.unwrap();
    assert_eq!(
        (imported.links, imported.reversed, imported.duplicates),
        (4, 1, 0)
    );
    assert_eq!(imported.reading.unwrap().comment_lines, 1);
    source.has_header = true;
    source.no_header = true;
    let refused = client::import_links(&mut client, &source)
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), "INVALID_REQUEST", "{refused}");
}

#[tokio::test]
async fn chunks_out_of_order_are_refused() {
    use v1::file_chunk::Part;
    let pair = Pair::start();
    let mut client = client::rating(&pair.rating_connection()).await.unwrap();
    let header = || {
        Part::Header(v1::FileHeader {
            file_name: "f".into(),
            dataset: "d".into(),
            length: 1 << 21,
            digest: vec![0; 32],
            ..Default::default()
        })
    };
    let rows = || Part::Data(b"a\tx\t1\nb\tx\t2\n".to_vec());
    let too_long = || Part::Data(vec![b'\n'; (1 << 20) + (8 << 10)]);
    let cases: [Vec<Part>; 4] = [
        vec![],
        vec![rows()],
        vec![header(), header(), rows()],
        vec![header(), too_long()],
    ];
    for parts in cases {
        let count = parts.len();
        let chunks = parts
            .into_iter()
            .map(|part| v1::FileChunk { part: Some(part) });
        let sent = client
            .import_ratings(tokio_stream::iter(chunks.collect::<Vec<_>>()))
            .await;
        let failure = Failure::from(sent.unwrap_err());
        assert!(
            matches!(
                failure.reason().as_str(),
                "INVALID_REQUEST" | "LIMIT_EXCEEDED"
            ),
            "{count}: {failure:?}"
        );
    }
}

fn write(directory: &Path, name: &str, content: &[u8]) -> FileSource {
    let path = directory.join(name);
    std::fs::File::create(&path)
        .unwrap()
        .write_all(content)
        .unwrap();
    FileSource::new(&path, "test")
}
