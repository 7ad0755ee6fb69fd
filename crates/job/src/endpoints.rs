//! An exchange of frames is one of several endpoints of `s3rec_spmm`, and is driven as one.

/// The enum `Endpoint` of what an exchange's field `endpoint` can be, and that the exchange is driven
/// as whichever of them it is.
macro_rules! endpoints {
    ($exchange:ident { $($kind:ident($inner:ident)),+ $(,)? }) => {
        pub(super) enum Endpoint {
            $($kind($inner)),+
        }

        impl s3rec_spmm::Endpoint for $exchange {
            fn poll_send(&mut self) -> Result<Option<s3rec_spmm::Frame>, s3rec_spmm::SpmmError> {
                match &mut self.endpoint { $(Endpoint::$kind(endpoint) => endpoint.poll_send()),+ }
            }

            fn receive(&mut self, frame: s3rec_spmm::Frame) -> Result<(), s3rec_spmm::SpmmError> {
                match &mut self.endpoint { $(Endpoint::$kind(endpoint) => endpoint.receive(frame)),+ }
            }

            fn awaiting(&self) -> Option<s3rec_spmm::Step> {
                match &self.endpoint { $(Endpoint::$kind(endpoint) => endpoint.awaiting()),+ }
            }

            fn is_done(&self) -> bool {
                match &self.endpoint { $(Endpoint::$kind(endpoint) => endpoint.is_done()),+ }
            }
        }
    };
}
