//! An intersection whose P0 takes its time.

use s3rec_job::JobId;
use s3rec_node::alignment;
use s3rec_psi::{Form, rating, vole};
use s3rec_wire::convert::{align_chunk, align_opening};
use s3rec_wire::status::Fault;
use s3rec_wire::v1::AlignChunk;
use s3rec_wire::v1::align_chunk::Part;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Attacker, ended, fault_of, next, part};

impl Attacker {
    /// The intersection as far as something is left for P1 to label; waits for `meanwhile`, then
    /// sends what labels are due for. Gives their bytes, or why there are none.
    pub(crate) async fn align_pausing(
        &mut self,
        job: JobId,
        ids: &[String],
        meanwhile: impl Future<Output = ()>,
    ) -> Result<usize, Fault> {
        let ours = alignment::opening(job, ids.len(), "nfc-trim").unwrap();
        let (sender, receiver) = mpsc::channel::<AlignChunk>(4);
        sender.send(ours.to_wire()).await.unwrap();
        let called = self.client.align(ReceiverStream::new(receiver)).await;
        let mut answers = called.map_err(|status| fault_of(&status))?.into_inner();
        let first = next(&mut answers).await?.ok_or_else(ended)?;
        let theirs = align_opening(first).unwrap();
        let (session, sizes) = alignment::agree(&ours, &theirs).unwrap();
        let ids = ids.iter().map(String::as_str);
        let last = match Form::of(sizes.rating().into()) {
            Form::Ecdh => {
                let (mut masking, _) = rating::begin(&session, sizes, ids).unwrap();
                let mut points = masking.next_chunk().unwrap();
                let rest = points.split_off(points.len() / 64 * 32);
                let _ = sender.send(align_chunk(Part::Points(points))).await;
                while !matches!(part(&mut answers).await?, Part::Labels(_)) {}
                Part::Points(rest)
            }
            Form::Vole => {
                let encoding = vole::rating::begin(&session, sizes, ids).unwrap();
                let Part::Transfers(request) = part(&mut answers).await? else {
                    panic!("P1 asks for transfers first")
                };
                let (mut sending, answer) = encoding.take_request(&request).unwrap();
                let mut messages = vec![Part::Transfers(answer)];
                while let Some(columns) = sending.next_chunk() {
                    messages.push(Part::Columns(columns));
                }
                let check = messages.pop().unwrap();
                for message in messages {
                    let _ = sender.send(align_chunk(message)).await;
                }
                check
            }
        };
        meanwhile.await;
        let _ = sender.send(align_chunk(last)).await;
        loop {
            if let Part::Labels(labels) = part(&mut answers).await? {
                return Ok(labels.len());
            }
        }
    }
}
