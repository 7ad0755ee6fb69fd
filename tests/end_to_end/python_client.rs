//! The client in Python that README shows, made from the descriptor that the command prints.

use std::path::Path;
use std::process::Command;

use s3rec_tests::command::run;
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;

const EXAMPLE: &str = include_str!("../python/client.py");
/// What README tells people to generate with.
const GENERATE: &str = "grpc_tools.protoc --descriptor_set_in=s3rec.binpb --python_out=. --grpc_python_out=. s3rec/v1/types.proto s3rec/v1/rating.proto";

#[test]
fn readme_shows_the_client_that_runs() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```python\n{EXAMPLE}```")));
    assert!(readme.contains(GENERATE));
}

#[tokio::test]
async fn a_client_in_python_hears_what_ours_hears() {
    let Some(python) = std::env::var_os("S3REC_PYTHON") else {
        eprintln!("SKIPPED: S3REC_PYTHON names no Python with grpcio-tools");
        return;
    };
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut job = Job::start(&pair, &files, 3).await;
    let end = job.end_at_rating().await;
    assert_eq!(end.state(), v1::JobState::Finished, "{end:?}");

    let descriptor = data.path().join("s3rec.binpb");
    let printed = run(
        data.path(),
        &["descriptor", "--out", descriptor.to_str().unwrap()],
    );
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let mut generate = Command::new(&python);
    generate.arg("-m").args(GENERATE.split(' '));
    succeed(generate.current_dir(data.path()));

    let ratings = std::fs::read_to_string(&files.ratings).unwrap();
    let mut first = ratings.lines().next().unwrap().split('\t');
    let (user, item) = (first.next().unwrap(), first.next().unwrap());
    let mut client = Command::new(&python);
    client
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/client.py"))
        .arg(&pair.rating.operator_address)
        .arg(pair.home.path().join("keys"))
        .args([user, item])
        .env("PYTHONPATH", data.path());
    let said = succeed(&mut client);
    let said: Vec<&str> = said.lines().collect();

    let predict = v1::PredictRequest {
        model_id: String::new(),
        user_id: user.into(),
        item_id: item.into(),
    };
    let predicted = job.rating.predict(predict).await.unwrap().into_inner();
    let recommend = v1::RecommendRequest {
        user_id: user.into(),
        count: 5,
        ..v1::RecommendRequest::default()
    };
    let best = job.rating.recommend(recommend).await.unwrap().into_inner();
    let best: Vec<String> = best.items.into_iter().map(|item| item.item_id).collect();
    assert_eq!(best.len(), 5);
    assert_eq!(said[0], job.id);
    assert_eq!(said[1].parse::<f64>().unwrap(), predicted.rating);
    assert_eq!(said[2], best.join(" "));
}

#[test]
fn a_client_that_only_reflects_calls_every_verb_of_both_platforms() {
    let Some(python) = std::env::var_os("S3REC_PYTHON") else {
        eprintln!("SKIPPED: S3REC_PYTHON names no Python with grpcio-reflection");
        return;
    };
    let mut pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    for (file, name) in [(&files.ratings, "ratings.tsv"), (&files.links, "links.tsv")] {
        let place = data.path().join(name);
        if *file != place {
            std::fs::copy(file, place).unwrap();
        }
    }
    let mut client = Command::new(&python);
    client
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/generic.py"))
        .arg(pair.home.path().join("keys"))
        .arg(data.path())
        .args([&pair.rating.operator_address, &pair.social.operator_address]);
    let said = succeed(&mut client);
    for (service, verb) in [
        ("s3rec.v1.RatingPlatform ", " ProposeJob "),
        ("s3rec.v1.SocialPlatform ", " ApproveProposal "),
    ] {
        let line = said.lines().find(|line| line.starts_with(service));
        assert!(line.unwrap().contains(verb), "{said}");
    }
    pair.rating.assert_well();
    pair.social.assert_well();
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        said(&output.stdout),
        said(&output.stderr)
    );
    said(&output.stdout)
}
