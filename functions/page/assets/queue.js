// The waiting room: takes a ticket, works out whose turn it is from the status, and the draw out of its seed.
'use strict';

// Everything that the page knows of its own place; the ticket itself is in a cookie that no script reads.
const line = { ticket: null, place: null, draw: null };

const ticketStore = `ticket:${sale}`;
const hexBytes = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
const hexText = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

// A lot is base32hex of 16 bytes.
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

// Where the serving number stands now, by the rule that the server has.
function servingNow(room) {
  const minutes = Math.max(0, serverNow() - Date.parse(status.server_time)) / 60000;
  return Math.min(room.serving + room.rate_per_minute * minutes, room.serving_limit);
}

async function takeTicket() {
  await call('POST', '/sessions');
  // Of a ticket whose turn is over nothing comes; whoever wants another one gets a later place.
  const body = isTurnOver() ? { another: true } : {};
  const headers = { 'Content-Type': 'application/json' };
  const { ok, answer } = await call('POST', `${base}/tickets`, headers, JSON.stringify(body));
  if (ok) {
    line.ticket = { lot: answer.lot, number: answer.number, turn: answer.turn };
    line.place = answer.turn?.place ?? null;
    line.draw = null;
    keepTicket();
    await findPlace();
  } else {
    say(`${answer.title} ${answer.detail}`);
  }
  showLine();
}

function keepTicket() {
  try { localStorage.setItem(ticketStore, '1'); } catch { /* The cookie is enough. */ }
}

async function findPlace() {
  const room = status?.waiting_room;
  if (!room || !line.ticket || !crypto.subtle) return;
  if (line.ticket.number !== null) line.place = room.lobby + line.ticket.number;
  if (line.ticket.number === null && room.seed && !line.draw) {
    line.draw = { isAnnounced: await isSeedOf(room.seed, room.seed_hash) };
    line.place = await drawnPlace(room.seed, line.ticket.lot, room.lobby);
  }
}

const isTurnOver = () => ['passed', 'used'].includes(line.ticket?.turn?.state);

function isMyTurn() {
  const room = status?.waiting_room;
  if (!room) return true;
  return line.ticket !== null && line.place !== null && !isTurnOver() && line.place <= servingNow(room);
}

function lineText(room) {
  if (!line.ticket) return room.state === 'lobby'
    ? `About ${room.lobby} are in the lobby. Whoever is there when the sale opens is served in an order drawn by lot.`
    : `${Math.max(0, room.last_place - Math.floor(servingNow(room)))} wait.`;
  if (isTurnOver()) return 'Your turn is over. Another ticket is a later place.';
  if (line.place === null) return `You are in the lobby, one of about ${Math.max(1, room.lobby)}. The draw is at the opening.`;
  const ahead = Math.ceil(line.place - servingNow(room)) - 1;
  if (ahead < 0) return `It is your turn, place ${line.place}. A turn lasts ${Math.round(room.turn_seconds)} s at least.`;
  const left = status.skus.reduce((sum, sku) => sum + sku.available, 0);
  const odds = ahead < left ? 'There is a unit for you if nobody ahead takes more than one.'
    : `${left} units are left: you get one if some ahead of you leave theirs.`;
  const wait = room.rate_per_minute > 0 ? `about ${Math.ceil(ahead / room.rate_per_minute)} min` : 'it stands still for now';
  return `Place ${line.place}: ${ahead} come before you, ${wait}. ${odds}`;
}

function showLine() {
  const room = status?.waiting_room;
  element('line').hidden = !room;
  if (!room) return;
  element('line-text').textContent = lineText(room);
  element('draw-text').textContent = !line.draw ? ''
    : line.draw.isAnnounced
      ? `This page has worked your place out again of your lot, ${line.ticket.lot}; the seed is the one that was announced.`
      : 'The seed is NOT the one that was announced before the sale.';
  element('join').hidden = line.ticket !== null && !isTurnOver();
  element('join').disabled = room.door_closed || ['not_open', 'ended'].includes(room.state);
}

element('join').addEventListener('click', (event) => guarded(event.currentTarget, takeTicket));
// Whoever has a ticket renews it: its place stays.
if (localStorage.getItem(ticketStore)) takeTicket();
