//! What the form of a proposal says, as the request that the command would send.

use std::str::FromStr;

use s3rec_model::{Preset, StopRule};
use s3rec_node::process::now_unix_ms;
use s3rec_wire::convert::settings::to_wire;
use s3rec_wire::v1;

use crate::form::Form;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// As the command has it.
const VALID_DAYS: u16 = 30;
/// Number of factors where neither a preset nor an opening of friends' sums has its own.
const RANK: u32 = 10;

/// A field that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// The proposal. What the form leaves empty stays open, for the platform to fill in.
pub(crate) fn request(form: &Form) -> Result<v1::ProposeJobRequest, Wrong> {
    if form.text("purpose").is_empty() {
        return Err(Wrong {
            field: "purpose",
            message: "say what it is for: the people who consent read it".into(),
        });
    }
    let operator = choice(form, "operator", "OPERATOR", v1::Operator::from_str_name)?;
    let is_of_friends = operator == Some(v1::Operator::Friends);
    let days = number(form, "expires_days")?.unwrap_or(VALID_DAYS);
    if days == 0 {
        return Err(Wrong {
            field: "expires_days",
            message: "a proposal stands for a day at least".into(),
        });
    }
    let held_out: Option<f64> = number(form, "held_out_share")?;
    let protocol = choice(form, "protocol", "PROTOCOL", v1::Protocol::from_str_name)?;
    let pattern = choice(
        form,
        "pattern",
        "PATTERN_POLICY",
        v1::PatternPolicy::from_str_name,
    )?;
    Ok(v1::ProposeJobRequest {
        dataset: form.text("dataset").to_owned(),
        model: Some(match is_of_friends {
            true => friends_model(form)?,
            false => model(form, operator)?,
        }),
        protocol: protocol.unwrap_or_default().into(),
        pattern_policy: pattern.unwrap_or(v1::PatternPolicy::Nothing).into(),
        release_policy: Some(release(form, is_of_friends)?),
        purpose: form.text("purpose").to_owned(),
        seed: number(form, "seed")?.unwrap_or(0),
        held_out_share: held_out,
        no_held_out: held_out == Some(0.0),
        held_out_latest: form.text("held_out_latest") == "yes",
        expires_unix_ms: now_unix_ms() + i64::from(days) * DAY_MS,
        refuse_repeated: form.text("again") != "yes",
        factors: match is_of_friends {
            true => form.text("factors").to_owned(),
            false => String::new(),
        },
    })
}

/// What is assumed of the other platform and of the link, to estimate by.
pub(crate) fn estimate(form: &Form) -> Result<v1::EstimateJobRequest, Wrong> {
    Ok(v1::EstimateJobRequest {
        proposal: Some(request(form)?),
        common_users: number(form, "common_users")?.unwrap_or(0),
        degree_bound: number(form, "degree_bound")?.unwrap_or(0),
        links_bound: number(form, "links_bound")?.unwrap_or(0),
        megabits_per_second: number(form, "megabits_per_second")?.unwrap_or(0.0),
        round_trip_ms: number(form, "round_trip_ms")?.unwrap_or(0.0),
        cores: 0,
    })
}

/// An opening of friends' sums is no training: nothing weighs them.
fn friends_model(form: &Form) -> Result<v1::ModelSettings, Wrong> {
    Ok(v1::ModelSettings {
        operator: v1::Operator::Friends.into(),
        rank: number(form, "rank")?.unwrap_or(0),
        rounds: number(form, "rounds")?.unwrap_or(0),
        social_weight: Some(0.0),
        ..v1::ModelSettings::default()
    })
}

/// Of a training: a preset's settings, and what differs from them.
fn model(form: &Form, operator: Option<v1::Operator>) -> Result<v1::ModelSettings, Wrong> {
    let preset = match form.text("preset") {
        "" => None,
        name => Some(Preset::named(name).ok_or_else(|| Wrong {
            field: "preset",
            message: format!("there is no preset {name:?}"),
        })?),
    };
    let mut model = preset.map_or_else(
        || v1::ModelSettings {
            rank: RANK,
            ..v1::ModelSettings::default()
        },
        |preset| to_wire(&preset.settings, preset.operator, None),
    );
    let solver = choice(form, "solver", "SOLVER", v1::Solver::from_str_name)?;
    if let Some(solver) = solver.filter(|solver| *solver != model.solver()) {
        // A preset's openings and its prior are its own solver's.
        model.set_solver(solver);
        model.rounds = 0;
        if let Some(local) = &mut model.local {
            local.implicit_ridge = None;
        }
    }
    if let Some(operator) = operator {
        model.set_operator(operator);
    }
    model.rank = number(form, "rank")?.unwrap_or(model.rank);
    model.rounds = number(form, "rounds")?.unwrap_or(model.rounds);
    model.social_weight = number(form, "social_weight")?.or(model.social_weight);
    let rule = StopRule::default();
    let mut local = model.local.unwrap_or_default();
    local.stop = Some(v1::StopRule {
        patience: rule.patience,
        objective_tolerance: rule.objective_tolerance,
    });
    model.local = Some(local);
    Ok(model)
}

