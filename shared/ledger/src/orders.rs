//! Orders of a sale in pages, through the index that spreads over several partitions.

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64URL_NOPAD;
use sale::{Deadline, SaleId};

use crate::item::{Item, text};
use crate::table::{KEY, LISTING, LISTING_KEY, LISTING_SORT, ORDER_SHARDS, order_list};
use crate::{Ledger, LedgerError, Order};

/// One page of a sale's orders: complete over all pages, ordered by time only within each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdersPage {
    /// The orders, possibly none on a page that is not the last.
    pub orders: Vec<Order>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    shard: u8,
    /// Sort key and table key of the last order seen.
    after: Option<(String, String)>,
}

/// A text that no page gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl Cursor {
    /// The cursor as a text for a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let (sort, key) = self.after.as_ref().map_or(("", ""), |(sort, key)| (sort, key));
        BASE64URL_NOPAD.encode(format!("{}|{sort}|{key}", self.shard).as_bytes())
    }

    /// Parses what [`Cursor::encode`] gave.
    pub fn parse(text: &str) -> Result<Self, InvalidCursor> {
        if text.len() > 200 {
            return Err(InvalidCursor);
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| InvalidCursor)?;
        let mut parts = text.split('|');
        let (Some(shard), Some(sort), Some(key), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCursor);
        };
        let shard = shard.parse().ok().filter(|shard| *shard < ORDER_SHARDS).ok_or(InvalidCursor)?;
        let after = (!sort.is_empty() && !key.is_empty()).then(|| (sort.to_owned(), key.to_owned()));
        Ok(Self { shard, after })
    }

    fn start_key(&self, sale: &SaleId) -> Option<Item> {
        let (sort, key) = self.after.as_ref()?;
        let list = order_list(sale, self.shard);
        Some(Item::from([
            (LISTING_KEY.to_owned(), text(list)),
            (LISTING_SORT.to_owned(), text(sort.as_str())),
            (KEY.to_owned(), text(key.as_str())),
        ]))
    }

    fn after(&self, last: &Item) -> Option<Self> {
        let get = |name: &str| last.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        Some(Self { shard: self.shard, after: Some((get(LISTING_SORT)?, get(KEY)?)) })
    }

    fn next_shard(&self) -> Option<Self> {
        let shard = self.shard + 1;
        (shard < ORDER_SHARDS).then_some(Self { shard, after: None })
    }
}

impl Ledger {
    /// Up to `limit` orders of a sale from `cursor` on.
    pub async fn orders(
        &self,
        sale: &SaleId,
        cursor: Cursor,
        limit: u16,
        deadline: Deadline,
    ) -> Result<OrdersPage, LedgerError> {
        let mut orders = Vec::new();
        let mut cursor = cursor;
        loop {
            let left = i32::from(limit) - i32::try_from(orders.len()).unwrap_or(i32::MAX);
            let query = self
                .client(deadline)
                .await?
                .query()
                .table_name(&self.table)
                .index_name(LISTING)
                .key_condition_expression(format!("{LISTING_KEY} = :list"))
                .expression_attribute_values(":list", text(order_list(sale, cursor.shard)))
                .limit(left)
                .set_exclusive_start_key(cursor.start_key(sale));
            let page = self.within(deadline, query.send()).await??;
            for item in page.items.unwrap_or_default() {
                orders.extend(Order::read(&item)?);
            }
            let next = match page.last_evaluated_key {
                Some(last) => cursor.after(&last),
                None => cursor.next_shard(),
            };
            match next {
                Some(next) if orders.len() < usize::from(limit) => cursor = next,
                next => return Ok(OrdersPage { orders, next }),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_a_url_and_nothing_else_is_one() {
        let cursor = Cursor { shard: 3, after: Some(("17#x".to_owned(), "ORDER#y".to_owned())) };
        assert_eq!(Cursor::parse(&cursor.encode()), Ok(cursor));
        assert_eq!(Cursor::parse(&Cursor::default().encode()), Ok(Cursor::default()));
        for text in ["", "!", "x", "OXx8", &"A".repeat(500)] {
            assert_eq!(Cursor::parse(text), Err(InvalidCursor), "{text}");
        }
    }
}
