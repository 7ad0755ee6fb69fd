//! The secure product as the training sees it: prepared once, then one exchange a round.
//!
//! Each protocol is one variant; a protocol with work before the rounds does it in
//! [`Product::prepare`], over Exchange calls of the phases SETUP and OFFLINE.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_link::{Counting, Meter, drive, grpc};
use s3rec_spmm::Protocol;
use s3rec_spmm::he::{RatingKeySetup, RatingKeys, RatingRound, public_key_seed};
use s3rec_spmm::{Endpoint, PublicPattern, SpmmError};
use s3rec_wire::convert::{ChunkHeader, JobId};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::Phase;

use crate::imports::blocking;
use crate::platform::Platform;
use crate::session::Session;
use crate::setup::Setup;

/// A product that is ready for rounds.
pub(crate) struct Product {
    job: JobId,
    parameters_digest: [u8; 32],
    kind: Kind,
}

enum Kind {
    He {
        keys: Arc<RatingKeys>,
        pattern: Arc<PublicPattern>,
    },
}

impl Product {
    /// Makes keys and whatever else the protocol needs before its first round.
    pub(crate) async fn prepare(
        platform: &Platform,
        session: &Session,
        job: JobId,
        setup: &Setup,
        meter: &Meter,
    ) -> Result<Self, Fault> {
        if setup.parameters.protocol != Protocol::He {
            let name = setup.parameters.protocol.name();
            return Err(Fault::new(
                Reason::Unsupported,
                format!("the protocol {name} is not offered"),
            ));
        }
        let session_id = job.to_string();
        let seed = public_key_seed(
            &setup.rating_half,
            &setup.social_half,
            session_id.as_bytes(),
        );
        let parameters = setup.parameters.clone();
        let keys = blocking(move || RatingKeys::generate(&parameters, &seed)).await?;
        let keys = Arc::new(keys.map_err(ours)?);
        let product = Self {
            job,
            parameters_digest: setup.parameters_digest,
            kind: Kind::He {
                keys: Arc::clone(&keys),
                pattern: Arc::clone(&setup.pattern),
            },
        };
        let endpoint = RatingKeySetup::new(&keys).map_err(ours)?;
        product
            .exchange(platform, session, Phase::Setup, 0, endpoint, meter)
            .await?;
        Ok(product)
    }

    /// Y times `factors`, exact over the ring. Rounds count from 1.
    pub(crate) async fn multiply(
        &self,
        platform: &Platform,
        session: &Session,
        round: u32,
        factors: RingMatrix,
        meter: &Meter,
    ) -> Result<RingMatrix, Fault> {
        match &self.kind {
            Kind::He { keys, pattern } => {
                let (keys, pattern) = (Arc::clone(keys), Arc::clone(pattern));
                let endpoint =
                    blocking(move || RatingRound::new(&keys, &pattern, &factors)).await?;
                let endpoint = endpoint.map_err(ours)?;
                let phase = Phase::Online;
                let done = self
                    .exchange(platform, session, phase, round, endpoint, meter)
                    .await?;
                blocking(move || done.into_product())
                    .await?
                    .map_err(|error| s3rec_link::DriveError::Protocol(error).into())
            }
        }
    }

    async fn exchange<E: Endpoint + 'static>(
        &self,
        platform: &Platform,
        session: &Session,
        phase: Phase,
        round: u32,
        endpoint: E,
        meter: &Meter,
    ) -> Result<E, Fault> {
        let header = ChunkHeader {
            job: self.job,
            phase,
            round,
            parameters_digest: self.parameters_digest,
        };
        let idle = platform.idle_limit();
        let channel = grpc::call(session.client.clone(), &header, meter, idle).await?;
        let mut channel = Counting::new(channel, meter.clone());
        Ok(drive(endpoint, &mut channel, |_| {}).await?)
    }
}

fn ours(error: SpmmError) -> Fault {
    Fault::new(Reason::ParametersRefused, error.to_string())
}
