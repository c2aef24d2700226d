// What a shopper loses by a slip, or by a network that fails: nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  faultsOf,
  figures,
  inState,
  leave,
  openSale,
  picture,
  reserveButton,
  text,
  visit,
  visitor,
  withBrowser,
} from './shop.mjs';

withBrowser();

const RESERVATIONS = '**/reservations';

async function holding(terms) {
  const sale = await openSale(terms);
  const page = await visitor();
  await visit(page, sale);
  await reserveButton(page).click();
  await inState(page, 'holding');
  return { sale, page };
}

test('a second tab shows the same hold, and two tabs that reserve at once make one', async () => {
  const sale = await openSale();
  const one = await visitor();
  await visit(one, sale);
  const two = await one.context().newPage();
  await visit(two, sale);
  // Not `click`, which waits for a button that the other tab's hold may have hidden already.
  await Promise.all([one, two].map((page) => reserveButton(page).dispatchEvent('click')));
  await Promise.all([inState(one, 'holding'), inState(two, 'holding')]);
  assert.equal(await figures(sale), '4/1/0');
  await one.click('#confirm');
  await Promise.all([inState(one, 'ordered'), inState(two, 'ordered')]);
  assert.equal(await figures(sale), '4/0/1');
});

test('what ends in one tab has ended in the other', async () => {
  const { page: one } = await holding();
  const two = await one.context().newPage();
  await visit(two, one.url().split('/').at(-2));
  await inState(two, 'holding');
  await two.click('#confirm');
  await inState(one, 'ordered');
  await two.click('#go-on');
  await Promise.all([inState(one, 'ready'), inState(two, 'ready')]);
  await one.click('#last-order');
  await inState(one, 'ordered');
});

const answerProblem = (route, problem) =>
  route.fulfill({ status: problem.status, contentType: 'application/problem+json', body: JSON.stringify(problem) });

test('a wish waits for a session that is not given at once', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  let refused = 0;
  await page.route('**/sessions', async (route) => {
    if (refused === 2) return route.continue();
    refused += 1;
    const problem = { type: '/problems/overloaded', status: 503, retry_after_seconds: 1 };
    return answerProblem(route, problem);
  });
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.equal(refused, 2);
  assert.equal(await figures(sale), '4/1/0');
});

test('another wish waits for what came of the first one', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  await page.route(RESERVATIONS, async (route) => {
    await route.fetch();
    await route.abort('connectionreset');
  });
  await reserveButton(page).click();
  await page.waitForSelector('#message:not([hidden])');
  await page.unroute(RESERVATIONS);
  await page.selectOption('select', '2');
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.match(await text(page, 'hold-text'), /^1 ×/);
  assert.equal(await figures(sale), '4/1/0');
});

test('who comes back as somebody else holds nothing that was not wished', async () => {
  const { sale, page } = await holding();
  await page.context().clearCookies();
  const [asked] = await Promise.all([page.waitForResponse('**/reservations/*'), page.reload()]);
  assert.ok([401, 404].includes(asked.status()));
  await page.waitForTimeout(1_000);
  assert.equal(await figures(sale), '4/1/0');
});

test('a double click is one hold', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  await reserveButton(page).dblclick();
  await inState(page, 'holding');
  assert.equal(await figures(sale), '4/1/0');
});

test('a hold whose answer was lost is found by the same key', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  const keys = [];
  await page.route(RESERVATIONS, async (route) => {
    keys.push(await route.request().headerValue('idempotency-key'));
    // The shop has done it; nobody hears of it.
    await route.fetch();
    if (keys.length < 3) await route.abort('connectionreset');
    else await route.continue();
  });
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.equal(new Set(keys).size, 1);
  assert.equal(await figures(sale), '4/1/0');
});

// What a gateway says of a function that died after its work was done. The pause is the test's.
async function answerDead(route) {
  await route.fetch();
  const body = JSON.stringify({ message: 'Internal Server Error', retry_after_seconds: 0 });
  await route.fulfill({ status: 500, contentType: 'application/json', body });
}

test('a function that dies after it held loses nothing: the next press finds the hold by the same key', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  const keys = [];
  await page.route(RESERVATIONS, async (route) => {
    keys.push(await route.request().headerValue('idempotency-key'));
    if (keys.length <= 5) await answerDead(route);
    else await route.continue();
  });
  await reserveButton(page).click();
  await page.waitForSelector('#message:not([hidden])');
  assert.equal(await page.getAttribute('main', 'data-state'), 'ready');
  assert.match(await text(page, 'message'), /nothing is done twice/);
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.equal(keys.length, 6);
  assert.equal(new Set(keys).size, 1);
  assert.equal(await figures(sale), '4/1/0');
});

