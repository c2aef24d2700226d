// How many requests reach the shop while a crowd waits with the page open, behind a cache that keeps the status for as long
// as its Cache-Control says. `node tests/browser/crowd.mjs [CLIENTS [MINUTES]]` prints it.
//
// Each client asks as the page does (`jittered` of shop.js): after the pause that the status names, and up to half of it more.
// The cache gives what it has for a second, and after that while it asks for a new one, once at a time. Clients are told by
// the status when to ask and not by the cache, so when anybody asks does not depend on it.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const read = (path) => readFileSync(new URL(`../../functions/page/${path}`, import.meta.url), 'utf8');
const number = (text, pattern) => Number(text.match(pattern)[1].replaceAll('_', ''));

const status = read('src/status.rs');
const POLL_AFTER_MS = number(status, /POLL_AFTER_MS: u32 = ([\d_]+);/);
const FRESH_MS = 1000 * number(status, /s-maxage=(\d+)/);
const jittered = new Function(`${read('assets/shop.js').match(/^const jittered = .*$/m)[0]} return jittered;`)();

// How long the shop takes for the status.
const ANSWER_MS = 20;

export function crowd(clients, minutes) {
  const length = 60_000 * minutes;
  const isAsked = new Uint8Array(length);
  let requests = 0;
  for (let client = 0; client < clients; client += 1) {
    // They have come over a minute.
    for (let at = Math.random() * 60_000; at < length; at += jittered(POLL_AFTER_MS)) {
      isAsked[Math.floor(at)] = 1;
      requests += 1;
    }
  }
  let origin = 0;
  let madeAt = -Infinity;
  let isComing = -1;
  for (let at = 0; at < length; at += 1) {
    if (isComing >= 0 && at >= isComing) {
      madeAt = isComing;
      isComing = -1;
    }
    if (!isAsked[at] || at - madeAt < FRESH_MS) continue;
    // One asks; the others get the old one.
    if (isComing < 0) {
      origin += 1;
      isComing = at + ANSWER_MS;
    }
  }
  return { requests, origin, bound: Math.ceil(length / (FRESH_MS + ANSWER_MS)) + 1 };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [clients, minutes] = [Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 10)];
  const { requests, origin, bound } = crowd(clients, minutes);
  const perClient = (requests / clients).toFixed(0);
  console.log(
    `${clients} clients, ${minutes} minutes, each asks every ${POLL_AFTER_MS} to ${1.5 * POLL_AFTER_MS} ms: ${perClient} times`,
  );
  console.log(`requests at the cache   ${requests}`);
  console.log(
    `requests at the shop    ${origin}, at most ${60 * minutes} s / (${FRESH_MS} + ${ANSWER_MS}) ms + 1 = ${bound}`,
  );
  console.log(`one in                  ${Math.round(requests / origin)}`);
}
