//! Phases of a job.

use s3rec_job::Phase;

named!(pub phase_to_wire, phase_from_wire: Phase {
    Consent, Alignment, Setup, Offline, Online, Evaluation,
}, Phase);