test('a function that dies after it ordered is asked again, until the order is known', async () => {
  const { sale, page } = await holding();
  const seen = [];
  await page.exposeFunction('noteState', (state) => seen.at(-1) === state || seen.push(state));
  await page.evaluate(() => {
    const main = document.getElementById('sale');
    new MutationObserver(() => window.noteState(main.dataset.state)).observe(main, { attributeFilter: ['data-state'] });
  });
  let asked = 0;
  await page.route('**/order', async (route) => {
    asked += 1;
    if (asked <= 6) await answerDead(route);
    else await route.continue();
  });
  await page.click('#confirm');
  await inState(page, 'ordered');
  assert.equal(asked, 7);
  assert.deepEqual(seen, ['holding', 'confirming', 'ordered']);
  assert.equal(await figures(sale), '4/0/1');
});

test('a page that is closed before the answer finds the hold when it is opened again', async () => {
  const sale = await openSale();
  const page = await visitor();
  await visit(page, sale);
  const context = page.context();
  const sent = new Promise((resolve) => {
    page.route(RESERVATIONS, async (route) => {
      await route.fetch();
      resolve();
    });
  });
  await reserveButton(page).click();
  await sent;
  await page.close({ runBeforeUnload: false });
  const again = await context.newPage();
  await visit(again, sale);
  await inState(again, 'holding');
  assert.equal(await figures(sale), '4/1/0');
});

test('an order whose answer was lost is asked for until it is known, over a reload', async () => {
  const { sale, page } = await holding();
  await page.route('**/order', async (route) => {
    await route.fetch();
    await route.abort('connectionreset');
  });
  await page.click('#confirm');
  await inState(page, 'confirming');
  await picture(page, 'confirming');
  await page.unroute('**/order');
  await page.reload();
  await inState(page, 'ordered');
  assert.equal(await figures(sale), '4/0/1');
});

test('where the browser keeps nothing the shop finds the hold by the limit', async () => {
  const sale = await openSale({ limit_per_shopper: 1 });
  const page = await visitor();
  await page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', {
      get() {
        throw new DOMException('forbidden', 'SecurityError');
      },
    });
  });
  await visit(page, sale);
  await reserveButton(page).click();
  await inState(page, 'holding');
  await page.reload();
  await inState(page, 'ready');
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.match(await text(page, 'message'), /already/);
  await page.click('#confirm');
  await inState(page, 'ordered');
  assert.equal(await figures(sale), '4/0/1');
});

test('a limit that is reached by a reservation which is over is reached no more', async () => {
  const sale = await openSale({ limit_per_shopper: 1 });
  for (const colorScheme of ['light', 'dark']) {
    const page = await visitor({ colorScheme });
    await visit(page, sale);
    // The old hold counts a moment longer than it lasts. Asked for it, the shop cannot tell at first.
    const old = `/sales/${sale}/reservations/${'0'.repeat(26)}`;
    const refusal = { type: '/problems/limit-reached', status: 409, reservation: old };
    await page.route(RESERVATIONS, (route) => answerProblem(route, refusal));
    let isKnown = false;
    await page.route(`**${old}`, (route) =>
      isKnown
        ? route.fulfill({ json: { id: '0'.repeat(26), sale, state: 'expired' } })
        : answerProblem(route, { type: '/problems/stock-unavailable', status: 503, retry_after_seconds: 0 }),
    );
    await reserveButton(page).click();
    await inState(page, 'limit_reached');
    assert.ok(await reserveButton(page).isDisabled());
    assert.deepEqual(await faultsOf(page), []);
    await picture(page, `limit_reached-${colorScheme}`);
    isKnown = true;
    await inState(page, 'ready');
    assert.match(await text(page, 'message'), /You can try again/);
    await page.unroute(RESERVATIONS);
    await reserveButton(page).click();
    await inState(page, 'holding');
    assert.deepEqual(page.faults, []);
    await leave(page);
  }
  assert.equal(await figures(sale), '3/2/0');
});

test('a limit that names no reservation can be tried again', async () => {
  const page = await visitor();
  await visit(page, await openSale());
  await page.route(RESERVATIONS, (route) => answerProblem(route, { type: '/problems/limit-reached', status: 409 }));
  await reserveButton(page).click();
  await page.waitForSelector('#message:not([hidden])');
  await page.waitForSelector('.reserve:enabled');
  await page.unroute(RESERVATIONS);
  await reserveButton(page).click();
  await inState(page, 'holding');
});

test('where the storage is full a purchase goes through, and a reload finds what the shop knows', async () => {
  const sale = await openSale({ limit_per_shopper: 1 });
  const page = await visitor();
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await visit(page, sale);
  await reserveButton(page).click();
  await inState(page, 'holding');
  await page.reload();
  await inState(page, 'ready');
  await reserveButton(page).click();
  await inState(page, 'holding');
  await page.click('#confirm');
  await inState(page, 'ordered');
  await page.click('#go-on');
  await page.click('#last-order');
  await inState(page, 'ordered');
  assert.equal(await figures(sale), '4/0/1');
  assert.deepEqual(page.faults, []);
});

