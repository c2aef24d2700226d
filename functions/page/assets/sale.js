// The sale page: polls the status, counts by the server's clock, reserves, confirms, releases.
'use strict';

const main = document.querySelector('main');
const sale = main.dataset.sale;
const currency = main.dataset.currency;
const base = `/sales/${sale}`;
const element = (id) => document.getElementById(id);
let clockOffsetMs = null;
let status = null;
let hold = null;
let holdEndsAt = 0;

const serverNow = () => Date.now() + (clockOffsetMs ?? 0);
const say = (text) => { element('message').textContent = text; };

function formatPrice(minor) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: 'currency', currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

async function call(method, path, headers = {}, body) {
  const response = await fetch(path, { method, headers, body, credentials: 'same-origin' });
  const answer = await response.json();
  return { ok: response.ok, answer };
}

function showStatus() {
  const opensAt = status.opens_at && Date.parse(status.opens_at);
  const seconds = opensAt && Math.max(0, Math.ceil((opensAt - serverNow()) / 1000));
  const texts = {
    announced: opensAt ? `The sale begins in ${seconds} s.` : 'The beginning of the sale will be announced.',
    open: 'The sale is open.',
    paused: 'The sale is paused. What you hold is kept.',
    ended: 'The sale is over.',
  };
  element('state').textContent = texts[status.state];
  for (const sku of status.skus) {
    const text = sku.sold_out ? (sku.may_return ? 'Sold out; units may return.' : 'Sold out.') : `${sku.available} left`;
    const place = document.querySelector(`[data-available="${sku.sku}"]`);
    const button = document.querySelector(`[data-reserve="${sku.sku}"]`);
    if (place) place.textContent = text;
    if (button) button.disabled = status.state !== 'open' || sku.sold_out || isHolding() || !isMyTurn();
  }
}

const isHolding = () => hold !== null && hold.state !== 'ordered';

function keep(answer) {
  hold = answer;
  holdEndsAt = performance.now() + answer.expires_in_ms;
  // The receipt stands in for the hold where the shop has lost it; with the wish it outlives this page.
  const wish = JSON.parse(localStorage.getItem(`hold:${sale}`) ?? '{}');
  if (answer.receipt) localStorage.setItem(`hold:${sale}`, JSON.stringify({ ...wish, hold: answer }));
}

function showHold() {
  element('hold').hidden = hold === null;
  if (hold === null) return;
  const left = Math.max(0, Math.ceil((holdEndsAt - performance.now()) / 1000));
  const isOrdered = hold.state === 'ordered';
  element('hold-text').textContent = isOrdered
    ? `Ordered. Your order is ${hold.order_id}.`
    : `${hold.quantity} × ${hold.sku}, ${formatPrice(hold.total_minor)}, kept for ${left} s.`;
  element('confirm').hidden = isOrdered;
  element('release').hidden = isOrdered;
  if (!isOrdered && left === 0) {
    forget();
    say('The time of your reservation is over.');
  }
}

function forget() {
  hold = null;
  localStorage.removeItem(`hold:${sale}`);
}

async function poll() {
  let pause = 2000;
  try {
    const before = Date.now();
    const { ok, answer } = await call('GET', `${base}/status`);
    if (ok && answer.sale === sale) {
      status = answer;
      // An answer from a cache is late: the freshest so far tells the server's clock best.
      const ahead = Date.parse(answer.server_time) - (before + Date.now()) / 2;
      clockOffsetMs = Math.max(clockOffsetMs ?? -Infinity, ahead);
      await findPlace();
      pause = answer.poll_after_ms;
      showStatus();
    }
  } catch {
    element('state').textContent = 'No connection; trying again.';
  }
  setTimeout(poll, pause * (1 + Math.random() / 2));
}

async function reserve(sku) {
  // The key is kept before sending, so that a lost answer is found again by the same request.
  const unanswered = JSON.parse(localStorage.getItem(`hold:${sale}`) ?? 'null');
  const wish = unanswered?.sku === sku && hold === null ? unanswered : { sku, key: crypto.randomUUID() };
  localStorage.setItem(`hold:${sale}`, JSON.stringify(wish));
  await resume(wish);
}

async function resume(wish) {
  say('');
  try {
    await call('POST', '/sessions');
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': `"${wish.key}"` };
    const body = JSON.stringify({ sku: wish.sku, quantity: 1 });
    const { ok, answer } = await call('POST', `${base}/reservations`, headers, body);
    if (ok) keep(answer);
    else {
      if (answer.type?.endsWith('/ticket-expired')) line.ticket = { ...line.ticket, turn: { state: 'passed' } };
      if (isOver(answer)) forget();
      else if (isRecovering(answer) && wish.hold) {
        keep({ ...wish.hold, expires_in_ms: Date.parse(wish.hold.expires_at) - serverNow() });
      }
      say(`${answer.title} ${answer.detail}`);
    }
  } catch {
    say('No connection. Try again: nothing is reserved twice.');
  }
  showHold();
}

// Whether the wish has its last answer; everything else is worth the same key again.
const isOver = ({ status, type }) => [404, 410, 422].includes(status)
  || ['sold-out', 'limit-reached', 'sale-not-open', 'order-cancelled', 'ticket-missing', 'not-your-turn', 'ticket-expired'].includes(type?.split('/').pop());

const isRecovering = ({ type }) => type?.endsWith('/recovering');

async function confirm() {
  say('');
  const headers = hold.receipt ? { 'Content-Type': 'application/json' } : {};
  const body = hold.receipt ? JSON.stringify({ receipt: hold.receipt }) : undefined;
  const { ok, answer } = await call('POST', `${base}/reservations/${hold.id}/order`, headers, body);
  if (ok) hold = { ...hold, state: 'ordered', order_id: answer.id };
  else say(`${answer.title} ${answer.detail}`);
  showHold();
}

async function release() {
  const { ok, answer } = await call('DELETE', `${base}/reservations/${hold.id}`);
  if (ok) forget();
  else say(`${answer.title} ${answer.detail}`);
  showHold();
}

async function guarded(button, action) {
  button.disabled = true;
  try { await action(); } catch { say('No connection. Try again: nothing is done twice.'); }
  button.disabled = false;
  if (status) showStatus();
}

for (const price of document.querySelectorAll('.price')) price.textContent = formatPrice(Number(price.value));
for (const button of document.querySelectorAll('[data-reserve]')) {
  button.addEventListener('click', () => guarded(button, () => reserve(button.dataset.reserve)));
}
element('confirm').addEventListener('click', (event) => guarded(event.currentTarget, confirm));
element('release').addEventListener('click', (event) => guarded(event.currentTarget, release));
const kept = localStorage.getItem(`hold:${sale}`);
if (kept) resume(JSON.parse(kept));
setInterval(() => { if (status) showStatus(); showHold(); showLine(); }, 1000);
poll();
