//! Writes every page with sample answers to a directory, to look at them in a browser:
//! `cargo run -p s3rec-console --example pages -- DIR && python3 -m http.server --directory DIR`.

use std::path::PathBuf;

use s3rec_console::pages::{self, Frame};
use s3rec_wire::v1;

fn main() -> std::io::Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "pages".into()));
    std::fs::create_dir_all(&directory)?;
    let frame = Frame {
        role: "social",
        platform: "p1.example".into(),
        person: "s3rec social-operator".into(),
        form_token: "0".repeat(64),
    };
    let all = [
        proposal("Spring pilot", v1::JobState::Proposed, 0.0),
        proposal("Quarterly refresh", v1::JobState::Running, 0.4),
        proposal("First trial", v1::JobState::Finished, 1.0),
        proposal("Everything at once", v1::JobState::Rejected, 0.0),
    ];
    let [pending, running, ..] = &all;
    let sets = ["default".to_owned(), "friends-2026".to_owned()];
    let shown = v1::ListSocialDisclosuresResponse {
        disclosures: vec![v1::Disclosure {
            job_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
            peer: "s3rec rating".into(),
            openings: 10,
            opened_values: 81_400,
            common_users: 740,
            updated_unix_ms: 1_795_000_000_000,
            ..v1::Disclosure::default()
        }],
        accounts: accounts(),
    };
    let policy = v1::PolicyResponse {
        path: "/etc/s3rec/policy.toml".into(),
        text: include_str!("../../../deploy/policy.toml").into(),
        loaded_unix_ms: 1_795_000_000_000,
    };
    let broken = Err("entry 143: its hash does not fit the entry before it".to_owned());
    let entries = [
        (
            143,
            "call, certificate 96fd, verb ApproveProposal, who s3rec social-operator".to_owned(),
        ),
        (
            142,
            "decision, by s3rec social-operator, decision approved".to_owned(),
        ),
    ];
    for (name, page) in [
        ("index.html", pages::overview(&frame, &all)),
        ("empty.html", pages::overview(&frame, &[])),
        ("proposal.html", pages::proposal(&frame, pending, &sets)),
        ("running.html", pages::proposal(&frame, running, &sets)),
        ("disclosures.html", pages::disclosures(&frame, &shown)),
        ("policy.html", pages::policy(&frame, &policy)),
        ("audit.html", pages::audit(&frame, &broken, &entries)),
        ("not_in.html", pages::not_in("social")),
        ("invited.html", pages::invited("s3rec social-operator", "0")),
        (
            "failed.html",
            pages::failed(&frame, "the proposal is rejected already", "Propose anew."),
        ),
    ] {
        std::fs::write(directory.join(name), page.into_string())?;
    }
    std::fs::write(
        directory.join("style.css"),
        include_str!("../src/style.css"),
    )?;
    std::fs::write(directory.join("live.js"), include_str!("../src/live.js"))
}

fn accounts() -> Vec<v1::Account> {
    vec![v1::Account {
        dataset: "default".into(),
        statements: vec![
            "10 exact openings of 81,400 values: treat the links of everybody with up to about 11 of them as known.".into(),
            "left under the policy: 890 of 1000 columns, 9,918,600 of 10,000,000 values, 15 of 16 uploads".into(),
        ],
        ..v1::Account::default()
    }]
}

fn proposal(purpose: &str, state: v1::JobState, share: f64) -> v1::ProposalSummary {
    let running = state == v1::JobState::Running;
    v1::ProposalSummary {
        job_id: "1b4e28ba-2fa1-41d2-883f-0016d3cca427".into(),
        peer: "s3rec rating".into(),
        purpose: purpose.into(),
        model: Some(v1::ModelSettings {
            rank: 10,
            rounds: 10,
            operator: v1::Operator::NormalizedLaplacian.into(),
            ..v1::ModelSettings::default()
        }),
        protocol: v1::Protocol::Preprocessed.into(),
        pattern_policy: v1::PatternPolicy::Nothing.into(),
        release_policy: Some(v1::ReleasePolicy {
            kind: v1::ReleaseKind::Exact.into(),
            ..v1::ReleasePolicy::default()
        }),
        last_event: Some(v1::JobEvent {
            state: state.into(),
            phase: v1::Phase::Online.into(),
            round: if running { 4 } else { 0 },
            rounds: 10,
            phase_progress: share,
            waiting_for: if running { v1::Role::Rating } else { v1::Role::Unspecified }.into(),
            time_unix_ms: 1_795_000_000_000,
            message: "Waiting for the rating platform.".into(),
            ..v1::JobEvent::default()
        }),
        created_unix_ms: 1_794_900_000_000,
        expires_unix_ms: 1_797_500_000_000,
        warnings: vec![
            "An exact opening shows the rating platform the links of every user who has up to about 11 of them. Measured on FilmTrust with 10 columns: one exact opening is enough to find 66 % of all links without an error in 90 seconds on one core.".into(),
            "10 openings of 11 columns: up to 110 values for each user both platforms have.".into(),
        ],
        policy: "people decide, within the limits of a rule".into(),
        accounts: accounts(),
        ..v1::ProposalSummary::default()
    }
}
