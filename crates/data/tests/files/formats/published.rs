//! Published sets of ratings.

use s3rec_data::{RatingOptions, SuspicionKind};

use super::{columns, counts, ratings, refused, rows};

#[test]
fn movielens_100k() {
    let text = "196\t242\t3\t881250949\n186\t302\t4\t891717742\n";
    refused(
        ratings("u.data", text, &RatingOptions::default()),
        &["--timestamp-column"],
    );
    let set = ratings("u.data", text, &columns(0, 0, 0, 4)).unwrap();
    assert_eq!(rows(&set), [("196", "242", 3.0), ("186", "302", 4.0)]);
    assert_eq!(set.timestamps, [881_250_949_000, 891_717_742_000]);
}

#[test]
fn movielens_10m_and_movietweetings() {
    let movielens = "1::122::5::838985046\n1::185::4.5::838983525\n";
    let set = ratings("ratings.dat", movielens, &columns(1, 2, 3, 4)).unwrap();
    assert_eq!(rows(&set), [("1", "122", 5.0), ("1", "185", 4.5)]);
    // Items begin with zeros, which nobody else needs to have.
    let tweets = "1::0114508::8::1381006850\n2::0208092::5::1586466072\n";
    let set = ratings("ratings.dat", tweets, &columns(1, 2, 3, 4)).unwrap();
    assert_eq!(rows(&set)[0], ("1", "0114508", 8.0));
    assert!(set.report.reading.suspicions.is_empty());
}

#[test]
fn movielens_25m_and_latest() {
    let text = "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147868817\n";
    let set = ratings("ratings.csv", text, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set), [("1", "296", 5.0), ("1", "306", 3.5)]);
    assert_eq!(set.timestamps.len(), 2);
}

#[test]
fn amazon_2014_ratings() {
    let text = "A00000262KYZ,B000HC2BGO,5.0,1399593600\nA000008615DZ,B003LSTD38,4.0,1361404800\n";
    refused(
        ratings("ratings_Music.csv", text, &RatingOptions::default()),
        &["column 4"],
    );
    let set = ratings("ratings_Music.csv", text, &columns(1, 2, 3, 4)).unwrap();
    assert_eq!(rows(&set)[1], ("A000008615DZ", "B003LSTD38", 4.0));
}

#[test]
fn amazon_2018_ratings_begin_with_the_item() {
    let text =
        "0001527665,A3478QRKQDOPQ2,5.0,1362960000\n0001527665,A2VHSG6TZHU1OB,1.0,1361145600\n";
    refused(
        ratings("Movies.csv", text, &RatingOptions::default()),
        &["--user-column"],
    );
    let set = ratings("Movies.csv", text, &columns(2, 1, 3, 4)).unwrap();
    assert_eq!((set.report.users, set.report.items), (2, 1));
}

#[test]
fn amazon_2014_and_2018_reviews() {
    let text = concat!(
        r#"{"overall": 5.0, "verified": true, "reviewTime": "11 9, 2012", "reviewerID": "A2M1CU2IRZG0K9", "asin": "0005089549", "style": {"Format:": " VHS Tape"}, "reviewerName": "Terri", "reviewText": "So \"sorry\", I didn't", "unixReviewTime": 1352419200}"#,
        "\n",
        r#"{"overall": 2.0, "reviewerID": "AFTUJYISOFHY6", "asin": "0005089549", "unixReviewTime": 1325203200}"#,
        "\n"
    );
    let set = ratings("Movies_and_TV.json", text, &RatingOptions::default()).unwrap();
    let expected = [
        ("A2M1CU2IRZG0K9", "0005089549", 5.0),
        ("AFTUJYISOFHY6", "0005089549", 2.0),
    ];
    assert_eq!(rows(&set), expected);
    assert_eq!(set.timestamps[0], 1_352_419_200_000);
}

