//! P0's side of finding the common users by small VOLEs.

use s3rec_node::alignment::{Common, psi_fault};
use s3rec_psi::Claims;
use s3rec_psi::vole::{RatingEncoding, RatingMatching, RatingSending};
use s3rec_wire::convert::align_chunk;
use s3rec_wire::status::Fault;
use s3rec_wire::v1::AlignChunk;
use s3rec_wire::v1::align_chunk::Part;
use tokio::sync::mpsc;

use crate::align::{Link, Telling, out_of_place, send};
use crate::imports::blocking;

/// Answers P1's request, sends the columns, and finds our ids among P1's labels; gives what to
/// claim.
pub(crate) async fn find(
    encoding: RatingEncoding,
    sender: &mpsc::Sender<AlignChunk>,
    link: &mut Link,
    telling: &Telling<'_>,
) -> Result<(Common, Claims), Fault> {
    let Part::Transfers(request) = link.part().await? else {
        return Err(out_of_place("the social platform's request of transfers"));
    };
    let answered = blocking(move || encoding.take_request(&request)).await?;
    let (sending, answer) = answered.map_err(psi_fault)?;
    let answer = align_chunk(Part::Transfers(answer));
    send(sender, answer, &link.meter, link.idle).await?;
    let Some(sending) = send_columns(sending, sender, link, telling).await? else {
        // P1 reads no more, and says why on its own stream.
        link.part().await?;
        return Err(out_of_place("the reason for refusing our columns"));
    };
    let matching = blocking(move || sending.finish()).await?;
    let matching = take_labels(matching.map_err(psi_fault)?, link, telling).await?;
    blocking(move || matching.finish())
        .await?
        .map_err(psi_fault)
}

/// A message at a time, on a thread that may block; none when P1 reads no more.
async fn send_columns(
    mut sending: RatingSending,
    sender: &mpsc::Sender<AlignChunk>,
    link: &Link,
    telling: &Telling<'_>,
) -> Result<Option<RatingSending>, Fault> {
    while !sender.is_closed() {
        let chunk;
        (sending, chunk) = blocking(move || {
            let chunk = sending.next_chunk();
            (sending, chunk)
        })
        .await?;
        let Some(columns) = chunk else {
            return Ok(Some(sending));
        };
        let columns = align_chunk(Part::Columns(columns));
        send(sender, columns, &link.meter, link.idle).await?;
        telling.progress(1);
    }
    Ok(None)
}

async fn take_labels(
    mut matching: RatingMatching,
    link: &mut Link,
    telling: &Telling<'_>,
) -> Result<RatingMatching, Fault> {
    while !matching.is_complete() {
        let Part::Labels(labels) = link.part().await? else {
            return Err(out_of_place("labels from the social platform"));
        };
        let taken = blocking(move || matching.take_labels(&labels)).await?;
        matching = taken.map_err(psi_fault)?;
        telling.progress(1);
    }
    Ok(matching)
}
