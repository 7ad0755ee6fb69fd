//! P1's side of finding the common users by small VOLEs.

use s3rec_node::alignment::{Common, psi_fault};
use s3rec_psi::PsiError;
use s3rec_psi::vole::{SocialLabelling, SocialReceiving, SocialStarting, SocialWaiting};
use s3rec_wire::convert::align_chunk;
use s3rec_wire::status::Fault;
use s3rec_wire::v1::AlignChunk;
use s3rec_wire::v1::align_chunk::Part;
use tonic::Streaming;

use crate::align::{Exchange, out_of_place};
use crate::disclosing::{self, Cleared};
use crate::imports::blocking;

/// The intersection of one call of Align.
pub(crate) struct Vole<'a, T: Fn(u64)> {
    pub(crate) exchange: &'a Exchange<'a>,
    pub(crate) cleared: &'a Cleared,
    pub(crate) chunks: &'a mut Streaming<AlignChunk>,
    pub(crate) telling: &'a T,
}

impl<T: Fn(u64)> Vole<'_, T> {
    /// Asks for the transfers, takes P0's columns, labels our ids, and checks P0's claims.
    pub(crate) async fn find(
        mut self,
        (starting, request): (SocialStarting, Vec<u8>),
    ) -> Result<Result<Common, PsiError>, Fault> {
        let request = align_chunk(Part::Transfers(request));
        self.exchange.show(self.cleared, request).await?;
        let Part::Transfers(answer) = self.part().await? else {
            return Err(out_of_place("the rating platform's answer to our request"));
        };
        let receiving = blocking(move || starting.take_answer(&answer)).await?;
        let labelling = self.take_columns(receiving.map_err(psi_fault)?).await?;
        let mut waiting = self.send_labels(labelling).await?;
        while !waiting.is_complete() {
            let Part::Claims(claims) = self.part().await? else {
                return Err(out_of_place("claims after all labels"));
            };
            waiting = waiting.take_claims(&claims).map_err(psi_fault)?;
        }
        blocking(move || waiting.finish()).await
    }

    async fn take_columns(
        &mut self,
        mut receiving: SocialReceiving,
    ) -> Result<SocialLabelling, Fault> {
        while !receiving.is_complete() {
            let columns = self.columns().await?;
            let taken = blocking(move || receiving.take_columns(&columns)).await?;
            receiving = taken.map_err(psi_fault)?;
            (self.telling)(1);
        }
        let check = self.columns().await?;
        let checked = blocking(move || receiving.take_check(&check)).await?;
        (self.telling)(1);
        checked.map_err(psi_fault)
    }

    /// A message at a time, on a thread that may block.
    async fn send_labels(&self, mut labelling: SocialLabelling) -> Result<SocialWaiting, Fault> {
        self.exchange.may_label().await?;
        loop {
            // However slowly P0 takes them: what no longer is allowed is not answered.
            disclosing::may_go_on(self.exchange.platform, self.exchange.job)?;
            let chunk;
            (labelling, chunk) = blocking(move || {
                let chunk = labelling.next_chunk();
                (labelling, chunk)
            })
            .await?;
            let Some(labels) = chunk else {
                return labelling.finish().map_err(psi_fault);
            };
            let labels = align_chunk(Part::Labels(labels));
            self.exchange.show(self.cleared, labels).await?;
            (self.telling)(1);
        }
    }

    async fn columns(&mut self) -> Result<Vec<u8>, Fault> {
        match self.part().await? {
            Part::Columns(columns) => Ok(columns),
            _ => Err(out_of_place("columns from the rating platform")),
        }
    }

    async fn part(&mut self) -> Result<Part, Fault> {
        self.exchange.part(self.chunks).await
    }
}
