// Asking the shop. Everything that is asked here can be asked again: whatever fails for the moment is repeated, with
// a pause that the shop names and some chance in it.

const base = `/sales/${sale}`;
const CALL_TIMEOUT_MS = 10_000;
const ATTEMPTS = 5;

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
const jittered = (ms) => ms * (1 + Math.random() / 2);
const slugOf = (answer) =>
  String(answer?.type ?? '')
    .split('/')
    .pop();

// { ok, status, answer, sentAt, receivedAt }; without any answer the status is 0. What is no JSON is not the shop's; that it is a fault of
// something before the shop is told by its status all the same.
async function call(method, path, { headers = {}, body, cache } = {}) {
  if (body !== undefined) headers = { ...headers, 'Content-Type': 'application/json' };
  const options = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache,
    credentials: 'same-origin',
  };
  const sentAt = performance.now();
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    const answer = await response.json().catch((error) => {
      if (response.status < 500) throw error;
    });
    return { ok: response.ok, status: response.status, answer: answer ?? {}, sentAt, receivedAt: performance.now() };
  } catch {
    return { ok: false, status: 0, answer: { type: 'offline' } };
  }
}

// Of a fault nobody knows yet what came, also where a gateway answers it in the place of a function that has died.
const isForTheMoment = ({ status, answer }) =>
  status === 0 || status === 429 || status >= 500 || slugOf(answer) === 'confirm-in-progress';

let hasSession = false;

// Nothing where there is a session; else what was told instead.
async function openSession() {
  if (hasSession) return null;
  const told = await call('POST', '/sessions');
  hasSession = told.ok;
  return told.ok ? null : told;
}

// The same as whoever the shop takes this browser for; a session that has ended is opened again, once.
async function insist(method, path, options) {
  let told;
  let isRenewed = false;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    told = (await openSession()) ?? (await call(method, path, options));
    if (told.status === 401 && !isRenewed) {
      isRenewed = true;
      hasSession = false;
    } else if (!isForTheMoment(told)) {
      return told;
    } else if (attempt < ATTEMPTS) {
      await pause(jittered(1000 * (told.answer.retry_after_seconds ?? Math.min(attempt, 4))));
    }
  }
  return told;
}

const isInstant = (text) => typeof text === 'string' && Number.isFinite(Date.parse(text));
const isInstantIfAny = (text) => text == null || isInstant(text);
const SALE_STATES = ['announced', 'open', 'paused', 'ended'];
const ROOM_STATES = ['not_open', 'lobby', 'serving', 'paused', 'no_units', 'ended'];
const ROOM_COUNTS = ['lobby', 'serving', 'serving_limit', 'rate_per_minute', 'last_place', 'turn_seconds'];
const isCount = (number) => Number.isFinite(number) && number >= 0;
// A seed, or its hash.
const isHexOf32Bytes = (text) => typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);

const isRoom = (room) =>
  ROOM_STATES.includes(room.state) &&
  isInstantIfAny(room.lobby_opens_at) &&
  isHexOf32Bytes(room.seed_hash) &&
  (room.seed == null || isHexOf32Bytes(room.seed)) &&
  ROOM_COUNTS.every((name) => isCount(room[name]));

const skusShown = Array.from(document.querySelectorAll('[data-sku]'), (card) => card.dataset.sku);

// There may be more than this page shows: the merchant has added one since.
const areSkus = (skus) =>
  Array.isArray(skus) &&
  skus.every((sku) => typeof sku?.sku === 'string' && isCount(sku.available)) &&
  skusShown.every((shown) => skus.some(({ sku }) => sku === shown));

// Of an answer that is believed, and that has its time of the stock: a ticket's is that of another host.
const noteTime = ({ answer, sentAt, receivedAt }) => noteServerTime(Date.parse(answer.server_time), sentAt, receivedAt);

const isReservation = (answer) =>
  answer.sale === sale &&
  typeof answer.id === 'string' &&
  typeof answer.state === 'string' &&
  isInstant(answer.expires_at) &&
  isInstant(answer.server_time);

// Whether this is a status of this sale, whole and sound; nothing else is believed.
const isStatus = (answer) =>
  answer.sale === sale &&
  SALE_STATES.includes(answer.state) &&
  isInstant(answer.server_time) &&
  isInstantIfAny(answer.opens_at) &&
  isCount(answer.poll_after_ms) &&
  areSkus(answer.skus) &&
  (answer.waiting_room == null || isRoom(answer.waiting_room));
