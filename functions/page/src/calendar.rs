//! `GET /sales/{sale}/opening.ics`: a reminder of the opening for the shopper's calendar (RFC 5545).

use jiff::{SignedDuration, Timestamp};
use sale::{Definition, SaleId};

/// Octets of a line, at most (RFC 5545, 3.1).
const LINE_BYTES_MAX: usize = 75;

/// How long before the opening the reminder rings.
const ALARM: &str = "-PT10M";

/// How long the entry lasts in the calendar.
const LENGTH: SignedDuration = SignedDuration::from_mins(15);

/// The calendar of this one entry. `url` is the page's address.
pub(crate) fn calendar(
    sale: &SaleId,
    version: u64,
    definition: &Definition,
    opens_at: Timestamp,
    url: &str,
) -> String {
    let title = text(&definition.title);
    let (starts, ends) = (instant(opens_at), instant(opens_at.checked_add(LENGTH).unwrap_or(opens_at)));
    let host = url.split('/').nth(2).unwrap_or("spillway");
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Spillway//Sale//EN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        // The same entry where the opening has moved: it is replaced and not shown twice.
        format!("UID:{sale}@{host}"),
        // What is newer, whether the opening moved on or back.
        format!("SEQUENCE:{version}"),
        format!("DTSTAMP:{starts}"),
        format!("DTSTART:{starts}"),
        format!("DTEND:{ends}"),
        format!("SUMMARY:{title}"),
        format!("DESCRIPTION:{}", text(&definition.description)),
        format!("URL:{url}"),
        "BEGIN:VALARM".to_owned(),
        "ACTION:DISPLAY".to_owned(),
        format!("DESCRIPTION:{title}"),
        format!("TRIGGER:{ALARM}"),
        "END:VALARM".to_owned(),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    lines.iter().map(|line| folded(line)).collect()
}

/// `20261126T150000Z`
fn instant(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text as a value: what separates values is escaped, and nothing else controls anything.
fn text(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => value.extend(['\\', character]),
            '\n' => value.push_str("\\n"),
            _ if character.is_control() => {}
            _ => value.push(character),
        }
    }
    value
}

/// A line with its end, folded between characters.
fn folded(line: &str) -> String {
    let (mut folded, mut bytes) = (String::with_capacity(line.len() + 8), 0);
    for character in line.chars() {
        if bytes + character.len_utf8() > LINE_BYTES_MAX {
            folded.push_str("\r\n ");
            bytes = 1;
        }
        folded.push(character);
        bytes += character.len_utf8();
    }
    folded + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_merchant_writes_ends_no_line_and_opens_no_property() {
        assert_eq!(text("a,b;c\\d\r\nEND:VEVENT\u{7}"), "a\\,b\\;c\\\\d\\nEND:VEVENT");
    }

    #[test]
    fn a_long_line_is_folded_between_characters_and_comes_back_whole() {
        let line = format!("SUMMARY:{}", "票".repeat(60));
        let folded = folded(&line);
        assert!(folded.split("\r\n").all(|part| part.len() <= LINE_BYTES_MAX));
        assert_eq!(folded.replace("\r\n ", ""), format!("{line}\r\n"));
    }
}
