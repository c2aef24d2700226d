//! A browser that runs no JavaScript.

use regex::Regex;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::shop::Shop;

/// A browser that runs no script: it keeps cookies, sends its origin, and follows nowhere by itself.
pub(crate) struct Browser<'a> {
    shop: &'a Shop,
    pub(crate) cookies: Vec<(String, String)>,
}

/// What it was answered.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Seen {
    pub(crate) fn place(&self) -> &str {
        self.headers.get("location").map_or("", |place| place.to_str().unwrap())
    }
}

impl<'a> Browser<'a> {
    pub(crate) const fn new(shop: &'a Shop) -> Self {
        Self { shop, cookies: Vec::new() }
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str, form: Option<&str>) -> Seen {
        let mut request = self.shop.request(method, path).header("accept", "text/html,*/*;q=0.8");
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(form) = form {
            request = request.header("origin", &self.shop.running.url).body(form.to_owned());
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for set in headers.get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        Seen { status, headers, html: answer.text().await.unwrap() }
    }

    /// Sends a form, again where it is asked to, as browsers do with 307.
    pub(crate) async fn submit(&mut self, path: &str, form: &str) -> Seen {
        let mut seen = self.ask(Method::POST, path, Some(form)).await;
        for _ in 0..2 {
            if seen.status == 307 {
                let place = seen.place().to_owned();
                seen = self.ask(Method::POST, &place, Some(form)).await;
            }
        }
        seen
    }

    pub(crate) async fn open(&mut self, path: &str) -> Seen {
        let seen = self.ask(Method::GET, path, None).await;
        assert_eq!(seen.headers["content-type"], "text/html; charset=utf-8", "{}", seen.html);
        seen
    }

    pub(crate) async fn reserve(&mut self, form: &str) -> Seen {
        let path = self.shop.path("/reservations");
        self.submit(&path, form).await
    }
}

/// Where the form of a page goes whose address ends like this.
pub(crate) fn action(html: &str, end: &str) -> String {
    let action = Regex::new(r#"action="([^"]+)""#).unwrap();
    let mut actions = action.captures_iter(html).map(|found| found[1].to_owned());
    actions.find(|action| action.ends_with(end)).unwrap_or_else(|| panic!("no form for {end}: {html}"))
}
