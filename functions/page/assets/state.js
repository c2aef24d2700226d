// What the page knows, and the one state that follows from it. No state is shown that the shop did not give.

// So that the browsers of all do not press at the same instant when the sale opens.
const OPENING_SPREAD_MS = 400;

const model = {
  // The newest good status; what came instead the last time, `none` being no answer at all; and whether the shop is being
  // rebuilt.
  status: null,
  doubt: null,
  isRecovering: false,
  // What is kept beyond this page, and whether the last order of it is asked for.
  kept: keptHold.read(),
  lastOrder: keptOrder.read()?.order,
  isOrderWanted: false,
  // The wish for which the limit was reached, and the address of the reservation that was named, while that may be there.
  limit: null,
  // What the last action was told, for a person.
  message: '',
  openingDelayMs: Math.random() * OPENING_SPREAD_MS,
};

const opensAt = () => (model.status?.opens_at ? Date.parse(model.status.opens_at) : null);

// Whole seconds until the opening; null where there is nothing to count down.
function secondsToOpening() {
  const now = serverNow();
  return opensAt() === null || now === null ? null : wholeSeconds(opensAt() - now);
}

const holdEndsAt = () => Date.parse(model.kept.hold.expires_at);

// Whole seconds until the hold ends; null while the shop has not told the time.
function secondsOfHold() {
  const now = serverNow();
  return now === null ? null : wholeSeconds(holdEndsAt() - now);
}

// The status may be a second old when the sale opens; the instant that it names is not.
function isOpen(status) {
  if (status.state !== 'announced' || status.waiting_room) return status.state === 'open';
  return opensAt() !== null && serverNow() >= opensAt() + model.openingDelayMs;
}

function stateOfSale(status) {
  const room = status.waiting_room;
  if (['ended', 'paused'].includes(status.state)) return status.state;
  if (!isOpen(status)) {
    if (room?.state === 'lobby') return 'lobby';
    return opensAt() === null ? 'announced' : 'countdown';
  }
  const isNothingLeft = status.skus.every((sku) => sku.available === 0);
  if (isNothingLeft && !status.skus.some((sku) => sku.may_return)) return 'sold_out';
  if (room) return stateOfLine(status);
  if (isNothingLeft) return 'may_return';
  return model.limit ? 'limit_reached' : 'ready';
}

function stateOfLine(status) {
  if (!line.ticket) return 'line';
  if (isTurnOver()) return 'turn_over';
  return isMyTurn(status) ? 'turn' : 'waiting';
}

function stateNow() {
  if (model.kept?.order) return 'ordered';
  if (model.kept?.hold) return model.kept.isConfirming ? 'confirming' : 'holding';
  if (model.isOrderWanted && model.lastOrder) return 'ordered';
  if (model.isRecovering) return 'recovering';
  return model.status ? stateOfSale(model.status) : 'loading';
}
