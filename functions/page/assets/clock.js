// The shop's clock, as far as this page can tell. It is the browser's monotonic clock and an offset, so that nobody
// who sets the browser's clock changes what the page says.
//
// A status says when it was made; half of the time that asking took is added. A cache may have kept it, so it is late
// or right and never early: of several samples the one that is furthest ahead counts, and the clock never goes back.
// A sample that took long says little: its half may be far from the truth.

const clock = { offsetMs: null, quickestMs: Infinity };

const ROUND_TRIP_SLACK_MS = 150;

// All three in milliseconds; `sentAt` and `receivedAt` of the monotonic clock.
function noteServerTime(serverTime, sentAt, receivedAt) {
  const roundTrip = receivedAt - sentAt;
  const offset = serverTime - (sentAt + receivedAt) / 2;
  if (roundTrip > 2 * clock.quickestMs + ROUND_TRIP_SLACK_MS) return;
  clock.quickestMs = Math.min(clock.quickestMs, roundTrip);
  clock.offsetMs = Math.max(clock.offsetMs ?? -Infinity, offset);
}

// Milliseconds since 1970 by the shop's clock; null while it has not told.
const serverNow = () => (clock.offsetMs === null ? null : performance.now() + clock.offsetMs);
