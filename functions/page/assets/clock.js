// The shop's clock, as far as this page can tell. It is the browser's monotonic clock and an offset, so that nobody
// who sets the browser's clock changes what the page says.
//
// A status says when it was made. It was on its way for some part of the time that asking took: half of it is added, but no
// more than a moment, so that an answer that took long makes nothing early. A cache may have kept it, so of several samples
// the one that is furthest ahead counts, and the clock never goes back.

const clock = { offsetMs: null };

const ON_ITS_WAY_MS_MAX = 150;

// All three in milliseconds; `sentAt` and `receivedAt` of the monotonic clock.
function noteServerTime(serverTime, sentAt, receivedAt) {
  const offset = serverTime - receivedAt + Math.min((receivedAt - sentAt) / 2, ON_ITS_WAY_MS_MAX);
  clock.offsetMs = Math.max(clock.offsetMs ?? -Infinity, offset);
}

// What is left, as it is shown: it is over when it says zero.
const wholeSeconds = (ms) => Math.max(0, Math.ceil(ms / 1000));

// Milliseconds since 1970 by the shop's clock; null while it has not told.
const serverNow = () => (clock.offsetMs === null ? null : performance.now() + clock.offsetMs);