fn release(form: &Form, is_of_friends: bool) -> Result<v1::ReleasePolicy, Wrong> {
    let kind = choice(
        form,
        "release",
        "RELEASE_KIND",
        v1::ReleaseKind::from_str_name,
    )?;
    let kind = match is_of_friends {
        // It has no other.
        true => v1::ReleaseKind::Friends,
        false => kind.unwrap_or(v1::ReleaseKind::Exact),
    };
    let mut release = v1::ReleasePolicy {
        kind: kind.into(),
        ..v1::ReleasePolicy::default()
    };
    match kind {
        v1::ReleaseKind::Friends => release.friends = Some(friends(form)?),
        v1::ReleaseKind::Noised => {
            release.noise_sigma = needed(form, "noise_sigma")?;
            release.row_norm_beta = needed(form, "row_norm_beta")?;
            release.delta = needed(form, "delta")?;
        }
        _ => {}
    }
    Ok(release)
}

fn friends(form: &Form) -> Result<v1::FriendsRelease, Wrong> {
    let two_sided = form.text("two_sided") == "yes";
    let sides = match two_sided {
        true => v1::Sides::Two,
        false => v1::Sides::One,
    };
    Ok(v1::FriendsRelease {
        mu: number(form, "mu")?.unwrap_or(0.0),
        sides: sides.into(),
        few_below: match two_sided {
            true => 0,
            false => number(form, "few_below")?.unwrap_or(0),
        },
        calibration_share: match two_sided {
            true => 0.0,
            false => number(form, "calibration_share")?.unwrap_or(0.0),
        },
        ..v1::FriendsRelease::default()
    })
}

/// A number, or nothing where the field is empty.
fn number<T: FromStr>(form: &Form, field: &'static str) -> Result<Option<T>, Wrong> {
    match form.text(field) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Wrong {
            field,
            message: format!("{text:?} is no such number"),
        }),
    }
}

fn needed(form: &Form, field: &'static str) -> Result<f64, Wrong> {
    number(form, field)?.ok_or_else(|| Wrong {
        field,
        message: "a noised release needs it".into(),
    })
}

/// One of the conversation's names, or nothing where the field is empty: `out-average` of the type
/// `OPERATOR` is `OPERATOR_OUT_AVERAGE`.
fn choice<T>(
    form: &Form,
    field: &'static str,
    prefix: &str,
    named: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Wrong> {
    let text = form.text(field);
    if text.is_empty() {
        return Ok(None);
    }
    let full = format!("{prefix}_{}", text.to_uppercase().replace('-', "_"));
    named(&full).map(Some).ok_or_else(|| Wrong {
        field,
        message: format!("there is no {text:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::read(text.as_bytes())
    }

    fn wrong(text: &str) -> &'static str {
        request(&form(text)).unwrap_err().field
    }

    #[test]
    fn an_empty_form_leaves_everything_to_the_platform() {
        let friends = request(&form("purpose=pilot&operator=friends&dataset=films")).unwrap();
        let model = friends.model.unwrap();
        assert_eq!((model.rank, model.rounds, model.local), (0, 0, None));
        let release = friends.release_policy.unwrap();
        assert_eq!(release.kind(), v1::ReleaseKind::Friends);
        assert_eq!(release.friends.unwrap().mu, 0.0);
        assert!(friends.refuse_repeated && friends.expires_unix_ms > now_unix_ms());

        let trained = request(&form("purpose=pilot")).unwrap();
        let model = trained.model.unwrap();
        assert_eq!((model.rank, model.operator), (RANK, 0));
        assert_eq!(model.local.unwrap().stop.unwrap().patience, 3);
        assert_eq!(
            trained.release_policy.unwrap().kind(),
            v1::ReleaseKind::Exact
        );
    }

    #[test]
    fn what_is_written_goes_before_the_preset() {
        let text = "purpose=p&preset=ciao&rank=4&operator=out-average&solver=adam";
        let model = request(&form(text)).unwrap().model.unwrap();
        let preset = Preset::named("ciao").unwrap();
        assert_eq!(
            (model.rank, model.operator()),
            (4, v1::Operator::OutAverage)
        );
        assert_eq!((model.solver(), model.rounds), (v1::Solver::Adam, 0));
        let local = model.local.unwrap();
        assert_eq!(local.user_decay, Some(preset.settings.user_decay));
        assert_eq!(local.implicit_ridge, None);
    }

    #[test]
    fn what_makes_no_sense_is_told_by_field() {
        for (text, field) in [
            ("", "purpose"),
            ("purpose=p&rank=many", "rank"),
            ("purpose=p&operator=enemies", "operator"),
            ("purpose=p&preset=mine", "preset"),
            ("purpose=p&expires_days=0", "expires_days"),
            ("purpose=p&release=noised", "noise_sigma"),
        ] {
            assert_eq!(wrong(text), field, "{text}");
        }
        let noised = "purpose=p&release=noised&noise_sigma=1&row_norm_beta=2&delta=0.000001";
        let release = request(&form(noised)).unwrap().release_policy.unwrap();
        assert_eq!((release.noise_sigma, release.row_norm_beta), (1.0, 2.0));
    }
}