test('who comes back by the back button finds what has become of it meanwhile', async () => {
  const { sale, page } = await holding();
  await visit(page, sale, 'de');
  await page.click('#confirm');
  await inState(page, 'ordered');
  await page.goBack();
  await inState(page, 'ordered');
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  assert.equal(await figures(sale), '4/0/1');
});

test('a page that a browser had put away as it was looks again at what is kept', async () => {
  const sale = await openSale();
  const page = await visitor();
  // Whoever is put away hears nothing of what other pages keep.
  await page.addInitScript(() => addEventListener('storage', (event) => event.stopImmediatePropagation()));
  await visit(page, sale);
  const another = await page.context().newPage();
  await visit(another, sale);
  await reserveButton(another).click();
  await inState(another, 'holding');
  assert.equal(await page.getAttribute('main', 'data-state'), 'ready');
  const comeBack = () => page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await comeBack();
  await inState(page, 'holding');
  await another.click('#confirm');
  await inState(another, 'ordered');
  assert.equal(await page.getAttribute('main', 'data-state'), 'holding');
  await comeBack();
  await inState(page, 'ordered');
  assert.equal(await figures(sale), '4/0/1');
});

test("a storage with somebody else's values in it changes nothing", async () => {
  const sale = await openSale();
  const page = await visitor();
  for (const value of ['not json', '[]', '5', '{"hold":{"id":5}}', '{"order":true}']) {
    await page.addInitScript(
      ([place, content]) => {
        localStorage.setItem(place, content);
      },
      [`hold:${sale}`, value],
    );
    await visit(page, sale);
    await inState(page, 'ready');
  }
  assert.deepEqual(page.faults, []);
});

test('who loses the session in the middle is told so, and can begin again', async () => {
  const { sale, page } = await holding();
  await page.context().clearCookies();
  await page.click('#confirm');
  await inState(page, 'ready');
  assert.match(await text(page, 'message'), /not known any more/);
  assert.equal(await figures(sale), '4/1/0');
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.equal(await figures(sale), '3/2/0');
});

test('without a network the page says so, keeps the hold, and goes on by itself', async () => {
  const { page } = await holding();
  await page.context().setOffline(true);
  await page.waitForSelector('#connection:not([hidden])');
  assert.match(await text(page, 'connection'), /^No connection since/);
  assert.equal(await page.getAttribute('main', 'data-state'), 'holding');
  await picture(page, 'offline');
  await page.context().setOffline(false);
  await page.waitForSelector('#connection', { state: 'hidden' });
  await page.click('#confirm');
  await inState(page, 'ordered');
});

test('over a slow network the page opens with the sale, and a purchase takes long and is one', async () => {
  const opening = Date.now() + 12_000;
  const sale = await openSale({ opensIn: 12 });
  const page = await visitor();
  const network = await page.context().newCDPSession(page);
  // A train in the hills: 6 kB a second, and most of a second until anything comes.
  const slow = { offline: false, latency: 800, downloadThroughput: 6_000, uploadThroughput: 3_000 };
  await network.send('Network.emulateNetworkConditions', slow);
  await visit(page, sale);
  await inState(page, 'ready');
  const late = Date.now() - opening;
  assert.ok(late > -1_000, `open ${-late} ms too early`);
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.equal(await figures(sale), '4/1/0');
  await page.click('#confirm');
  await inState(page, 'ordered');
  assert.equal(await figures(sale), '4/0/1');
  assert.deepEqual(page.faults, []);
});

test('there are twenty seconds at least between the warning and the end of a hold', async () => {
  const { page } = await holding({ hold_seconds: 33 });
  await page.waitForSelector('#hold-warning:not([hidden])');
  const [, seconds] = (await text(page, 'hold-warning')).match(/Only (\d+) seconds left/);
  assert.ok(Number(seconds) >= 20, `${seconds} seconds`);
});

test('the end of a hold is warned of, told, and leaves the way back open', async () => {
  const { sale, page } = await holding({ hold_seconds: 10 });
  await page.waitForSelector('#hold-warning:not([hidden])');
  assert.match(await text(page, 'hold-warning'), /seconds? left to order/);
  await picture(page, 'hold-warning');
  await inState(page, 'ready');
  assert.match(await text(page, 'message'), /time of your reservation is over/);
  await reserveButton(page).click();
  await inState(page, 'holding');
  assert.match(await figures(sale), /^[34]\/[12]\/0$/);
});
