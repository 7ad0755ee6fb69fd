//! The rating platform's routes.

#![expect(
    clippy::result_large_err,
    reason = "a page is the answer, whichever way it came about"
)]

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, Uri};
use axum::routing::{get, post};
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::rating_platform_client::RatingPlatformClient;
use tonic::Status;

use crate::answer::{go_to, page};
use crate::form::Form;
use crate::pages::Frame;
use crate::pages::rating::{self as pages, Choices, Tried};
use crate::pages::{Curves, disclosures as disclosures_page};
use crate::proposing::{self, Wrong};
use crate::site::{
    Answer, Calls, Sent, Site, Visit, back_to, failed, live_events, not_found, refused, shown,
    so_far, told, with_shared,
};

/// Items in a list that is tried.
const LISTED: u32 = 10;

/// All routes.
pub fn router(site: Site) -> Router {
    let own = Router::new()
        .route("/", get(overview))
        .route("/job/{job}", get(job))
        .route("/job/{job}/{verb}", post(act))
        .route("/events/{job}", get(events))
        .route("/propose", get(propose))
        .route("/propose/{step}", get(propose).post(proposed))
        .route("/datasets", get(datasets))
        .route("/models", get(models))
        .route("/model/{model}", get(model))
        .route("/model/{model}/delete", post(delete_model))
        .route("/recommend", get(recommend).post(recommended))
        .route("/disclosures", get(disclosures));
    with_shared(own, site)
}

type Client = RatingPlatformClient<Calls>;

fn client(visit: &Visit) -> Client {
    RatingPlatformClient::new(visit.calls())
}

async fn jobs(client: &mut Client) -> Result<Vec<v1::JobSummary>, Status> {
    let listed = client.list_jobs(v1::ListJobsRequest {}).await?;
    Ok(listed.into_inner().jobs)
}

async fn all_models(client: &mut Client) -> Result<Vec<v1::ModelSummary>, Status> {
    let listed = client.list_models(v1::ListModelsRequest {}).await?;
    Ok(listed.into_inner().models)
}

async fn overview(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let made = jobs(&mut client(&visit)).await;
    shown(frame, made.map(|all| pages::overview(frame, &all)))
}

async fn job(Path(id): Path<String>, visit: Visit) -> Answer {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let made = async {
        let all = jobs(&mut client).await?;
        let one = all.iter().find(|one| one.job_id == id);
        let one = one.ok_or_else(|| Status::from(Fault::no_job(&id)))?;
        let state = one.last_event.as_ref().map(v1::JobEvent::state);
        let (mut curves, mut report) = (Curves::default(), None);
        if state == Some(v1::JobState::Finished) {
            let request = v1::JobReportRequest { job_id: id.clone() };
            report = Some(client.job_report(request).await?.into_inner());
        } else {
            let request = v1::WatchJobRequest { job_id: id.clone() };
            let events = client.watch_job(request).await?.into_inner();
            so_far(events)
                .await?
                .iter()
                .for_each(|event| curves.add(event));
        }
        Ok(pages::job(frame, one, &curves, report.as_ref()))
    };
    shown(frame, made.await)
}

/// Starts, cancels or deletes a job; then shows what became of it.
async fn act(
    Path((id, verb)): Path<(String, String)>,
    Sent { visit, form }: Sent,
) -> Result<Answer, Answer> {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let job_id = id.clone();
    let done = match verb.as_str() {
        "start" => {
            let request = v1::StartJobRequest {
                job_id,
                wait_for_approval: true,
            };
            client.start_job(request).await.map(drop)
        }
        "cancel" => {
            let reason = form.text("reason").to_owned();
            let request = v1::CancelJobRequest { job_id, reason };
            client.cancel_job(request).await.map(drop)
        }
        "delete" => {
            sure(frame, &form)?;
            let request = v1::DeleteJobRequest { job_id };
            return Ok(match client.delete_job(request).await {
                Ok(_) => go_to("/"),
                Err(status) => failed(frame, &status),
            });
        }
        _ => return Err(not_found(frame)),
    };
    match done {
        Ok(()) => Ok(back_to("/job/", &id)),
        Err(status) => Ok(failed(frame, &status)),
    }
}

/// What is gone for good needs a tick.
fn sure(frame: &Frame, form: &Form) -> Result<(), Answer> {
    match form.text("sure") {
        "yes" => Ok(()),
        _ => Err(refused(
            frame,
            "the box that says that it is to be deleted is empty",
            "Go back, and tick the box.",
        )),
    }
}

async fn events(Path(id): Path<String>, visit: Visit) -> Result<Answer, Answer> {
    let frame = &visit.frame;
    let request = v1::WatchJobRequest { job_id: id };
    let watched = client(&visit).watch_job(request).await;
    let events = watched.map_err(|status| failed(frame, &status))?;
    Ok(live_events(events.into_inner()))
}

/// The names of data sets of a kind.
async fn named(client: &mut Client, kind: &str) -> Result<Vec<String>, Status> {
    let kind = kind.to_owned();
    let listed = client
        .list_datasets(v1::ListDatasetsRequest { kind })
        .await?;
    let listed = listed.into_inner().datasets.into_iter();
    Ok(listed.map(|one| one.dataset).collect())
}

async fn choices(client: &mut Client) -> Result<Choices, Status> {
    Ok(Choices {
        datasets: named(client, "").await?,
        factors: named(client, "factors").await?,
    })
}

