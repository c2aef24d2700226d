// The sale's page: asks for the status, and does what the shopper presses. What was begun before the page was left is
// taken up again.

const STATUS_PAUSE_MS = 2_000;
const STATUS_PAUSE_MS_MAX = 15_000;
const TICK_MS = 250;

let isBusy = false;
let failures = 0;
let pollTimer = null;
let polls = 0;

async function poll() {
  clearTimeout(pollTimer);
  polls += 1;
  const mine = polls;
  let pauseMs = STATUS_PAUSE_MS;
  try {
    const told = await call('GET', `${base}/status`, { cache: 'no-cache' });
    // Another one was asked for meanwhile, which goes on.
    if (mine === polls) pauseMs = await take(told);
  } finally {
    // Whatever went wrong here, the page goes on asking.
    if (mine === polls) pollTimer = setTimeout(poll, jittered(Math.min(pauseMs, STATUS_PAUSE_MS_MAX)));
  }
}

// What follows from what was told instead of a status, or as one: also, in how many milliseconds to ask again.
async function take(told) {
  const isGood = told.ok && isStatus(told.answer);
  if (isGood) {
    noteTime(told);
    noteStatus(told.answer);
  }
  model.doubt = isGood ? null : told.status === 0 ? 'none' : 'failing';
  model.isRecovering = slugOf(told.answer) === 'recovering';
  failures = isGood ? 0 : failures + 1;
  await findPlace(model.status);
  if (model.kept?.isConfirming && !isBusy) act(() => confirm());
  if (isGood && model.limit && !isBusy) followLimit();
  if (stateNow() === 'turn' && !isBusy) followTurn(model.status).then(render);
  render();
  if (isGood) return model.status.poll_after_ms;
  return told.answer.retry_after_seconds * 1000 || STATUS_PAUSE_MS * failures;
}

// A cache may give an older one than before.
function noteStatus(status) {
  const known = model.status && Date.parse(model.status.server_time);
  if (!known || Date.parse(status.server_time) >= known) model.status = status;
}

function keep(kept) {
  model.kept = kept;
  model.limit = null;
  if (kept?.order) {
    model.lastOrder = kept.order;
    keptOrder.write({ order: kept.order });
  }
  if (kept) {
    keptHold.write(kept);
  } else {
    keptHold.forget();
    askForTurn();
  }
}

const isOver = ({ status, answer }) =>
  [404, 410].includes(status) || ['order-cancelled', 'unit-lost'].includes(slugOf(answer));

const ordered = (kept, order) => ({
  ...kept,
  isConfirming: false,
  order: {
    id: order.order_id ?? order.id,
    sku: order.sku,
    quantity: order.quantity,
    total_minor: order.total_minor,
    currency: order.currency,
  },
});

// What is no reservation is no answer: what is kept stays, to be asked for again.
function keepHold(kept, told) {
  const hold = told.answer;
  if (!isReservation(hold)) throw new TypeError('no reservation');
  noteTime(told);
  if (hold.state === 'ordered') keep(ordered({ ...kept, hold }, hold));
  else if (['held', 'confirming'].includes(hold.state))
    keep({
      ...kept,
      hold: { ...hold, receipt: hold.receipt ?? kept.hold?.receipt },
      isConfirming: kept.isConfirming || hold.state === 'confirming',
    });
  else keep(null);
}

// Whether the hold of this wish would be over.
const isOld = (kept) => Date.now() - (kept.sentAt ?? 0) > 1000 * Number(main.dataset.holdSeconds);

// The key is kept before it is sent: whatever happens to the answer, the same wish finds the same hold.
async function reserve(sku, quantity) {
  await exclusively(async () => {
    const known = keptHold.read();
    if (known?.hold && !known.order) {
      keep(known);
      return;
    }
    const isUnanswered = known?.key && !known.hold && !isOld(known);
    const isSame = known?.sku === sku && known?.quantity === quantity;
    // Nobody knows yet what came of another wish: it may be a hold.
    if (isUnanswered && !isSame) {
      await send(known);
      if (model.kept) return;
    }
    const wish = { sku, quantity, key: isUnanswered && isSame ? known.key : crypto.randomUUID(), sentAt: Date.now() };
    keep(wish);
    await send(wish);
  });
}

