// What outlives this view of the page: the wish that was sent, the hold that came of it, the order, also after the shopper
// has gone back to the sale. Where the browser keeps nothing it lives as long as the page, and the shop finds the hold again
// by the limit.

const sale = document.getElementById('sale').dataset.sale;

// Others write into a browser's storage as well.
function isSound(value) {
  const isText = (text) => typeof text === 'string';
  if (!value || typeof value !== 'object') return false;
  const { hold, order } = value;
  return (
    (!hold ||
      (isText(hold.id) && isText(hold.sku) && Number.isFinite(Date.parse(hold.expires_at)) && isText(hold.currency))) &&
    (!order || (isText(order.id) && isText(order.sku) && isText(order.currency)))
  );
}

function keeper(name) {
  const place = `${name}:${sale}`;
  // What the browser did not keep.
  let own = null;
  return {
    read() {
      if (own !== null) return own;
      try {
        const value = JSON.parse(localStorage.getItem(place));
        return isSound(value) ? value : null;
      } catch {
        return null;
      }
    },
    write(value) {
      try {
        localStorage.setItem(place, JSON.stringify(value));
        own = null;
      } catch {
        own = value;
      }
    },
    forget() {
      own = null;
      try {
        localStorage.removeItem(place);
      } catch {
        /* There is nothing. */
      }
    },
    isPlace: (key) => key === place,
  };
}

// { sku, quantity, key, sentAt, hold, isConfirming, order }; a hold that another browser made has no key.
const keptHold = keeper('hold');
// { order }
const keptOrder = keeper('order');
// { lot, seedHash }, as far as the page has seen a hash before the draw; the ticket itself is in a cookie that no script reads.
const keptTicket = keeper('ticket');

// Runs one action at a time, over all tabs of this browser: two tabs that reserve make one hold.
async function exclusively(action) {
  return navigator.locks ? navigator.locks.request(`spillway:${sale}`, action) : action();
}