async fn propose(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let made = choices(&mut client(&visit)).await;
    let made = made.map(|choices| pages::propose(frame, &choices, &Form::default(), None));
    shown(frame, made)
}

/// What a form of a proposal came to.
enum Step {
    /// To another page.
    Done(Answer),
    /// The form again, with what is wrong with it and how to put that right.
    Again(Option<(String, String)>),
}

/// The form as it is sent: to estimate, to change, or to propose.
async fn proposed(Path(step): Path<String>, Sent { visit, form }: Sent) -> Result<Answer, Answer> {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let step = match step.as_str() {
        "estimate" => estimated(&mut client, frame, &form).await,
        "send" => sent(&mut client, &form).await,
        "change" => Step::Again(None),
        _ => return Err(not_found(frame)),
    };
    let wrong = match step {
        Step::Done(answer) => return Ok(answer),
        Step::Again(wrong) => wrong,
    };
    let code = match wrong {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    Ok(match choices(&mut client).await {
        Ok(choices) => page(code, pages::propose(frame, &choices, &form, wrong.as_ref())),
        Err(status) => failed(frame, &status),
    })
}

async fn estimated(client: &mut Client, frame: &Frame, form: &Form) -> Step {
    let request = match proposing::estimate(form) {
        Ok(request) => request,
        Err(wrong) => return by_field(&wrong),
    };
    match client.estimate_job(request).await {
        Ok(estimate) => {
            let made = pages::estimated(frame, form, &estimate.into_inner());
            Step::Done(page(StatusCode::OK, made))
        }
        Err(status) => Step::Again(Some(told(&status))),
    }
}

async fn sent(client: &mut Client, form: &Form) -> Step {
    let request = match proposing::request(form) {
        Ok(request) => request,
        Err(wrong) => return by_field(&wrong),
    };
    match client.propose_job(request).await {
        // Also where a policy has rejected it at once: why stands on the job's page.
        Ok(proposed) => Step::Done(back_to("/job/", &proposed.into_inner().job_id)),
        Err(status) => Step::Again(Some(told(&status))),
    }
}

fn by_field(wrong: &Wrong) -> Step {
    let message = format!("{}: {}", wrong.field.replace('_', " "), wrong.message);
    Step::Again(Some((message, "Correct it below.".into())))
}

async fn datasets(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let made = async {
        let mut all = Vec::new();
        for kind in ["", "factors"] {
            for dataset in named(&mut client, kind).await? {
                let kind = kind.to_owned();
                let request = v1::ShowDatasetRequest { dataset, kind };
                all.push(client.show_dataset(request).await?.into_inner());
            }
        }
        Ok(pages::datasets(frame, &all))
    };
    shown(frame, made.await)
}

async fn models(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let made = all_models(&mut client(&visit)).await;
    shown(frame, made.map(|all| pages::models(frame, &all)))
}

async fn model(Path(id): Path<String>, visit: Visit) -> Answer {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let made = async {
        let all = all_models(&mut client).await?;
        let one = all.iter().find(|one| one.model_id == id);
        let one = one.ok_or_else(|| Status::not_found("there is no such model"))?;
        let request = v1::EvaluateRequest { model_id: id };
        let evaluated = client.evaluate(request).await;
        let evaluated = evaluated
            .map(tonic::Response::into_inner)
            .map_err(|status| told(&status).0);
        Ok(pages::model(frame, one, &evaluated))
    };
    shown(frame, made.await)
}

async fn delete_model(
    Path(id): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Answer, Answer> {
    let frame = &visit.frame;
    sure(frame, &form)?;
    let request = v1::DeleteModelRequest { model_id: id };
    Ok(match client(&visit).delete_model(request).await {
        Ok(_) => go_to("/models"),
        Err(status) => failed(frame, &status),
    })
}

async fn recommend(visit: Visit, uri: Uri) -> Answer {
    let frame = &visit.frame;
    let tried = Tried {
        model: Form::read(uri.query().unwrap_or_default().as_bytes())
            .text("model")
            .to_owned(),
        ..Tried::default()
    };
    let made = all_models(&mut client(&visit)).await;
    let made = made.map(|all| pages::recommend(frame, &all, &tried));
    shown(frame, made)
}

/// By a form and not by an address: who was looked up is nobody's bookmark.
async fn recommended(Sent { visit, form }: Sent) -> Answer {
    let frame = &visit.frame;
    let mut client = client(&visit);
    let request = v1::RecommendRequest {
        model_id: form.text("model").to_owned(),
        user_id: form.text("user").to_owned(),
        count: LISTED,
        include_rated: form.text("include_rated") == "yes",
    };
    let answer = client.recommend(request.clone()).await;
    let tried = Tried {
        model: request.model_id,
        user: request.user_id,
        includes_rated: request.include_rated,
        answer: Some(
            answer
                .map(tonic::Response::into_inner)
                .map_err(|status| told(&status)),
        ),
    };
    let made = all_models(&mut client).await;
    let made = made.map(|all| pages::recommend(frame, &all, &tried));
    shown(frame, made)
}

async fn disclosures(visit: Visit) -> Answer {
    let frame = &visit.frame;
    let request = v1::ListRatingDisclosuresRequest {};
    let listed = client(&visit).list_disclosures(request).await;
    let made = listed.map(|all| {
        let all = all.into_inner();
        let none = maud::Markup::default();
        disclosures_page(frame, "/job/", &all.disclosures, &all.accounts, &none)
    });
    shown(frame, made)
}

#[cfg(test)]
mod tests;