async function send(wish) {
  const { sku, quantity, key } = wish;
  const told = await insist('POST', `${base}/reservations`, {
    headers: { 'Idempotency-Key': `"${key}"` },
    body: { sku, quantity },
  });
  if (told.ok) keepHold(wish, told);
  else await settle(told, wish);
}

// What a refusal means for what is kept. What may still come of the same key is kept with it.
async function settle(told, wish) {
  model.message = tellProblem(told.answer);
  if (isForTheMoment(told)) return;
  keep(null);
  const slug = slugOf(told.answer);
  if (slug === 'ticket-expired') noteTurnIsOver();
  if (slug === 'limit-reached') {
    model.limit = { path: told.answer.reservation, sku: wish.sku, quantity: wish.quantity };
    await adopt();
  }
}

const ENDS = { released: 'reservation-released', expired: 'reservation-expired', cancelled: 'order-cancelled' };

// The reservation that the shopper has already, perhaps of another tab, or of a browser that keeps nothing. Where it is
// over the limit is not reached any more; while nobody knows, the next good status has it asked again.
async function adopt() {
  const { path, ...wish } = model.limit;
  if (!path) return;
  const told = await insist('GET', path);
  if (isForTheMoment(told)) return;
  model.limit = null;
  if (told.ok && !ENDS[told.answer.state]) {
    keepHold(wish, told);
    model.message = tell('hold.found');
  } else {
    model.message = tellProblem(told.ok ? { type: ENDS[told.answer.state] } : told.answer);
  }
}

// Of a limit that names no reservation nobody can know how long it stands: the next press finds out.
function followLimit() {
  if (model.limit.path) act(() => exclusively(adopt));
  else model.limit = null;
}

// Takes up what was begun before this page was opened, or looked at again.
async function resume() {
  const kept = keptHold.read();
  model.kept = kept;
  if (!kept || kept.order) return;
  if (kept.hold) await exclusively(() => lookAgain(kept));
  else if (isOld(kept)) keep(null);
  else await exclusively(() => send(kept));
}

// What has become of a hold. It is asked for and not wished again: what is over may not begin anew by itself.
async function lookAgain(kept) {
  const told = await insist('GET', `${base}/reservations/${kept.hold.id}`);
  // After a takeover the shop may know of a hold by its receipt only, which the confirm brings.
  const isUnknown = told.status === 404 && kept.hold.receipt;
  if (told.ok) keepHold(kept, told);
  else if (isOver(told) && !isUnknown) keep(null);
  if (!model.kept) model.message = tellProblem(told.ok ? { type: ENDS[told.answer.state] } : told.answer);
}

async function confirm() {
  await exclusively(async () => {
    const kept = keptHold.read() ?? model.kept;
    if (!kept?.hold || kept.order) {
      model.kept = kept;
      return;
    }
    keep({ ...kept, isConfirming: true });
    render();
    const { id, receipt } = kept.hold;
    const told = await insist('POST', `${base}/reservations/${id}/order`, { body: receipt ? { receipt } : undefined });
    if (told.ok) {
      keep(ordered(kept, told.answer));
      return;
    }
    // A receipt that is refused is another shopper's: the session has ended meanwhile.
    const isForeign = told.status === 400;
    model.message = tellProblem(isForeign ? { type: 'reservation-not-found' } : told.answer);
    // Nobody knows yet whether there is an order: it is asked again until somebody does.
    if (isForTheMoment(told)) return;
    keep(isOver(told) || isForeign ? null : { ...kept, isConfirming: false });
  });
}

