//! What the pattern policies let the upload be trimmed by, checked by both parties for themselves.

use crate::world::{Shape, World};
use s3rec_algebra::Seed;
use s3rec_spmm::{
    OperatorKind, PatternPolicy, ProductParameters, Protocol, PublicPattern, SocialOperand,
    SpmmError,
};

/// Two trusters of one user among six: rows 1 and 4, column 3.
fn world(operator: OperatorKind, policy: PatternPolicy) -> World {
    World::new(
        &Shape {
            operator,
            policy,
            protocol: Protocol::Preprocessed,
            ..Shape::new(6, 2, vec![(1, 3), (4, 3)])
        },
        1,
    )
}

fn refused(parameters: &ProductParameters) -> bool {
    matches!(
        parameters.validate(),
        Err(SpmmError::Shape {
            what: "uploaded rows",
            ..
        })
    )
}

/// `active-rows` shows rows alone: of an operator whose columns differ from them the whole upload
/// crosses, whatever either side proposes.
#[test]
fn active_rows_keeps_the_columns_of_an_asymmetric_operator() {
    let World {
        parameters,
        operator,
        ..
    } = world(OperatorKind::OutAverage, PatternPolicy::ActiveRows);
    assert_eq!((parameters.returned_rows, parameters.uploaded_rows), (2, 6));
    parameters.validate().unwrap();
    // A P0 that asks for the columns, and a P1 that would give them away.
    let trimmed = ProductParameters {
        uploaded_rows: 1,
        ..parameters.clone()
    };
    assert!(refused(&trimmed));
    let pattern = PublicPattern {
        users: 6,
        returned_rows: vec![1, 4],
        uploaded_rows: vec![3],
    };
    let operand = SocialOperand::new(&parameters, &pattern, &operator, &Seed::from_bytes([1; 32]));
    assert!(matches!(operand, Err(SpmmError::Shape { .. })));
    // Who consents to showing the columns gets the short upload.
    let shown = ProductParameters {
        pattern: PatternPolicy::ActiveRowsAndColumns,
        ..trimmed
    };
    shown.validate().unwrap();
}

#[test]
fn active_rows_trims_what_a_symmetric_operator_shows_anyway() {
    for kind in [OperatorKind::Laplacian, OperatorKind::NormalizedLaplacian] {
        let parameters = world(kind, PatternPolicy::ActiveRows).parameters;
        assert_eq!((parameters.returned_rows, parameters.uploaded_rows), (3, 3));
        let nothing = ProductParameters {
            pattern: PatternPolicy::Nothing,
            returned_rows: 6,
            ..parameters
        };
        assert!(refused(&nothing));
    }
}