#[test]
fn amazon_2023() {
    let json = concat!(
        r#"{"rating": 5.0, "title": "Ok", "text": "x", "images": [{"small_image_url": "u"}], "asin": "B00YQ6X8EO", "parent_asin": "B00YQ6X8EP", "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923, "helpful_vote": 0}"#,
        "\n",
        r#"{"rating": 4.0, "images": [], "asin": "B081TJ8YS3", "parent_asin": "B081TJ8YS3", "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588615855070}"#,
    );
    let set = ratings("All_Beauty.jsonl", json, &RatingOptions::default()).unwrap();
    assert_eq!(
        rows(&set)[0],
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8EO", 5.0)
    );
    assert_eq!(set.timestamps[0], 1_588_687_728_923);
    let csv = "user_id,parent_asin,rating,timestamp\nAGK,B00YQ6X8EP,5.0,1588687728923\nAGL,B081TJ8YS3,4.0,1588615855070\n";
    let set = ratings("All_Beauty.csv", csv, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set)[1], ("AGL", "B081TJ8YS3", 4.0));
}

#[test]
fn yelp_reviews() {
    let text = concat!(
        r#"{"review_id":"KU_O5udG","user_id":"mh_-eMZ6","business_id":"XQfwVwDr","stars":3.0,"useful":0,"funny":0,"cool":0,"text":"If you decide,\nthen","date":"2018-07-07 22:09:11"}"#,
        "\n",
        r#"{"review_id":"BiTunyQ7","user_id":"OyoGAe7O","business_id":"7ATYjTIg","stars":5.0,"date":"2012-01-03 15:28:18"}"#,
    );
    let set = ratings(
        "yelp_academic_dataset_review.json",
        text,
        &RatingOptions::default(),
    );
    assert_eq!(rows(&set.unwrap())[0], ("mh_-eMZ6", "XQfwVwDr", 3.0));
}

#[test]
fn goodreads() {
    let json = concat!(
        r#"{"user_id": "8842281e1d1347389f2ab93d60773d4d", "book_id": "24375664", "review_id": "5cd41", "rating": 5, "date_added": "Fri Aug 25 13:55:02 -0700 2017", "read_at": "", "n_votes": 16}"#,
        "\n",
        r#"{"user_id": "8842281e1d1347389f2ab93d60773d4d", "book_id": "18245960", "rating": 3, "date_added": "Sun Jul 30 07:44:10 -0700 2017"}"#,
    );
    let added = RatingOptions {
        timestamp: s3rec_data::Column::Name("date_added".into()),
        ..RatingOptions::default()
    };
    let set = ratings("goodreads_reviews.json", json, &added).unwrap();
    assert_eq!(
        (rows(&set)[0].1, set.timestamps[0]),
        ("24375664", 1_503_694_502_000)
    );
    // 0 means that a book stands on a shelf without a rating.
    let csv = "user_id,book_id,is_read,rating,is_reviewed\n0,948,1,5,0\n0,947,1,0,1\n1,947,1,4,0\n";
    let report = ratings("goodreads_interactions.csv", csv, &RatingOptions::default())
        .unwrap()
        .report;
    assert_eq!(report.reading.suspicions[0].kind, SuspicionKind::ZeroRating);
}

#[test]
fn lastfm_hetrec() {
    let text = "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t11690\n";
    let set = ratings("user_artists.dat", text, &counts(RatingOptions::default())).unwrap();
    assert_eq!((set.report.users, set.report.items), (1, 2));
    assert!((set.ratings[0].value - 13_884_f32.log2()).abs() < 1e-5);
}

#[test]
fn lastfm_360k() {
    let text = "00000c289a1829a808ac09c00daf10bc3c4e223b\t3bd73256-3905-4f3a-97e2-8b341527f805\tbetty blowtorch\t2137\n\
                00000c289a1829a808ac09c00daf10bc3c4e223b\tf2fb0ff0-5679-42ec-a55c-15109ce6e320\t\"weird al\" x\t1099\n";
    let options = counts(columns(1, 2, 4, 0));
    refused(
        ratings(
            "usersha1-artmbid.tsv",
            text,
            &counts(RatingOptions::default()),
        ),
        &["column"],
    );
    let set = ratings("usersha1-artmbid.tsv", text, &options).unwrap();
    assert_eq!(set.report.items, 2);
}

