// Shows what the page knows. Everything is written as text, and only where it has changed.

const element = (id) => document.getElementById(id);
const main = element('sale');
const plainTitle = document.title;
const icon = document.querySelector('link[rel=icon]');
const plainIcon = icon.getAttribute('href');
const currency = main.dataset.currency;

function show(target, text, isShown = Boolean(text)) {
  target.hidden = !isShown;
  if (isShown && target.textContent !== text) target.textContent = text;
}

const CHOOSING = ['ready', 'turn'];
const OWN = ['holding', 'confirming', 'ordered'];
const BEFORE = ['loading', 'announced', 'countdown', 'lobby'];

function render() {
  const state = stateNow();
  const isNew = main.dataset.state !== state;
  main.dataset.state = state;
  renderConnection(state);
  renderState(state);
  renderLine(state);
  renderDraw(state);
  renderChoice(state);
  renderHold(state);
  renderOrder(state);
  renderTab(state);
  show(element('message'), model.message);
  if (isNew) speak('state', state, tell(`state.${state}`));
  speakMilestones(state);
}

// A shop that is being rebuilt says so itself.
function renderConnection(state) {
  const at = model.status && Date.parse(model.status.server_time);
  const isShown = model.doubt && state !== 'recovering' && (!at || serverNow() - at > 10_000);
  show(
    element('connection'),
    isShown ? tell(`connection.${model.doubt}${at ? '_since' : ''}`, { time: at && tellTime(at) }) : '',
  );
}

function renderState(state) {
  element('state').hidden = ['holding', 'ordered'].includes(state);
  if (state === 'loading') return;
  show(element('state-title'), tell(`state.${state}`));
  const seconds = ['countdown', 'lobby'].includes(state) ? secondsToOpening() : null;
  show(element('countdown'), seconds === null ? '' : tellLength(seconds));
  const values = {
    date: opensAt() && tellInstant(opensAt()),
    time: tellLength(secondsOfTurn() ?? Math.round(model.status?.waiting_room?.turn_seconds ?? 0)),
  };
  const text = state === 'lobby' && seconds !== null ? 'countdown' : state;
  show(element('state-text'), text in texts.text ? tell(`text.${text}`, values) : '');
  if (element('calendar')) element('calendar').hidden = !BEFORE.includes(state);
}

function renderLine(state) {
  if (state === 'loading') return;
  const { status } = model;
  const room = status?.waiting_room;
  const isShown = room && !OWN.includes(state) && !['ended', 'recovering', 'sold_out'].includes(state);
  element('line').hidden = !isShown;
  if (!isShown) return;
  const ahead = line.place === null || isTurnOver() ? null : placesAhead(status);
  const text = lineText(room, ahead);
  show(element('line-text'), text);
  const left = status.skus.reduce((sum, sku) => sum + sku.available, 0);
  show(
    element('line-odds'),
    state !== 'waiting' ? '' : ahead < left ? tell('line.odds_good') : tell('line.odds_bad', { count: left }),
  );
  const progress = element('line-progress');
  progress.hidden = state !== 'waiting';
  Object.assign(progress, { max: line.place ?? 1, value: (line.place ?? 1) - (ahead ?? 0) });
  element('join').hidden = line.ticket !== null && !isTurnOver();
  // In one's turn the state says it all.
  element('line').hidden = text === '' && element('join').hidden;
  element('join').disabled = isBusy || room.door_closed || ['not_open', 'ended'].includes(room.state);
}

function lineText(room, ahead) {
  if (!line.ticket && room.door_closed) return tell('line.closed');
  if (!line.ticket && room.state === 'not_open')
    return room.lobby_opens_at ? tell('line.not_open', { date: tellInstant(Date.parse(room.lobby_opens_at)) }) : '';
  const lobby = Math.max(room.lobby, line.ticket ? 1 : 0);
  if (!line.ticket && room.state === 'lobby') return tell('line.lobby', { count: lobby });
  if (!line.ticket)
    return tell('line.outside', { count: Math.max(0, room.last_place - Math.floor(servingNow(model.status))) });
  if (isTurnOver()) return '';
  if (ahead === null) return tell('line.lobby_in', { count: lobby });
  if (isMyTurn(model.status)) return '';
  const place =
    ahead === 0 ? tell('line.next', { place: line.place }) : tell('line.place', { place: line.place, count: ahead });
  const wait =
    room.rate_per_minute > 0
      ? tell('line.wait', { count: Math.max(1, Math.ceil(ahead / room.rate_per_minute)) })
      : tell('line.still');
  return `${place} ${wait}`;
}

// Also for who has no ticket: the place of any lot can be worked out.
function renderDraw(state) {
  const seed = model.status?.waiting_room?.seed;
  element('draw').hidden = !seed || !crypto.subtle || OWN.includes(state) || state === 'recovering';
  if (!line.draw) return;
  show(element('draw-text'), line.draw.isAnnounced ? tell('draw.good', { lot: line.ticket.lot }) : tell('draw.bad'));
}

