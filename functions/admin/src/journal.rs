//! The journal of a sale, page by page.

use std::sync::Arc;

use api::{Journal, JournalEntryAnswer, JournalQuery};
use axum::extract::State;
use edge::{Problem, Query, SalePath, Within, invalid_fields};

use crate::{App, problem};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
    Query(page): Query<JournalQuery>,
) -> Result<axum::Json<Journal>, Problem> {
    let number = page.cursor.as_deref().map_or(Some(1), |cursor| cursor.parse().ok());
    let number = number.filter(|number| (1..u64::MAX).contains(number));
    let number = number.ok_or_else(no_cursor)?;
    let page = app.ledger.journal_page(&sale, number, deadline).await.map_err(problem)?;
    let Some((entries, next)) = page else {
        app.ledger.sale(&sale, deadline).await.map_err(problem)?.ok_or_else(Problem::sale_not_found)?;
        if number > 1 && !app.ledger.has_part(&sale, number - 1, deadline).await.map_err(problem)? {
            return Err(no_cursor());
        }
        return Ok(axum::Json(Journal { entries: Vec::new(), next_cursor: None }));
    };
    let entries = entries.into_iter().map(JournalEntryAnswer::from).collect();
    Ok(axum::Json(Journal { entries, next_cursor: Some(next.to_string()) }))
}

/// What no page gave out; a ledger that was restored may not have what a page gave out before.
fn no_cursor() -> Problem {
    invalid_fields("query:cursor", "not a cursor of this list")
}
