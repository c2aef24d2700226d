//! What one sentinel says of a master, read from its answers.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;

use crate::endpoint::Endpoint;

/// What one sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The sentinel's own id: however many addresses it has, it has one vote.
    pub(crate) id: String,
    /// `None`: it does not know a master of this name.
    pub(crate) master: Option<Endpoint>,
    pub(crate) config_epoch: u64,
    /// Sentinels that it counts, itself among them.
    pub(crate) electorate: usize,
    /// The master in whose place it is making a replica the master, also when it names that replica already.
    pub(crate) replaces: Option<Endpoint>,
    /// It has heard of the master lately, so that it is not about to take it for down.
    pub(crate) is_content: bool,
    /// Sentinels that have to take a master for down before one of them replaces it.
    pub(crate) quorum: usize,
    /// The others, by id, where it was asked for them.
    pub(crate) others: Vec<(String, Endpoint)>,
}

/// Fields of one instance in a sentinel's answer.
pub(crate) type Instance = HashMap<String, String>;

/// `get-master-addr-by-name`.
pub(crate) fn read_endpoint(value: Value) -> Option<Endpoint> {
    let (host, port): (String, u16) = redis::from_redis_value(value).ok()?;
    (!host.is_empty() && port != 0).then_some(Endpoint { host, port })
}

/// `SENTINEL MASTER`.
pub(crate) fn read_instance(value: Value) -> Option<Instance> {
    redis::from_redis_value(value).ok()
}

/// `SENTINEL SENTINELS` and `SENTINEL REPLICAS`.
pub(crate) fn read_instances(value: Value) -> Vec<Instance> {
    redis::from_redis_value(value).unwrap_or_default()
}

/// Where an instance listens.
pub(crate) fn endpoint_of(instance: &Instance) -> Option<Endpoint> {
    let port = instance.get("port")?.parse().ok().filter(|port| *port != 0)?;
    let host = instance.get("ip").filter(|host| !host.is_empty())?.clone();
    Some(Endpoint { host, port })
}

/// Whether a master is being replaced: only the sentinel that leads that says so.
pub(crate) fn is_failing_over(instance: &Instance) -> bool {
    has_flag(instance, &["failover_in_progress"])
}

/// Whether a sentinel has heard of a master lately: it is connected, does not take it for down, and no ping has gone
/// without a good answer for longer than this.
pub(crate) fn is_content(instance: &Instance, unanswered_max: Duration) -> bool {
    // Of a ping that was answered, it says 0.
    let unanswered = Duration::from_millis(number_of(instance, "last-ping-sent"));
    unanswered <= unanswered_max && !has_flag(instance, &["s_down", "o_down", "disconnected"])
}

fn has_flag(instance: &Instance, any: &[&str]) -> bool {
    instance.get("flags").is_some_and(|flags| flags.split(',').any(|flag| any.contains(&flag)))
}

/// A number among an instance's fields; 0 where it is missing.
pub(crate) fn number_of(instance: &Instance, name: &str) -> u64 {
    instance.get(name).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Value {
        Value::Array(texts.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect())
    }

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_else() {
        let expected = Endpoint { host: "10.0.0.1".to_owned(), port: 6_379 };
        assert_eq!(read_endpoint(texts(&["10.0.0.1", "6379"])), Some(expected));
        for wrong in [
            texts(&[]),
            texts(&["a"]),
            texts(&["", "1"]),
            texts(&["a", "0"]),
            texts(&["a", "99999"]),
            Value::Nil,
            Value::Int(1),
        ] {
            assert_eq!(read_endpoint(wrong), None);
        }
    }

    #[test]
    fn an_instance_is_pairs_of_texts() {
        let instance = read_instance(texts(&["ip", "10.0.0.1", "port", "26379", "config-epoch", "7"]));
        let instance = instance.unwrap_or_default();
        assert_eq!(
            endpoint_of(&instance).map(|endpoint| endpoint.to_string()),
            Some("10.0.0.1:26379".to_owned())
        );
        assert_eq!((number_of(&instance, "config-epoch"), number_of(&instance, "absent")), (7, 0));
        for (flags, expected) in
            [("master", false), ("master,o_down", false), ("master,s_down,o_down,failover_in_progress", true)]
        {
            let instance = read_instance(texts(&["flags", flags])).unwrap_or_default();
            assert_eq!(is_failing_over(&instance), expected, "{flags}");
        }
        assert!(!is_failing_over(&instance));
        assert_eq!(read_instances(Value::Int(1)), Vec::<Instance>::new());
    }

    #[test]
    fn a_sentinel_is_content_with_a_master_whose_pings_are_answered() {
        for (flags, unanswered_ms, expected) in [
            ("master", "0", true),
            ("master", "200", true),
            ("master", "201", false),
            ("master,s_down", "0", false),
            ("master,disconnected", "0", false),
        ] {
            let instance = read_instance(texts(&["flags", flags, "last-ping-sent", unanswered_ms]));
            let instance = instance.unwrap_or_default();
            assert_eq!(
                is_content(&instance, Duration::from_millis(200)),
                expected,
                "{flags} {unanswered_ms}"
            );
        }
    }
}