function renderChoice(state) {
  element('choice').hidden = OWN.includes(state);
  for (const card of document.querySelectorAll('[data-sku]')) {
    const sku = model.status?.skus.find((each) => each.sku === card.dataset.sku);
    const text =
      !sku || BEFORE.includes(state)
        ? ''
        : sku.available > 0
          ? tell('available.some', { count: sku.available })
          : tell(sku.may_return ? 'available.may_return' : 'available.none');
    show(card.querySelector('.available'), text);
    card.querySelector('.reserve').disabled = isBusy || !CHOOSING.includes(state) || !(sku?.available > 0);
  }
}

const titleOf = (sku) => document.querySelector(`[data-sku="${CSS.escape(sku)}"] h3`)?.textContent ?? sku;

// The title is set apart: one that is written from right to left would else take the price with it.
const tellUnits = (units) =>
  tell('hold.what', {
    quantity: units.quantity,
    title: `\u2068${titleOf(units.sku)}\u2069`,
    price: tellPrice(units.total_minor, units.currency),
  });

function renderHold(state) {
  element('hold').hidden = !['holding', 'confirming'].includes(state);
  if (element('hold').hidden) return;
  const seconds = secondsOfHold();
  show(element('hold-text'), tellUnits(model.kept.hold));
  element('hold-clock').parentElement.hidden = state === 'confirming';
  show(element('hold-clock'), seconds === null ? '' : tellLength(seconds));
  show(
    element('hold-warning'),
    state === 'holding' && seconds !== null && seconds <= WARNING_SECONDS
      ? tell('hold.warning', { count: seconds })
      : '',
  );
  element('confirm').disabled = isBusy || state === 'confirming';
  element('release').disabled = isBusy || state === 'confirming';
}

function renderOrder(state) {
  element('order').hidden = state !== 'ordered';
  element('last-order').hidden = !model.lastOrder || OWN.includes(state);
  if (state !== 'ordered') return;
  const order = model.kept?.order ?? model.lastOrder;
  show(element('order-text'), tellUnits(order));
  show(element('order-number'), order.id);
}

// The shortest words for it; while it is not even known when the sale begins there is nothing to say.
const signOf = (state) => (state === 'announced' ? '' : tell(`title.${state}`) || tell(`state.${state}`));

// The tab shows the state while another one is looked at.
function renderTab(state) {
  const seconds = ['countdown', 'lobby'].includes(state)
    ? secondsToOpening()
    : state === 'holding'
      ? secondsOfHold()
      : null;
  const sign = seconds !== null ? tellLength(seconds) : state === 'waiting' ? `#${line.place}` : signOf(state);
  const title = sign ? `${sign} · ${plainTitle}` : plainTitle;
  if (document.title !== title) document.title = title;
  const href =
    state === 'ordered'
      ? icon.dataset.done
      : ['turn', 'ready', 'holding'].includes(state)
        ? icon.dataset.now
        : plainIcon;
  if (icon.getAttribute('href') !== href) icon.setAttribute('href', href);
}

// A screen reader hears what matters and no clock that ticks: each topic once for each milestone.
const spoken = new Map();

function speak(topic, milestone, text) {
  if (!text || spoken.get(topic) === milestone) return;
  spoken.set(topic, milestone);
  element('spoken').textContent = text;
}

const WARNING_SECONDS = 30;
const milestoneOf = (steps, value) => steps.find((step) => value <= step);

function speakMilestones(state) {
  if (['countdown', 'lobby'].includes(state) && secondsToOpening() !== null) {
    const step = milestoneOf([10, 30, 60, 300, 600, 1800], secondsToOpening());
    if (step)
      speak(
        'opening',
        step,
        step < 60
          ? tell('spoken.seconds', { count: secondsToOpening() })
          : tell('spoken.minutes', { count: Math.ceil(secondsToOpening() / 60) }),
      );
  } else if (state === 'waiting') {
    const step = milestoneOf([1, 2, 5, 10, 20, 50, 100, 500], placesAhead(model.status));
    if (step) speak('ahead', step, tell('spoken.ahead', { count: placesAhead(model.status) }));
  } else if (state === 'turn' && secondsOfTurn() !== null) {
    const step = milestoneOf([WARNING_SECONDS, 60], secondsOfTurn());
    if (step) speak('turn', step, tell('spoken.turn', { count: secondsOfTurn() }));
  } else if (state === 'holding' && secondsOfHold() !== null) {
    const step = milestoneOf([WARNING_SECONDS, 60], secondsOfHold());
    if (step) speak(`hold ${model.kept.hold.id}`, step, tell('spoken.hold', { count: secondsOfHold() }));
  }
}
