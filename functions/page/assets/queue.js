// The waiting room: takes a ticket, works out whose turn it is from the status, and the draw out of its seed.

// What the page knows of its own place; the ticket itself is in a cookie that no script reads. Instants are of the
// monotonic clock: before `turnEndsAt` the turn is not over.
const line = { ticket: null, place: null, draw: null, turnEndsAt: null, turnAskedAt: null };

const hexBytes = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
const hexText = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

// A lot is base32hex of 16 bytes, so that of its last digit the lowest two bits are none.
const isLot = (text) => /^[0-9a-v]{25}[048cgkos]$/.test(text);

function lotBytes(lot) {
  const digits = '0123456789abcdefghijklmnopqrstuv';
  const bits = Array.from(lot, (digit) => digits.indexOf(digit).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from({ length: 16 }, (_, index) => parseInt(bits.slice(index * 8, index * 8 + 8), 2));
}

// The rule that docs/fairness.md gives: HMAC-SHA-256 of the seed over sale, a zero byte and the lot.
async function drawnPlace(seed, lot, lobby) {
  const key = await crypto.subtle.importKey('raw', hexBytes(seed), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const message = new Uint8Array([...new TextEncoder().encode(sale), 0, ...lotBytes(lot)]);
  const rank = BigInt(`0x${hexText(await crypto.subtle.sign('HMAC', key, message)).slice(0, 16)}`);
  return Number((rank * BigInt(lobby)) >> 64n) + 1;
}

async function isSeedOf(seed, hash) {
  return hexText(await crypto.subtle.digest('SHA-256', hexBytes(seed))) === hash;
}

// Where the serving number stands so many milliseconds after the status was made, by the rule that the shop has.
function servingAfter(room, ms) {
  return Math.min(room.serving + room.rate_per_minute * (Math.max(0, ms) / 60000), room.serving_limit);
}

const servingNow = (status) => servingAfter(status.waiting_room, serverNow() - Date.parse(status.server_time));

async function takeTicket(status) {
  // Of a ticket whose turn is over nothing comes; whoever wants another one gets a later place.
  const told = await insist('POST', `${base}/tickets`, { body: isTurnOver() ? { another: true } : {} });
  if (told.ok) {
    const { lot, number, turn } = told.answer;
    Object.assign(line, { ticket: { lot, number, turn }, place: turn?.place ?? null, draw: null });
    line.turnEndsAt = isCount(turn?.left_ms) ? performance.now() + turn.left_ms : null;
    if (keptTicket.read()?.lot !== lot) keptTicket.write({ lot });
    await findPlace(status);
  }
  return told;
}

// What was announced is what this page saw while the lot was given: a hash that is told together with the seed fits it,
// whichever seed that is. Where nothing was seen before the draw there is no other.
function announcedHash() {
  const hash = keptTicket.read()?.seedHash;
  return isHexOf32Bytes(hash) ? hash : null;
}

async function findPlace(status) {
  const room = status?.waiting_room;
  if (!room || !line.ticket || !crypto.subtle) return;
  const { lot, number } = line.ticket;
  if (number !== null) {
    line.place = room.lobby + number;
  } else if (!room.seed) {
    if (!announcedHash()) keptTicket.write({ lot, seedHash: room.seed_hash });
  } else if (!line.draw) {
    line.draw = { isAnnounced: await isSeedOf(room.seed, announcedHash() ?? room.seed_hash) };
    line.place = await drawnPlace(room.seed, lot, room.lobby);
  }
}

const isTurnOver = () => ['passed', 'used'].includes(line.ticket?.turn?.state);

function noteTurnIsOver() {
  if (line.ticket) line.ticket = { ...line.ticket, turn: { state: 'passed' } };
}

const isMyTurn = (status) =>
  line.ticket !== null && line.place !== null && !isTurnOver() && line.place <= servingNow(status);

// Between two questions about a turn that may be over.
const TURN_PAUSE_MS = 10_000;

// How long the turn lasts is asked when it comes, and again when it may be over. It is measured in serving time, which
// stands still at times and never runs faster than a clock.
async function followTurn(status) {
  const now = performance.now();
  const isAsked = line.turnAskedAt !== null && now < line.turnAskedAt + TURN_PAUSE_MS;
  if (isAsked || now < line.turnEndsAt) return;
  line.turnAskedAt = now;
  await takeTicket(status);
}

// A turn may be over from now on, whatever was known of it.
const askForTurn = () => Object.assign(line, { turnEndsAt: null, turnAskedAt: null });

// Whole seconds that the turn lasts at least; null while the shop has not told.
const secondsOfTurn = () => (line.turnEndsAt === null ? null : wholeSeconds(line.turnEndsAt - performance.now()));

// How many come before this place.
const placesAhead = (status) => Math.max(0, Math.ceil(line.place - servingNow(status)) - 1);
