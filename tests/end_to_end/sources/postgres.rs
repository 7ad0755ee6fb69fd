//! Imports from a PostgreSQL database.

use std::path::Path;
use std::process::Command;

use s3rec_tests::command::Run;
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_tests::postgres::{PASSWORD, Postgres};
use s3rec_tests::torn::Torn;

use super::{assert_committed, held, run};

/// The password, as people give it who do not keep it in a file.
fn password() -> [(&'static str, String); 1] {
    [("PGPASSWORD", PASSWORD.to_owned())]
}

fn import(pair: &Pair, directory: &Path, address: &str, more: &[&str]) -> Run {
    let arguments = [&["rating", "import", address], more].concat();
    run(
        directory,
        &pair.rating_connection(),
        &password(),
        &arguments,
    )
}

/// What a failed import says; nothing of it tells the password.
fn refusal(ran: &Run, reason: &str, parts: &[&str]) {
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        !ran.stderr.contains(PASSWORD) && !ran.stderr.contains("wrong horse"),
        "{ran:?}"
    );
    let error = ran.error();
    assert_eq!(error["reason"], reason, "{error}");
    let said = format!("{} {}", error["message"], error["remedy"]);
    for part in parts {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

/// Tables of a small set.
fn fill(server: &Postgres) {
    server.run(
        "CREATE TABLE played (who text, film text, stars numeric(2,1), at timestamptz);
         INSERT INTO played VALUES
           ('#ann', 'a, \"b\"', 3.5, '2026-01-02 03:04:05+00'), ('bob', 'x', 1.0, '2026-01-02 12:00+09'),
           ('bob', 'a, \"b\"', 5, '2026-01-01'), ('cy', 'x', NULL, '2026-01-01');
         CREATE TABLE people (member text); INSERT INTO people VALUES ('dan'), ('bob');
         CREATE TABLE hidden (who text); CREATE USER guest PASSWORD 'x'",
    );
}

#[test]
fn epinions_from_a_database_is_what_the_file_is() {
    let (Some(files), Some(server)) = (Files::epinions(), Postgres::start()) else {
        return;
    };
    for (table, columns, file) in [
        (
            "ratings",
            "user_id int, item_id int, rating smallint",
            &files.ratings,
        ),
        (
            "trust",
            "truster int, trustee int, weight smallint",
            &files.links,
        ),
    ] {
        let unpacked = Command::new("gzip").arg("-dc").arg(file).output().unwrap();
        let copy = std::env::temp_dir().join(format!("s3rec-{}-{table}", std::process::id()));
        std::fs::write(&copy, unpacked.stdout).unwrap();
        server.run(&format!("CREATE TABLE {table} ({columns})"));
        server.run(&format!("\\copy {table} FROM '{}'", copy.display()));
        std::fs::remove_file(copy).unwrap();
    }
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let given = |address: &str, query: &str| match query {
        "" => vec![address.to_owned()],
        query => vec![address.to_owned(), "--query".to_owned(), query.to_owned()],
    };
    let (rows, links) = (
        "SELECT user_id, item_id, rating FROM ratings ORDER BY random() -- any order",
        "TABLE trust",
    );
    for (name, rated, linked) in [
        (
            "file",
            given(files.ratings.to_str().unwrap(), ""),
            given(files.links.to_str().unwrap(), ""),
        ),
        (
            "database",
            given(&server.address(), rows),
            given(&server.local_address(), links),
        ),
    ] {
        let connections = [pair.rating_connection(), pair.social_connection()];
        for (platform, source, connection) in [
            ("rating", rated, &connections[0]),
            ("social", linked, &connections[1]),
        ] {
            let mut arguments = vec![platform, "import", "--dataset", name];
            arguments.extend(source.iter().map(String::as_str));
            let imported = run(directory.path(), connection, &password(), &arguments).json();
            let expected = match platform {
                "rating" => ("ratings", 664_824),
                _ => ("links", 487_002),
            };
            assert_eq!(imported[expected.0], expected.1, "{name} {imported}");
        }
    }
    assert_committed(pair, &files, &["file", "database"]);
}

#[test]
fn rows_go_by_the_names_of_the_querys_columns() {
    let Some(server) = Postgres::start() else {
        return;
    };
    fill(&server);
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let query =
        "SELECT at AS \"timestamp\", stars AS rating, film AS item, who AS \"user\" FROM played;";
    let refused = import(
        &pair,
        directory.path(),
        &server.address(),
        &["--query", query],
    );
    // The file is named, and the row.
    refusal(
        &refused,
        "INVALID_FILE",
        &[
            "postgres://owner@localhost:",
            "postgres:5",
            "--drop-missing",
        ],
    );
    let people = server.local_address();
    let imported = import(
        &pair,
        directory.path(),
        &server.address(),
        &[
            "--query",
            query,
            "--drop-missing",
            "--users",
            &people,
            "--users-query",
            "SELECT member FROM people",
        ],
    );
    let imported = imported.json();
    assert_eq!(imported["ratings"], 3, "{imported}");
    assert_eq!(imported["timestamped"], true, "{imported}");
    assert_eq!(imported["reading"]["comment_lines"], 0, "{imported}");
    assert_eq!(
        imported["roster"]["only_listed"], 1,
        "the name of its column is no user: {imported}"
    );
    let stored = pair.home.data_dir("rating").join("ratings/default");
    let stored = std::fs::read_to_string(stored).unwrap();
    assert!(
        stored.contains("\"2026-01-02 03:00:00+00\",\"1.0\",\"x\",\"bob\""),
        "{stored}"
    );
}

#[test]
fn what_goes_wrong_says_how_to_put_it_right_and_leaves_nothing() {
    let Some(server) = Postgres::start() else {
        return;
    };
    fill(&server);
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let address = server.address();
    let query = |query| ["--query", query];
    let rows = "SELECT who AS \"user\", film AS item, stars AS rating FROM played WHERE stars > 0";
    let before = held(&pair, directory.path());
    let import = |address: &str, more: &[&str]| import(&pair, directory.path(), address, more);

    for (sql, reason, parts) in [
        (
            "SELECT whom, film FROM played",
            "SOURCE_QUERY",
            &["line 1, character 8", "whom"][..],
        ),
        (
            "SELECT who\nFROM plaid",
            "SOURCE_QUERY",
            &["line 2, character 6", "plaid"],
        ),
        (
            "SELECT 1/(stars - 1) FROM played ORDER BY stars DESC",
            "SOURCE_QUERY",
            &["division by zero"],
        ),
        (
            "DELETE FROM played RETURNING *",
            "SOURCE_QUERY",
            &["only reads"],
        ),
        (
            "SELECT who, film FROM played; DROP TABLE played",
            "SOURCE_QUERY",
            &["syntax"],
        ),
        (
            "SELECT who AS \"user\", stars AS rating FROM played",
            "INVALID_FILE",
            &["item"],
        ),
        (
            "SELECT who AS \"user\", film AS item, 'good' AS rating FROM played",
            "INVALID_FILE",
            &["rating", ":2"],
        ),
    ] {
        refusal(&import(&address, &query(sql)), reason, parts);
    }
    let asked = |text: &str, reason, parts: &[&str]| {
        let ran = run(
            directory.path(),
            &pair.rating_connection(),
            &[],
            &["rating", "import", text, "--query", rows],
        );
        refusal(&ran, reason, parts);
    };
    let port = server.port;
    let ca = format!("sslrootcert={}", server.authority().display());
    let as_user = |user: &str| format!("postgres://{user}@localhost:{port}/postgres?{ca}");
    asked(
        &as_user("owner"),
        "SOURCE_CREDENTIALS",
        &["user owner", "PGPASSWORD", "pgpass"],
    );
    asked(
        &as_user("owner:wrong%20horse"),
        "SOURCE_CREDENTIALS",
        &["does not accept", "~/.pgpass"],
    );
    asked(
        &as_user("guest:x"),
        "SOURCE_CREDENTIALS",
        &["guest", "GRANT SELECT"],
    );
    let elsewhere = format!("postgres://owner@localhost:{port}/films?{ca}");
    refusal(
        &import(&elsewhere, &query(rows)),
        "SOURCE_MISSING",
        &["films", "psql -l"],
    );
    let unknown = format!("postgres://owner@localhost:{port}/postgres");
    refusal(
        &import(&unknown, &query(rows)),
        "SOURCE_UNREACHABLE",
        &["certificate", "sslrootcert"],
    );
    let by_number = format!("postgres://owner@127.0.0.1:{port}/postgres?{ca}");
    refusal(
        &import(&by_number, &query(rows)),
        "SOURCE_UNREACHABLE",
        &["certificate", "127.0.0.1"],
    );
    let nobody = format!("postgres://owner@localhost:1/postgres?{ca}");
    refusal(
        &import(&nobody, &query(rows)),
        "SOURCE_UNREACHABLE",
        &["refused", "host and port"],
    );
    refusal(&import(&address, &[]), "SOURCE_PLACE", &["--query"]);
    refusal(
        &import("mysql://h/d", &query(rows)),
        "SOURCE_PLACE",
        &["mysql", "postgres://"],
    );

    // Nothing came of any of it; nor did the query that would write.
    assert_eq!(held(&pair, directory.path()), before);
    assert_eq!(server.run("SELECT count(*) FROM played").trim(), "4");
    import(&address, &query(rows)).json();

    // A password in a file, which nobody else may read.
    let passwords = directory.path().join(".pgpass");
    std::fs::write(&passwords, format!("localhost:{port}:*:owner:{PASSWORD}\n")).unwrap();
    let with_file = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&passwords, mode).unwrap();
        let connection = pair.rating_connection();
        run(
            directory.path(),
            &connection,
            &[],
            &["rating", "import", &address, "--query", rows],
        )
    };
    refusal(
        &with_file(0o644),
        "SOURCE_CREDENTIALS",
        &["mode 644", "chmod 600"],
    );
    with_file(0o600).json();
}

