//! A list of users read by many threads at once.

use rayon::prelude::*;

use crate::normalise::{Listed, Users};
use crate::roster::USER;
use crate::table::Table;
use crate::table_parts::{Cut, Totals, Whole, parts};
use crate::{DataError, RosterReport};

/// Takes all rows of a table.
pub(crate) fn take_all(
    table: &mut Table<'_>,
    users: &mut Users,
    report: &mut RosterReport,
    cut: Cut,
) -> Result<(), DataError> {
    let mut block = Vec::new();
    loop {
        if let Some(whole) = table.block(&mut block, cut) {
            let texts = parts(&block, cut);
            if take(table, (&whole, texts), users, report)? {
                continue;
            }
            table.put_back(&block);
        }
        if !take_row(table, users, report)? {
            return Ok(());
        }
    }
}

/// Takes the next row; false at the end.
pub(crate) fn take_row(
    table: &mut Table<'_>,
    users: &mut Users,
    report: &mut RosterReport,
) -> Result<bool, DataError> {
    if !table.advance()? {
        return Ok(false);
    }
    report.rows += 1;
    let before = users.len();
    users.take(table.at(USER), table.raw(USER)?)?;
    report.duplicates_merged += u64::from(users.len() == before);
    Ok(true)
}

/// Takes a block's users; false, and nothing done, where it is to be read row by row.
fn take(
    table: &mut Table<'_>,
    (whole, texts): (&Whole, Vec<&[u8]>),
    users: &mut Users,
    report: &mut RosterReport,
) -> Result<bool, DataError> {
    let known = &*users;
    let read = texts
        .into_par_iter()
        .map(|text| list(whole.part(text), known.listed()));
    let Some(read) = read.collect::<Option<Vec<(Listed, Totals)>>>() else {
        return Ok(false);
    };
    let all = read.iter().map(|(_, totals)| *totals).sum::<Totals>();
    if !table.fits(&all) {
        return Ok(false);
    }
    let mut line = table.lines_read();
    let mut placed = Vec::with_capacity(read.len());
    for (listed, totals) in &read {
        placed.push((listed, line));
        line += totals.lines;
    }
    let Some(repeated) = users.take_all(table.at(USER), &placed) else {
        return Ok(false);
    };
    report.rows += all.rows;
    report.duplicates_merged += repeated?;
    table.pass(&all);
    Ok(true)
}

/// A part's users; `None` where something is wrong with it.
fn list(mut table: Table<'_>, mut listed: Listed) -> Option<(Listed, Totals)> {
    while table.advance().ok()? {
        listed.push(table.at(USER), table.raw(USER).ok()?)?;
    }
    let totals = table.totals();
    Some((listed, totals))
}