#[test]
fn taste_profile_of_the_million_songs() {
    let text =
        "b80344d063b5ccb3\tSOAKIMP12A8C130995\t1\nb80344d063b5ccb3\tSOAPDEY12A81C210A9\t1000000\n";
    let set = ratings(
        "train_triplets.txt",
        text,
        &counts(RatingOptions::default()),
    )
    .unwrap();
    assert!((set.report.scale.max - 1_000_001_f32.log2()).abs() < 1e-5);
}

#[test]
fn netflix_prize() {
    let text = "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n885013,4,2005-10-19\n";
    refused(
        ratings("combined_data_1.txt", text, &RatingOptions::default()),
        &["combined_data_1.txt:1"],
    );
    let flat = "1488844,1,3,2005-09-06\n822109,1,5,2005-05-13\n";
    let set = ratings("netflix.csv", flat, &columns(1, 2, 3, 4)).unwrap();
    assert_eq!(set.timestamps[0], 1_125_964_800_000);
}

#[test]
fn book_crossing_with_its_escapes() {
    let text = "\"User-ID\";\"ISBN\";\"Book-Rating\"\r\n\"276725\";\"034545104X\";\"5\"\r\n\"276726\";\"0155061224\";\"8\"\r\n";
    let set = ratings("BX-Book-Ratings.csv", text, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set)[0], ("276725", "034545104X", 5.0));
}

#[test]
fn jester_is_a_matrix() {
    let text = "74,-7.82,8.79,-9.66,-8.16,-7.52,-8.5,-9.85,4.17\n100,4.08,-0.29,6.36,4.37,-2.38,-9.66,-0.73,-5.34\n";
    refused(
        ratings("jester-data-1.csv", text, &RatingOptions::default()),
        &["matrix", "one row"],
    );
}

#[test]
fn steam_200k() {
    let text = "151603712,\"The Elder Scrolls V Skyrim\",purchase,1.0,0\n151603712,\"The Elder Scrolls V Skyrim\",play,273.0,0\n5250,Dota 2,play,1.5,0\n";
    refused(
        ratings("steam-200k.csv", text, &counts(RatingOptions::default())),
        &["column 4 of 5", "--rating-column"],
    );
    let set = ratings("steam-200k.csv", text, &counts(columns(1, 2, 4, 0))).unwrap();
    assert_eq!((set.report.ratings, set.report.duplicates_merged), (2, 1));
}

#[test]
fn douban_and_flixster() {
    let douban =
        "user_id\titem_id\trating\ttimestamp\n1\t10\t5\t1386518400\n2\t10\t3\t1386518401\n";
    assert_eq!(
        ratings("douban.tsv", douban, &RatingOptions::default())
            .unwrap()
            .report
            .users,
        2
    );
    let flixster = "userid\tmovieid\trating\n789049\t25\t4.5\n789049\t58\t0.5\n";
    let set = ratings("ratings.txt", flixster, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set)[1], ("789049", "58", 0.5));
}

#[test]
fn epinions_of_trustlet_and_extended_epinions() {
    let trustlet = "1 100 4\n1 101 5\n22605 42915 1\n";
    let set = ratings("ratings_data.txt", trustlet, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set)[2], ("22605", "42915", 1.0));
    let mat = "MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Mon Mar 12";
    let options = RatingOptions::default();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rating.mat");
    std::fs::write(&path, mat).unwrap();
    let read = s3rec_data::RatingSet::read(&path, &options).map_err(|error| error.to_string());
    refused(read, &["MATLAB", "rating.mat"]);
}