#[test]
fn a_connection_that_breaks_in_mid_import_leaves_nothing() {
    let Some(server) = Postgres::start() else {
        return;
    };
    server.run(
        "CREATE TABLE many AS SELECT i % 977 AS user_id, i AS item_id, i % 5 + 1 AS rating
         FROM generate_series(1, 200000) AS i",
    );
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let small = directory.path().join("small.tsv");
    std::fs::write(&small, "a\tx\t1\nb\ty\t2\n").unwrap();
    let small = small.to_str().unwrap().to_owned();
    import(&pair, directory.path(), &small, &[]).json();
    let before = held(&pair, directory.path());

    // Torn by the network, after a megabyte of some four.
    let torn = Torn::after(server.port, 1 << 20, usize::MAX);
    let address = server.address_at(torn.port);
    let ran = import(
        &pair,
        directory.path(),
        &address,
        &["--query", "TABLE many"],
    );
    refusal(
        &ran,
        "SOURCE_BROKEN",
        &["the connection broke after", "rows", "nothing was imported"],
    );
    assert_eq!(torn.torn(), 1);

    // Ended by the database. Its last words may be lost with the connection, when it resets
    // that under what is still on the way to it.
    let query = "SELECT user_id, item_id, rating FROM many WHERE item_id < 190000
                 OR pg_terminate_backend(pg_backend_pid())";
    let ran = import(
        &pair,
        directory.path(),
        &server.address(),
        &["--query", query],
    );
    refusal(&ran, "SOURCE_BROKEN", &["nothing was imported"]);
    assert!(
        ["terminating connection", "the connection broke after"]
            .iter()
            .any(|words| ran.stderr.contains(words)),
        "{ran:?}"
    );

    assert_eq!(held(&pair, directory.path()), before);
    let whole = import(
        &pair,
        directory.path(),
        &server.address(),
        &["--query", "TABLE many"],
    );
    assert_eq!(whole.json()["ratings"], 200_000);
}