function asksToRelease() {
  const dialog = element('release-dialog');
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

async function release() {
  if (!(await asksToRelease())) return;
  const told = await insist('DELETE', `${base}/reservations/${model.kept.hold.id}`);
  if (told.ok || isOver(told)) {
    keep(null);
    model.message = told.ok ? tell('hold.released') : tellProblem(told.answer);
  } else {
    model.message = tellProblem(told.answer);
    if (slugOf(told.answer) === 'already-ordered') await resume();
  }
}

// One action at a time; its outcome is read where it appears.
async function act(action) {
  if (isBusy) return;
  isBusy = true;
  model.message = '';
  const before = stateNow();
  const pressed = document.activeElement;
  try {
    render();
    await action();
  } catch {
    model.message = tell('problem.unknown');
  }
  isBusy = false;
  render();
  const state = stateNow();
  if (state !== before && state === 'holding') element('hold-title').focus();
  else if (state !== before && state === 'ordered') element('order-title').focus();
  else giveFocusBack(pressed);
}

// A button that is disabled or gone has no focus, and the next key would begin at the top of the page. Who has gone on to
// something else that can be seen stays there.
function giveFocusBack(pressed) {
  const now = document.activeElement;
  if (pressed === document.body || (now !== pressed && now.offsetParent !== null)) return;
  if (pressed.disabled || pressed.offsetParent === null) main.focus({ preventScroll: true });
  else pressed.focus();
}

function tick() {
  if (model.kept?.hold && !model.kept.order && !model.kept.isConfirming && secondsOfHold() === 0 && !isBusy) {
    keep(null);
    model.message = tell('hold.expired');
  }
  render();
}

// The network is back, or the page is looked at again: what is shown may be old.
function wake() {
  if (document.visibilityState === 'visible') poll();
}

// A picture that does not come leaves no hole.
const picture = document.querySelector('.picture');
const hidePicture = () => {
  picture.hidden = true;
};
if (picture?.complete && picture.naturalWidth === 0) hidePicture();
picture?.addEventListener('error', hidePicture);
for (const price of document.querySelectorAll('.price')) price.textContent = tellPrice(Number(price.value), currency);
for (const card of document.querySelectorAll('[data-sku]')) {
  const quantity = () => Number(card.querySelector('select')?.value ?? 1);
  card.querySelector('.reserve').addEventListener('click', () => act(() => reserve(card.dataset.sku, quantity())));
}
element('join').addEventListener('click', () =>
  act(async () => {
    const told = await takeTicket(model.status);
    if (!told.ok) model.message = tellProblem(told.answer);
  }),
);
element('confirm').addEventListener('click', () => act(confirm));
element('release').addEventListener('click', () => act(release));
element('print').addEventListener('click', () => window.print());
element('go-on').addEventListener('click', () => {
  model.isOrderWanted = false;
  if (model.kept?.order) keep(null);
  render();
  main.focus();
});
element('last-order').addEventListener('click', () => {
  model.isOrderWanted = true;
  render();
  element('order-title').focus();
});
element('lot-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { seed, lobby } = model.status.waiting_room;
  const lot = element('lot').value.trim().toLowerCase();
  element('lot').setAttribute('aria-invalid', !isLot(lot));
  const place = isLot(lot) ? await drawnPlace(seed, lot, lobby) : null;
  show(element('lot-place'), place === null ? tell('draw.no_lot') : tell('draw.place', { place, count: lobby }));
});
addEventListener('storage', ({ key }) => {
  if (keptHold.isPlace(key)) model.kept = keptHold.read();
  if (keptOrder.isPlace(key)) model.lastOrder = keptOrder.read()?.order;
  render();
});
addEventListener('online', wake);
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted) return;
  wake();
  act(resume);
});
document.addEventListener('visibilitychange', wake);
setInterval(tick, TICK_MS);

// Whoever has a ticket renews it: its place stays.
async function start() {
  await poll();
  if (keptTicket.read()) await takeTicket(model.status);
  await act(resume);
}
start();
