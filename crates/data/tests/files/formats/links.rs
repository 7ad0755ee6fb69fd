//! Published sets of links, and what graph programs write.

use s3rec_data::{Column, LinkOptions, LinkShape, Weights};

use super::{links, pairs, refused};

fn plain() -> LinkOptions {
    LinkOptions::default()
}

#[test]
fn snap_epinions_and_slashdot() {
    let text = "# Directed graph (each unordered pair of nodes is saved once): soc-Epinions1.txt \n# Directed Epinions social network\n# Nodes: 75879 Edges: 508837\n# FromNodeId\tToNodeId\n0\t4\n0\t5\n4\t0\n";
    let set = links("soc-Epinions1.txt", text, &plain()).unwrap();
    assert_eq!(pairs(&set), [("0", "4"), ("0", "5"), ("4", "0")]);
    assert!(set.report.reading.read_as.contains("FromNodeId"));
}

#[test]
fn a_comment_that_names_the_columns_decides() {
    let text = "# ToNodeId\tFromNodeId\n1\t2\n1\t3\n";
    assert_eq!(
        pairs(&links("g.txt", text, &plain()).unwrap()),
        [("2", "1"), ("3", "1")]
    );
    let signed = "# Directed graph: soc-sign-epinions\n# FromNodeId\tToNodeId\tSign\n0\t1\t-1\n1\t128552\t-1\n2\t3\t1\n";
    let set = links("soc-sign-epinions.txt", signed, &plain()).unwrap();
    assert_eq!(
        (pairs(&set), set.report.not_positive_dropped),
        (vec![("2", "3")], 2)
    );
}

#[test]
fn snap_brightkite_and_dblp() {
    let set = links("Brightkite_edges.txt", "0\t1\n0\t2\n1\t0\n", &plain()).unwrap();
    assert_eq!(set.report.links, 3);
    let text = "# Undirected graph: ../../data/output/dblp.ungraph.txt\n# FromNodeId\tToNodeId\n0\t1\n0\t2\n";
    let undirected = LinkOptions {
        undirected: true,
        ..plain()
    };
    let set = links("com-dblp.ungraph.txt", text, &undirected).unwrap();
    assert_eq!((set.report.links, set.report.reversed_added), (4, 2));
}

#[test]
fn konect() {
    let set = links("out.ego-twitter", "% asym unweighted\n1 2\n1 3\n", &plain()).unwrap();
    assert_eq!(set.report.links, 2);
    let text = "% asym signed\n% 3 4 4\n1 2 1 1082008561\n1 3 -1 1082008562\n";
    refused(links("out.epinions", text, &plain()), &["--weight-column"]);
    let named = LinkOptions {
        truster: Column::Index(0),
        trustee: Column::Index(1),
        weight: Column::Index(2),
        ..plain()
    };
    let set = links("out.epinions", text, &named).unwrap();
    assert_eq!(
        (pairs(&set), set.report.not_positive_dropped),
        (vec![("1", "2")], 1)
    );
}

#[test]
fn lastfm_hetrec_friends() {
    let text = "userID\tfriendID\n2\t275\n2\t428\n275\t2\n";
    assert_eq!(
        pairs(&links("user_friends.dat", text, &plain()).unwrap())[0],
        ("2", "275")
    );
}

#[test]
fn filmtrust_ciao_and_epinions_by_librec() {
    assert_eq!(
        links("trust.txt", "2 966 1\n2 104 1\n", &plain())
            .unwrap()
            .report
            .links,
        2
    );
    let third = links("trust.txt", "2 966 1\n2 104 0.5\n", &plain());
    refused(third, &["line 2", "\"0.5\"", "--weight-column"]);
}

#[test]
fn extended_epinions() {
    let text = "MY_ID\tOTHER_ID\tVALUE\tCREATION\n3287060356\t232085\t-1\t2001/01/10\n3288305540\t709420\t1\t2001/01/10\n";
    let set = links("user_rating.txt", text, &plain()).unwrap();
    assert_eq!(pairs(&set), [("3288305540", "709420")]);
}

#[test]
fn yelp_users() {
    let text = concat!(
        r#"{"user_id":"qVc8ODYU","name":"Walker","friends":"NSCy54eW, pe42u7Dc","elite":"2007"}"#,
        "\n",
        r#"{"user_id":"j14WgRoU","name":"Daniel","friends":"None"}"#,
        "\n",
        r#"{"user_id":"NSCy54eW","friends":["qVc8ODYU"]}"#,
    );
    let set = links("yelp_academic_dataset_user.json", text, &plain()).unwrap();
    let expected = [
        ("qVc8ODYU", "NSCy54eW"),
        ("qVc8ODYU", "pe42u7Dc"),
        ("NSCy54eW", "qVc8ODYU"),
    ];
    assert_eq!(
        (pairs(&set), set.report.empty_lists),
        (expected.to_vec(), 1)
    );
}

#[test]
fn networkx() {
    let lists = LinkOptions {
        shape: LinkShape::Lists,
        ..plain()
    };
    let text = "#/usr/bin/python graph.py\n# GMT Fri Nov 27 2026\n# \n0 1 2 3\n1 2\n3\n";
    let set = links("test.adjlist", text, &lists).unwrap();
    assert_eq!((set.report.links, set.report.empty_lists), (4, 1));
    refused(
        links("test.edgelist", "0 1 {}\n0 2 {}\n", &plain()),
        &["\"{}\"", "--truster-column"],
    );
}

#[test]
fn gephi() {
    let text = "Source,Target,Type,Id,Label,timeset,Weight\n11342,824020,Undirected,0,,,1\n11342,5,Undirected,1,,,0\n";
    let set = links("edges.csv", text, &plain()).unwrap();
    assert_eq!(
        (pairs(&set), set.report.not_positive_dropped),
        (vec![("11342", "824020")], 1)
    );
    let any = LinkOptions {
        weights: Weights::Any,
        ..plain()
    };
    assert_eq!(links("edges.csv", text, &any).unwrap().report.links, 2);
}

#[test]
fn matrices_and_pajek_are_refused() {
    let dense = "0 1 0 1 0 0 0 1\n1 0 0 1 0 0 0 1\n";
    refused(
        links("adjacency.txt", dense, &plain()),
        &["matrix", "one row for each entry"],
    );
    let named = ",u1,u2,u3\nu1,0,1,0\nu2,1,0,0\nu3,0,0,0\n";
    assert!(links("adjacency.csv", named, &plain()).is_err());
    refused(
        links("g.net", "*Vertices 3\n1 \"a\"\n*Arcs\n1 2 1\n", &plain()),
        &["g.net:"],
    );
}

#[test]
fn a_name_that_may_be_a_header_is_not_guessed() {
    let text = "source,kind\na,b\n";
    refused(
        links("l.csv", text, &plain()),
        &["\"source\"", "--header", "--no-header"],
    );
    let data = LinkOptions {
        header: s3rec_data::Header::Absent,
        ..plain()
    };
    assert_eq!(links("l.csv", text, &data).unwrap().report.links, 2);
}
